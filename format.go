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

// The media types of records.
const (
	typeNDJSON = "application/x-ndjson"
	typeSSE    = "text/event-stream"
	typeJSON   = "application/json" // an array of them
)

// A format is how records look on the wire. Its functions append to b.
type format struct {
	contentType string
	value       func(b *scratch, v any) error
	event       func(b *scratch, e Event) error
	comment     func(b *scratch, text string)
}

var ndjsonFormat = format{
	contentType: typeNDJSON,
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
	contentType: typeSSE,
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

// preferred is the format that an Accept header asks for: NDJSON where it asks for
// neither.
func preferred(accept []string) *format {
	if accepted(accept, []string{typeNDJSON, typeSSE}) == typeSSE {
		return &sseFormat
	}
	return &ndjsonFormat
}

// accepted is the type, of those that are offered, that an Accept header asks for
// (RFC 9110, 12.5.1): of those with the highest weight the one that is named most
// closely, and of these the first; "" where it accepts none. Without the header all
// are accepted.
func accepted(lines, offered []string) string {
	accept := strings.Join(lines, ",")
	if strings.Trim(accept, ", \t") == "" {
		return offered[0]
	}
	best, weight, rank := "", 0.0, 0
	for _, name := range offered {
		if q, r := weightOf(accept, name); q > weight || q == weight && r > rank && q > 0 {
			best, weight, rank = name, q, r
		}
	}
	return best
}

// weightOf is the weight that the most specific range of an Accept header gives a
// type, and how specific that is. Parameters of a range but its weight say nothing:
// no type here has any.
func weightOf(accept, name string) (weight float64, specific int) {
	for part := range strings.SplitSeq(accept, ",") {
		media, params, _ := strings.Cut(part, ";")
		rank := rankOf(strings.TrimSpace(media), name)
		switch q := qualityOf(params); {
		case rank > specific:
			weight, specific = q, rank
		case rank == specific && rank > 0: // a range that stands there twice
			weight = max(weight, q)
		}
	}
	return weight, specific
}

// rankOf is how specific a media range is for a type; 0: it does not have it.
func rankOf(media, name string) int {
	kind, _, _ := strings.Cut(name, "/")
	switch {
	case strings.EqualFold(media, name), name == typeNDJSON && strings.EqualFold(media, "application/ndjson"):
		return 3
	case strings.EqualFold(media, kind+"/*"):
		return 2
	case media == "*/*":
		return 1
	}
	return 0
}

// qualityOf is the weight among the parameters of a media range (RFC 9110, 12.4.2).
func qualityOf(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if q, err := strconv.ParseFloat(value, 64); err == nil && strings.EqualFold(key, "q") && q >= 0 && q <= 1 {
			return q
		}
	}
	return 1
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
