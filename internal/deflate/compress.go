package deflate

import (
	"sync"

	"github.com/klauspost/compress/flate"
)

// A Compressor compresses the messages of one direction of a connection, one
// after the other. It is for one goroutine.
type Compressor struct {
	context []byte // what the next message may refer to; at most maxContext
	bits    int8
	keep    bool
}

// maxContext is how much of a window a Compressor keeps from message to message.
// It is enough for messages that are alike; more would have to be read again
// for each of them.
const maxContext = 8 << 10

// NewCompressor returns a Compressor that keeps its context from message to
// message, or does not, and refers back no more than 2^bits bytes, for bits of
// 8 to 15.
func NewCompressor(context bool, bits int) Compressor {
	return Compressor{bits: windowBits(bits), keep: context}
}

// Append compresses a piece of a message and appends it to dst. The pieces of a
// message follow one another in its frames; last says that this is the last of
// them. payload must not be part of dst.
//
// What a Compressor with a context has compressed must be sent, in this order.
func (c *Compressor) Append(dst, payload []byte, last bool) []byte {
	dst = appendPiece(dst, payload, last, c.bits, c.context)
	if c.keep {
		c.remember(payload)
	}
	return dst
}

// Append compresses a piece of a message on its own, so that it may be sent to
// many: to everyone who takes a window of 2^bits bytes.
func Append(dst, payload []byte, last bool, bits int) []byte {
	return appendPiece(dst, payload, last, windowBits(bits), nil)
}

func (c *Compressor) remember(payload []byte) {
	most := min(maxContext, 1<<c.bits)
	if len(payload) >= most {
		c.context = append(c.context[:0], payload[len(payload)-most:]...)
		return
	}
	if over := len(c.context) + len(payload) - most; over > 0 {
		c.context = c.context[:copy(c.context, c.context[over:])]
	}
	c.context = append(c.context, payload...)
}

// shortPayload is up to where compressing without a table that lives on is
// cheaper; it also finds matches in payloads for which a flate.Writer looks for
// none.
const shortPayload = 1 << 10

// appendPiece compresses with sync flush, so that what it appends ends with the
// tail, which the last piece does without (RFC 7692, 7.2.1).
func appendPiece(dst, payload []byte, last bool, bits int8, context []byte) []byte {
	if len(payload) <= shortPayload && len(context)+len(payload) <= 1<<bits {
		s := sinks.Get().(*sink)
		s.b = dst
		_ = flate.StatelessDeflate(s, payload, false, context) // a sink takes everything
		dst, s.b = s.b, nil
		sinks.Put(s)
	} else {
		w := takeWriter(bits)
		w.b = dst
		w.compress(payload, context)
		dst, w.b = w.b, nil
		writers[bits].Put(w)
	}
	if last {
		dst = dst[:len(dst)-len(tail)]
	}
	return dst
}

// A sink appends what is written.
type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

// A writer compresses into its sink.
type writer struct {
	sink
	z *flate.Writer
}

var (
	sinks   = sync.Pool{New: func() any { return new(sink) }}
	writers [maxBits + 1]sync.Pool // by the bits of the window
)

func takeWriter(bits int8) *writer {
	if w, ok := writers[bits].Get().(*writer); ok {
		return w
	}
	// Neither refuses a window or a level that this package asks for.
	w := &writer{}
	if bits == maxBits {
		w.z, _ = flate.NewWriter(&w.sink, flate.BestSpeed)
	} else {
		w.z, _ = flate.NewWriterWindow(&w.sink, 1<<bits)
	}
	return w
}

func (w *writer) compress(payload, context []byte) {
	if len(context) > 0 {
		w.z.ResetDict(&w.sink, context)
		defer w.z.ResetDict(nil, nil) // keeps nobody's context in the pool
	} else {
		w.z.Reset(&w.sink)
	}
	_, _ = w.z.Write(payload) // a sink takes everything
	_ = w.z.Flush()
}
