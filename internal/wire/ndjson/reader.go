package ndjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// DefaultMaxLine is how long a line may be when NewReader is told nothing.
const DefaultMaxLine = 1 << 20

// ErrTooLong is the reason of a BadLine that is longer than the reader allows.
var ErrTooLong = errors.New("line is too long")

// A BadLine is a line that is not one JSON text. The reader has left it behind:
// call Next again for the line after it.
type BadLine struct {
	Line int    // counted from 1, heartbeats included
	Text string // the line, or its beginning when it is too long
	Err  error  // ErrTooLong, or what encoding/json says
}

// Error says which line is bad and why, with the beginning of its text.
func (e *BadLine) Error() string {
	text, more := e.Text, ""
	if len(text) > 60 {
		text, more = text[:60], "…"
	}
	return fmt.Sprintf("ndjson: line %d: %v: %q%s", e.Line, e.Err, text, more)
}

// Unwrap returns Err.
func (e *BadLine) Unwrap() error { return e.Err }

// A Reader reads one JSON text a line. It is for one goroutine.
type Reader struct {
	src  io.Reader
	max  int
	buf  []byte // buf[from:to] is read and not yet given out
	from int
	to   int
	seen int   // how much of buf[from:to] holds no line feed
	line int   // lines given out or skipped
	skip bool  // the rest of a line that is too long is thrown away
	err  error // what src ended with
}

// NewReader returns a Reader of src. A line may be maxLine bytes long, its end
// not counted; zero or less means DefaultMaxLine. The reader's buffer grows with
// the longest line it has met and never beyond that bound.
func NewReader(src io.Reader, maxLine int) *Reader {
	if maxLine <= 0 {
		maxLine = DefaultMaxLine
	}
	return &Reader{src: src, max: maxLine}
}

// Next returns the next JSON text, without white space around it. The slice is
// valid until the next call.
//
// Lines end with LF or CRLF, and a byte order mark before the first one is
// dropped. Empty lines are skipped. The last line needs no line
// end when the source ends cleanly.
//
// The error is a *BadLine when this line is not one JSON text; reading goes
// on after it. Every other error ends the reader: io.EOF at a clean end, or the
// source's own error, and then a line it has cut is not given out.
func (r *Reader) Next() ([]byte, error) {
	for {
		line, err := r.next()
		if err != nil {
			return nil, err
		}
		if r.line == 1 {
			line = bytes.TrimPrefix(line, []byte("\xEF\xBB\xBF"))
		}
		line = bytes.Trim(line, " \t\r")
		if len(line) == 0 {
			continue
		}
		if !json.Valid(line) {
			return nil, r.bad(line, syntaxError(line))
		}
		return line, nil
	}
}

// next returns the bytes up to the next line feed, or to a clean end.
func (r *Reader) next() ([]byte, error) {
	for {
		fresh := r.buf[r.from+r.seen : r.to]
		if i := bytes.IndexByte(fresh, '\n'); i >= 0 {
			line := r.take(r.seen+i, 1)
			if r.skip {
				r.skip = false
				continue
			}
			return r.checked(line)
		}
		r.seen = r.to - r.from
		if r.skip {
			r.from, r.to, r.seen = 0, 0, 0
		} else if r.seen > r.max+1 { // one more: it may be the CR of the line's end
			return nil, r.tooLong()
		}
		if r.err != nil {
			if errors.Is(r.err, io.EOF) && r.seen > 0 {
				return r.checked(r.take(r.seen, 0))
			}
			return nil, r.err
		}
		r.fill()
	}
}

// take returns the n bytes of the line and drops the end bytes after it.
func (r *Reader) take(n, end int) []byte {
	line := r.buf[r.from : r.from+n]
	r.from += n + end
	r.seen = 0
	if !r.skip {
		r.line++
	}
	return line
}

// checked returns the line when it is short enough without its CR.
func (r *Reader) checked(line []byte) ([]byte, error) {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if len(line) > r.max {
		return nil, r.bad(line[:r.max], ErrTooLong)
	}
	return line, nil
}

// tooLong gives up the line that has begun and skips the rest of it.
func (r *Reader) tooLong() error {
	r.line++
	r.skip = true
	err := r.bad(r.buf[r.from:r.from+r.max], ErrTooLong)
	r.from, r.to, r.seen = 0, 0, 0
	return err
}

func (r *Reader) bad(text []byte, err error) error {
	return &BadLine{Line: r.line, Text: string(text), Err: err}
}

// fill reads once more, and makes room for that before.
func (r *Reader) fill() {
	if r.from > 0 {
		copy(r.buf, r.buf[r.from:r.to])
		r.from, r.to = 0, r.to-r.from
	}
	if r.to == len(r.buf) {
		// Two bytes above the limit: a line's CRLF.
		grown := make([]byte, min(max(4096, 2*len(r.buf)), r.max+2))
		copy(grown, r.buf[:r.to])
		r.buf = grown
	}
	for range 100 {
		n, err := r.src.Read(r.buf[r.to:])
		r.to += n
		r.err = err
		if n > 0 || err != nil {
			return
		}
	}
	r.err = io.ErrNoProgress
}

// syntaxError says why the text is not JSON.
func syntaxError(text []byte) error {
	var raw json.RawMessage
	return json.Unmarshal(text, &raw)
}
