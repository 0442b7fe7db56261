package serve

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Cache says how long a file may be kept by clients and what lies between.
type Cache struct {
	// MaxAge is how long the file is fresh, in whole seconds.
	MaxAge time.Duration
	// Directives are put before max-age: "public, immutable".
	Directives string
	// Extensions limit the rule to files that end so, with or without the
	// dot; none is all files.
	Extensions []string
}

// control is the Cache-Control for a file, empty when the rule has none.
func (c Cache) control(name string) string {
	if len(c.Extensions) > 0 && !c.covers(name) {
		return ""
	}
	seconds := int64(c.MaxAge / time.Second)
	if seconds <= 0 {
		return c.Directives
	}
	control := "max-age=" + strconv.FormatInt(seconds, 10)
	if c.Directives != "" {
		control = c.Directives + ", " + control
	}
	return control
}

func (c Cache) covers(name string) bool {
	for _, ext := range c.Extensions {
		if ext = "." + strings.TrimPrefix(ext, "."); len(name) >= len(ext) && strings.EqualFold(name[len(name)-len(ext):], ext) {
			return true
		}
	}
	return false
}

// tag is the file's strong entity-tag (RFC 9110, 8.8.3): its size and time of
// modification, or, where it has no time, the hash of its content, which is
// computed once.
func (f *Files) tag(file openFile, content io.ReadSeeker, variant string) (string, error) {
	if t := file.info.ModTime(); !t.IsZero() {
		return `"` + strconv.FormatInt(file.info.Size(), 16) + "-" + strconv.FormatInt(t.UnixNano(), 16) + variant + `"`, nil
	}
	hash, ok := f.tags.Load(file.name)
	if !ok {
		sum := sha256.New()
		if _, err := io.Copy(sum, content); err != nil {
			return "", err
		}
		if _, err := content.Seek(0, io.SeekStart); err != nil {
			return "", err
		}
		hash = base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:16])
		f.tags.Store(file.name, hash)
	}
	return `"` + hash.(string) + variant + `"`, nil
}

// content is the file as something that can be sought in, until done is
// called.
func (f *Files) content(file openFile) (content io.ReadSeeker, done func()) {
	if s, ok := file.File.(io.ReadSeeker); ok {
		return s, func() {}
	}
	r := &rereader{open: func() (fs.File, error) { return f.FS.Open(file.name) }, size: file.info.Size()}
	return r, r.close
}

// A rereader seeks in a file that cannot, one in a zip archive: by reading on,
// and from the start again to go back. It may be closed while it is read.
type rereader struct {
	open func() (fs.File, error)
	size int64

	mu     sync.Mutex
	file   fs.File // nil before the first Read
	at     int64   // where file is
	want   int64   // where the next Read starts
	closed bool
}

func (r *rereader) Seek(offset int64, whence int) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += r.want
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, fs.ErrInvalid
	}
	r.want = offset
	return offset, nil
}

func (r *rereader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.move(); err != nil {
		return 0, err
	}
	n, err := r.file.Read(p)
	r.at += int64(n)
	r.want = r.at
	return n, err
}

// move brings file to where the next Read starts.
func (r *rereader) move() error {
	if r.closed {
		return fs.ErrClosed
	}
	if r.file == nil || r.want < r.at {
		r.closeFile()
		file, err := r.open()
		if err != nil {
			return err
		}
		r.file, r.at = file, 0
	}
	n, err := io.CopyN(io.Discard, r.file, r.want-r.at)
	r.at += n
	return err
}

func (r *rereader) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.closeFile()
}

func (r *rereader) closeFile() {
	if r.file != nil {
		_ = r.file.Close() // it was only read
		r.file = nil
	}
}

// Attachment is a Content-Disposition that asks the browser to save what
// follows under that name (RFC 6266). A name that is not plain ASCII goes in
// filename* (RFC 8187), with a readable rest of it for those who read only
// filename.
func Attachment(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%/`, r) {
			return '_'
		}
		return r
	}, name)
	value := `attachment; filename="` + plain + `"`
	if plain == name {
		return value
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.WriteString(value + "; filename*=UTF-8''")
	for i := range len(name) {
		c := name[i]
		if 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c != 0 && strings.IndexByte("!#$&+-.^_`|~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', hex[c>>4], hex[c&15]})
	}
	return b.String()
}
