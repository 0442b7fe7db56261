package site

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	usualDownload   = 100 << 20
	largestDownload = 10 << 30
)

var units = []struct {
	suffix string
	bytes  int64
}{{"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}}

// download sends a large file that is nowhere: ?size= bytes, 100MB without.
// Its bytes follow from their offset alone, so it costs no memory, ranges work,
// and a resumed download fits.
func download(w http.ResponseWriter, r *http.Request) {
	size := int64(usualDownload)
	if q := r.URL.Query(); q.Has("size") {
		var ok bool
		if size, ok = parseSize(q.Get("size")); !ok {
			refuse(w, "size", q.Get("size"), "a size up to 10GB; write 100MB or 104857600")
			return
		}
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="leat-`+sizeName(size)+`.bin"`)
	h.Set("ETag", `"leat-`+strconv.FormatInt(size, 10)+`"`)
	http.ServeContent(w, r, "", time.Time{}, &pattern{size: size})
}

// parseSize reads a whole number of bytes, KB, MB or GB, up to 10GB.
func parseSize(s string) (n int64, ok bool) {
	s, unit := strings.ToUpper(s), int64(1)
	for _, u := range units {
		if rest, found := strings.CutSuffix(s, u.suffix); found {
			s, unit = rest, u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > largestDownload/unit {
		return 0, false
	}
	return n * unit, true
}

// sizeName writes n with the largest unit that divides it.
func sizeName(n int64) string {
	for _, u := range units {
		if n > 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10)
}

// A pattern is size bytes of lines, each of which begins with its own offset.
type pattern struct{ size, offset int64 }

const (
	lineLength = 64
	lineDigits = 16
	lineRest   = " Every byte of this file follows from its place\n"
)

func (p *pattern) Read(b []byte) (n int, err error) {
	if p.offset >= p.size {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), p.size-p.offset)]
	var line [lineLength]byte
	copy(line[lineDigits:], lineRest)
	for n < len(b) {
		within := p.offset % lineLength
		number(line[:lineDigits], p.offset-within)
		c := copy(b[n:], line[within:])
		n += c
		p.offset += int64(c)
	}
	return n, nil
}

// number fills b with n in decimal, with zeros in front.
func number(b []byte, n int64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

func (p *pattern) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += p.offset
	case io.SeekEnd:
		offset += p.size
	}
	if offset < 0 {
		return 0, errors.New("seek to before the start")
	}
	p.offset = offset
	return offset, nil
}
