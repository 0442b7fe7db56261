package sse

import (
	"bytes"
	"errors"
	"io"
	"math"
)

// DefaultMaxEvent is how long an event may be when NewReader is told nothing.
const DefaultMaxEvent = 1 << 20

// ErrTooLong is what Next returns for an event that is longer than the reader
// allows. The reader has left it behind: call Next again for the event after it.
var ErrTooLong = errors.New("sse: event is too long")

// A Reader reads events as the HTML standard, 9.2.6, tells a browser to. Unlike
// a browser it passes on bytes that are not UTF-8 as they are. It is for one
// goroutine.
type Reader struct {
	src  io.Reader
	max  int
	buf  []byte // buf[from:to] is read and not yet parsed
	from int
	to   int
	seen int   // how much of buf[from:to] holds no line end
	err  error // what src ended with

	begun  bool // the first line is behind us
	skipLF bool // the last line ended with CR: an LF that follows belongs to it
	cut    bool // the rest of a line that is too long is thrown away

	event   Event  // under way; its ID is the last one seen
	data    []byte // every data line with an LF behind it
	name    string // the last one given, so that a usual one is made once
	size    int    // bytes of the event's lines
	dropped bool   // the event under way is too long

	lastID string
	retry  int // of the stream, -1 before the first
}

// NewReader returns a Reader of src. The lines of one event may be maxEvent
// bytes long together; comments do not count, but a single one may be no longer
// either. Zero or less means DefaultMaxEvent.
func NewReader(src io.Reader, maxEvent int) *Reader {
	if maxEvent <= 0 {
		maxEvent = DefaultMaxEvent
	}
	return &Reader{src: src, max: maxEvent, retry: -1}
}

// LastEventID returns what a reader that comes back sends as Last-Event-ID: the
// id of the last event, or one that came later without data.
func (r *Reader) LastEventID() string { return r.lastID }

// Retry returns the last retry time of the stream in milliseconds, and whether
// there was one.
func (r *Reader) Retry() (ms int, ok bool) { return max(r.retry, 0), r.retry >= 0 }

// Next returns the next event that a browser would dispatch. Its ID is the last
// one set in the stream, by this event or before; its Retry is this event's
// own. Retry times above 2^31-1 milliseconds, 24 days, count as that. Data is
// valid until the next call.
//
// ErrTooLong concerns one event, of which nothing is kept; reading goes on after
// it. Every other error ends the reader: io.EOF at a clean end, or the
// source's own. An event that no empty line has ended is not given out.
func (r *Reader) Next() (Event, error) {
	for {
		line, err := r.line()
		if err == nil && len(line) > 0 {
			err = r.take(line)
		}
		if err != nil {
			return Event{}, err
		}
		if len(line) > 0 {
			continue
		}
		if e, ok := r.dispatch(); ok {
			return e, nil
		}
	}
}

// line returns the next line without its end.
func (r *Reader) line() ([]byte, error) {
	for {
		if r.skipLF && r.from < r.to {
			r.skipLF = false
			if r.buf[r.from] == '\n' {
				r.from++
			}
		}
		if line, ok := r.whole(); ok {
			if !r.cut {
				return r.unmarked(line), nil
			}
			r.cut = false // this was the rest of it
			continue
		}
		r.seen = r.to - r.from
		if r.cut || r.seen > r.max {
			r.from, r.to, r.seen = 0, 0, 0
			r.begun, r.cut = true, true
			if err := r.drop(); err != nil {
				return nil, err
			}
		}
		if r.err != nil {
			return nil, r.err
		}
		r.fill()
	}
}

// whole takes a line out of the buffer if its end has been read.
func (r *Reader) whole() ([]byte, bool) {
	for i, c := range r.buf[r.from+r.seen : r.to] {
		if c == '\n' || c == '\r' {
			line := r.buf[r.from : r.from+r.seen+i]
			r.from += len(line) + 1
			r.seen = 0
			r.skipLF = c == '\r'
			return line, true
		}
	}
	return nil, false
}

// unmarked returns the line, the stream's first one without a byte order mark.
func (r *Reader) unmarked(line []byte) []byte {
	if r.begun {
		return line
	}
	r.begun = true
	return bytes.TrimPrefix(line, []byte("\xEF\xBB\xBF"))
}

// take works on a line that is not empty.
func (r *Reader) take(line []byte) error {
	if line[0] == ':' {
		return nil
	}
	r.size += len(line)
	if r.size > r.max {
		return r.drop()
	}
	field, value, _ := bytes.Cut(line, []byte{':'})
	value = bytes.TrimPrefix(value, []byte{' '})
	switch string(field) {
	case "data":
		r.data = append(append(r.data, value...), '\n')
	case "event":
		if string(value) != r.name {
			r.name = string(value)
		}
		r.event.Name = r.name
	case "id":
		if bytes.IndexByte(value, 0) < 0 && string(value) != r.event.ID {
			r.event.ID = string(value)
		}
	case "retry":
		if ms, ok := digits(value); ok {
			r.event.Retry, r.retry = ms, ms
		}
	}
	return nil
}

// drop gives up the event under way. It is ErrTooLong once for each event.
func (r *Reader) drop() error {
	if r.dropped {
		return nil
	}
	r.dropped = true
	return ErrTooLong
}

// dispatch ends the event under way and returns it if it had data.
func (r *Reader) dispatch() (Event, bool) {
	e, dispatched := r.event, len(r.data) > 0 && !r.dropped
	if r.dropped {
		e.ID = r.lastID
	}
	if dispatched {
		e.Data = r.data[:len(r.data)-1]
	}
	r.lastID = e.ID
	r.event = Event{ID: e.ID}
	r.data = r.data[:0]
	r.size = 0
	r.dropped = false
	return e, dispatched
}

// fill reads once more, and makes room for that before.
func (r *Reader) fill() {
	if r.from > 0 {
		copy(r.buf, r.buf[r.from:r.to])
		r.from, r.to = 0, r.to-r.from
	}
	if r.to == len(r.buf) {
		grown := make([]byte, min(max(4096, 2*len(r.buf)), r.max+1))
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

// digits reads a number of ASCII digits only.
func digits(text []byte) (ms int, ok bool) {
	var n int64
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), math.MaxInt32)
	}
	return int(n), len(text) > 0
}
