package leat

import (
	"encoding/json"
	"errors"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/leat-dev/leat/internal/wire/ndjson"
	"github.com/leat-dev/leat/internal/wire/sse"
)

// An Event is a Server-Sent Event (the HTML standard, 9.2).
type Event struct {
	ID   string // what a reader that comes back gives as its Last-Event-ID; "" leaves it
	Name string // the type that listeners are added for; "" is "message"
	// Data is sent as text when it is a string or a []byte, and as JSON when
	// it is anything else. ReadEvents gives a string.
	Data  any
	Retry time.Duration // how long a reader waits before it comes back, in whole milliseconds; 0 leaves it
}

// Text is the event's data when it is text, else "".
func (e Event) Text() string {
	switch data := e.Data.(type) {
	case string:
		return data
	case []byte:
		return string(data)
	}
	return ""
}

// value is the data as it stands in a JSON record.
func (e Event) value() any {
	if text, ok := e.Data.([]byte); ok {
		return string(text)
	}
	return e.Data
}

// bytes is the data as it stands in an SSE record.
func (e Event) bytes() ([]byte, error) {
	switch data := e.Data.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(data), nil
	case []byte:
		return data, nil
	}
	return json.Marshal(e.Data)
}

// ReadEvents gives the events that r holds, as the HTML standard reads them;
// the id of each is the last that came. It ends without an error where r ends,
// and with r's error otherwise. An event that is too long, over 1 MiB, is an
// error after which the next one follows.
func ReadEvents(r io.Reader) iter.Seq2[Event, error] {
	in := sse.NewReader(r, 0)
	return func(yield func(Event, error) bool) {
		for {
			e, err := in.Next()
			switch {
			case err == nil:
				if !yield(Event{ID: e.ID, Name: e.Name, Data: string(e.Data), Retry: time.Duration(e.Retry) * time.Millisecond}, nil) {
					return
				}
			case errors.Is(err, io.EOF):
				return
			default:
				if !yield(Event{}, err) || !errors.Is(err, sse.ErrTooLong) {
					return
				}
			}
		}
	}
}

// ReadRecords gives the JSON values that r holds, one a line; a value is the
// receiver's. Empty lines are heartbeats and are skipped. A line that is not
// JSON, or over 1 MiB, is an error after which the next line follows; it ends
// without an error where r ends, and with r's error otherwise.
func ReadRecords(r io.Reader) iter.Seq2[json.RawMessage, error] {
	in := ndjson.NewReader(r, 0)
	return func(yield func(json.RawMessage, error) bool) {
		for {
			line, err := in.Next()
			var bad *ndjson.BadLine
			switch {
			case err == nil:
				if !yield(slices.Clone(line), nil) {
					return
				}
			case errors.Is(err, io.EOF) && !errors.As(err, &bad):
				return
			default:
				if !yield(nil, err) || !errors.As(err, &bad) {
					return
				}
			}
		}
	}
}
