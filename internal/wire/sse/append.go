// Package sse turns Server-Sent Events into bytes and bytes back into events,
// as the HTML standard's section 9.2 defines them.
package sse

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
)

// An Event is one Server-Sent Event.
type Event struct {
	// ID is what a reader sends as Last-Event-ID when it comes back. Empty: the
	// reader keeps the one it has.
	ID string
	// Name is the event's type. Empty means "message".
	Name string
	// Data may be of any bytes; its line ends (CR, LF, CRLF) arrive as LF.
	Data []byte
	// Retry is how many milliseconds a reader waits before it comes back. Zero:
	// the reader keeps what it has.
	Retry int
}

// A FieldError says which field of an event cannot be sent, and why.
type FieldError struct {
	Field   string // "id", "event" or "retry", as on the wire
	Value   string
	Problem string
}

// Error names the field, its value and what would be right.
func (e *FieldError) Error() string {
	return fmt.Sprintf("sse: %s: %q %s", e.Field, e.Value, e.Problem)
}

// Append appends the event to dst and returns the longer slice. It always writes
// a data line, because readers do not dispatch an event without one, and it
// allocates only when dst is too small.
//
// An id or a name that holds CR, LF or NUL, or a negative retry, is a *FieldError, and dst
// comes back as it was: nothing that an event holds makes a second event.
func Append(dst []byte, e Event) ([]byte, error) {
	if err := check(e); err != nil {
		return dst, err
	}
	dst = slices.Grow(dst, len(e.ID)+len(e.Name)+len(e.Data)+64)
	dst = appendField(dst, "id", e.ID)
	dst = appendField(dst, "event", e.Name)
	dst = appendRetry(dst, e.Retry)
	dst = appendLines(dst, "data:", e.Data)
	return append(dst, '\n'), nil
}

// AppendSilent appends a record without data: a reader takes the id and the retry
// time, which may each be absent, and dispatches nothing.
func AppendSilent(dst []byte, id string, retry int) ([]byte, error) {
	if err := check(Event{ID: id, Retry: retry}); err != nil {
		return dst, err
	}
	dst = appendField(dst, "id", id)
	dst = appendRetry(dst, retry)
	return append(dst, '\n'), nil
}

// AppendComment appends text as comment lines, which readers drop, whatever
// line ends it holds.
func AppendComment(dst []byte, text string) []byte {
	dst = appendLines(dst, ":", []byte(text))
	return append(dst, '\n')
}

// AppendHeartbeat appends an empty comment.
func AppendHeartbeat(dst []byte) []byte {
	return append(dst, ":\n\n"...)
}

func check(e Event) error {
	if err := checkField("id", e.ID); err != nil {
		return err
	}
	if err := checkField("event", e.Name); err != nil {
		return err
	}
	if e.Retry < 0 {
		return &FieldError{"retry", strconv.Itoa(e.Retry), "is negative; write milliseconds, or 0 for none"}
	}
	return nil
}

// checkField refuses what would end the line, and the NUL for which readers
// ignore the whole id.
func checkField(field, value string) error {
	for i := range len(value) {
		var holds string
		switch value[i] {
		case '\n':
			holds = "a line feed"
		case '\r':
			holds = "a carriage return"
		case 0:
			holds = "a NUL"
		default:
			continue
		}
		return &FieldError{field, value, "holds " + holds + "; take it out, only data may have lines"}
	}
	return nil
}

func appendField(dst []byte, field, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, field...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, '\n')
}

func appendRetry(dst []byte, retry int) []byte {
	if retry == 0 {
		return dst
	}
	dst = append(dst, "retry: "...)
	dst = strconv.AppendInt(dst, int64(retry), 10)
	return append(dst, '\n')
}

// appendLines appends every line of text with the field in front. A space
// follows the colon, since readers take one away; an empty line has none.
func appendLines(dst []byte, field string, text []byte) []byte {
	ends := "\n"
	if bytes.IndexByte(text, '\r') >= 0 {
		ends = "\r\n"
	}
	for {
		i := bytes.IndexAny(text, ends)
		line := text
		if i >= 0 {
			line = text[:i]
		}
		dst = append(dst, field...)
		if len(line) > 0 {
			dst = append(dst, ' ')
			dst = append(dst, line...)
		}
		dst = append(dst, '\n')
		if i < 0 {
			return dst
		}
		if text[i] == '\r' && i+1 < len(text) && text[i+1] == '\n' {
			i++
		}
		text = text[i+1:]
	}
}
