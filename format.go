package leat

import (
	"encoding/json"
	"slices"
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
	all := strings.Join(accept, ",")
	if named(all, sseFormat.contentType) > named(all, ndjsonFormat.contentType) {
		return &sseFormat
	}
	return &ndjsonFormat
}

// named is the weight that an Accept header gives a type by its name.
func named(accept, name string) float64 {
	best := 0.0
	for part := range strings.SplitSeq(accept, ",") {
		media, params, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(media), name) {
			best = max(best, qualityOf(params))
		}
	}
	return best
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
// chunked.
func (b *scratch) framed(asChunk bool) []byte {
	if !asChunk {
		return b.payload()
	}
	b.buf = slices.Grow(b.buf, len("\r\n"))
	return chunked(b.buf)
}

// chunked makes a chunk (RFC 9112, 7.1) of what stands behind chunkRoom.
func chunked(b []byte) []byte {
	var digits [16]byte
	size := strconv.AppendInt(digits[:0], int64(len(b)-chunkRoom), 16)
	start := chunkRoom - 2 - len(size)
	copy(b[start:], size)
	copy(b[chunkRoom-2:], "\r\n")
	return append(b, "\r\n"...)[start:]
}
