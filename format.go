package leat

import (
	"encoding/json"
	"strconv"
	"strings"
	"sync"

	"github.com/leat-dev/leat/internal/wire/ndjson"
	"github.com/leat-dev/leat/internal/wire/sse"
)

// A format is how records look on the wire. Its functions append to b.
type format struct {
	contentType string
	value       func(b *scratch, v any) error
	event       func(b *scratch, e Event) error
	comment     func(b *scratch, text string)
}

var ndjsonFormat = format{
	contentType: "application/x-ndjson",
	value: func(b *scratch, v any) error {
		return b.json(v) // an encoder writes one line whatever v holds, and ends it
	},
	event: func(b *scratch, e Event) error {
		// What SSE would refuse is refused here too: a handler's events go over
		// either.
		if _, err := sse.Append(nil, sse.Event{ID: e.ID, Name: e.Name}); err != nil {
			return err
		}
		return b.json(eventRecord{e.ID, e.Name, e.value()})
	},
	comment: func(b *scratch, _ string) { b.buf = ndjson.AppendHeartbeat(b.buf) },
}

var sseFormat = format{
	contentType: "text/event-stream",
	value: func(b *scratch, v any) error {
		b.buf = append(b.buf, "data: "...)
		if err := b.json(v); err != nil {
			return err
		}
		b.buf = append(b.buf, '\n')
		return nil
	},
	event: func(b *scratch, e Event) error {
		data, err := e.bytes()
		if err != nil {
			return err
		}
		out := sse.Event{ID: e.ID, Name: e.Name, Data: data, Retry: int(e.Retry.Milliseconds())}
		b.buf, err = sse.Append(b.buf, out)
		return err
	},
	comment: func(b *scratch, text string) {
		if text == "" {
			b.buf = sse.AppendHeartbeat(b.buf)
			return
		}
		b.buf = sse.AppendComment(b.buf, text)
	},
}

// eventRecord is an Event in NDJSON.
type eventRecord struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"event,omitempty"`
	Data any    `json:"data"`
}

// preferred is the format that an Accept header asks for (RFC 9110, 12.5.1):
// SSE where it is named with a weight above NDJSON's, else NDJSON.
func preferred(accept []string) *format {
	weight := func(name string) float64 {
		best := 0.0
		for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
			media, params, _ := strings.Cut(part, ";")
			if !strings.EqualFold(strings.TrimSpace(media), name) {
				continue
			}
			q := 1.0
			for param := range strings.SplitSeq(params, ";") {
				key, value, _ := strings.Cut(strings.TrimSpace(param), "=")
				if n, err := strconv.ParseFloat(value, 64); err == nil && strings.EqualFold(key, "q") {
					q = n
				}
			}
			best = max(best, q)
		}
		return best
	}
	if weight(sseFormat.contentType) > weight(ndjsonFormat.contentType) {
		return &sseFormat
	}
	return &ndjsonFormat
}

// A scratch is where a record is made, with room before it for the size of its
// chunk.
type scratch struct {
	buf  []byte
	enc  *json.Encoder
	lost bool // a write of it failed: somebody may still read it
}

const (
	chunkRoom   = 18      // 16 hexadecimal digits, CR, LF
	scratchMost = 1 << 16 // larger ones are left to the collector
)

var scratches = sync.Pool{New: func() any {
	b := &scratch{buf: make([]byte, chunkRoom, 1<<10)}
	b.enc = json.NewEncoder(b)
	b.enc.SetEscapeHTML(false)
	return b
}}

func getScratch() *scratch {
	b := scratches.Get().(*scratch)
	b.buf = b.buf[:chunkRoom]
	return b
}

func (b *scratch) free() {
	if cap(b.buf) <= scratchMost && !b.lost {
		scratches.Put(b)
	}
}

// Write is for the encoder.
func (b *scratch) Write(p []byte) (int, error) {
	b.buf = append(b.buf, p...)
	return len(p), nil
}

// json appends v as one line.
func (b *scratch) json(v any) error { return b.enc.Encode(v) }

// payload is the record.
func (b *scratch) payload() []byte { return b.buf[chunkRoom:] }

// framed is the record as it goes onto a connection: a chunk, where the body is
// chunked (RFC 9112, 7.1).
func (b *scratch) framed(chunked bool) []byte {
	if !chunked {
		return b.payload()
	}
	var digits [16]byte
	size := strconv.AppendInt(digits[:0], int64(len(b.buf)-chunkRoom), 16)
	start := chunkRoom - 2 - len(size)
	copy(b.buf[start:], size)
	copy(b.buf[chunkRoom-2:], "\r\n")
	b.buf = append(b.buf, "\r\n"...)
	return b.buf[start:]
}
