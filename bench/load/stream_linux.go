package load

import (
	"bytes"
	"errors"
	"fmt"
)

// Kinds of connections.
const (
	WebSocket = "ws"
	SSE       = "sse"
	NDJSON    = "ndjson"
)

// A reader is the handler of a loop of readers of streams. Each must get the
// records 0, 1, 2 and so on, whole and in order, and no end.
type reader struct {
	loop   *loop
	lines  lines
	expect [][]byte // records that were made already
	total  int64    // records that came
}

var streamTypes = map[string]string{SSE: "text/event-stream", NDJSON: "application/x-ndjson"}

func newReader(kind, url string) (*reader, error) {
	t, err := parseTarget(url, "http")
	if err != nil {
		return nil, err
	}
	mime, ok := streamTypes[kind]
	if !ok {
		return nil, fmt.Errorf("kind %q: want %s or %s", kind, SSE, NDJSON)
	}
	h := &reader{}
	h.lines = lines{kind, h.record}
	h.loop, err = newLoop(t, h, getRequest(&t, "Accept: "+mime))
	return h, err
}

func (h *reader) opened(_ *conn, head []byte) error {
	return wantOK(head, map[string]string{"content-type": streamTypes[h.lines.kind], "transfer-encoding": "chunked"})
}

func (h *reader) ended(*conn) error { return errEnded }

func (h *reader) read(c *conn, b []byte) error {
	return c.chunks.feed(b, func(b []byte) error { return h.lines.feed(c, b) })
}

// lines are what streams are made of.
type lines struct {
	kind   string                    // SSE or NDJSON
	record func(*conn, []byte) error // gets a line of NDJSON, or the data of an event
}

// feed takes text and hands on whole lines.
func (h *lines) feed(c *conn, b []byte) error {
	for {
		line, rest, ok := bytes.Cut(b, []byte("\n"))
		if !ok {
			c.gathered = append(c.gathered, b...)
			if len(c.gathered) > maxHead {
				return errors.New("a line without an end")
			}
			return nil
		}
		if len(c.gathered) > 0 {
			line = append(c.gathered, line...)
			c.gathered = c.gathered[:0]
		}
		b = rest
		if err := h.line(c, line); err != nil {
			return err
		}
	}
}

// line takes a line of NDJSON, or one of an event (HTML standard, 9.2.6).
func (h *lines) line(c *conn, line []byte) error {
	if h.kind == NDJSON {
		if len(line) == 0 { // a heartbeat
			return nil
		}
		return h.record(c, line)
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	switch string(name) {
	case "data":
		if c.inEvent {
			return errors.New("an event of two lines of data")
		}
		c.inEvent = true
		c.event = append(c.event[:0], bytes.TrimPrefix(value, []byte(" "))...)
	case "id", "event", "retry":
	case "": // a comment, or the end of an event
		if len(line) > 0 || !c.inEvent {
			return nil
		}
		c.inEvent = false
		return h.record(c, c.event)
	default:
		return fmt.Errorf("a line %.80q in an event", line)
	}
	return nil
}

func (h *reader) record(c *conn, got []byte) error {
	for uint32(len(h.expect)) <= c.received {
		h.expect = append(h.expect, Record(uint32(len(h.expect))))
	}
	if want := h.expect[c.received]; !bytes.Equal(got, want) {
		return fmt.Errorf("record %d is %.200q, want %q", c.received, got, want)
	}
	c.received++
	h.total++
	return nil
}
