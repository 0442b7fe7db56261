package engine

import "sync"

// Buffers come and go with the bytes that wait: an idle connection holds none.
// Large ones are left to the collector.
const (
	bufferSize = 4 << 10
	bufferMost = 64 << 10
)

type buffer struct{ b []byte }

var buffers = sync.Pool{New: func() any { return &buffer{make([]byte, 0, bufferSize)} }}

func getBuffer() *buffer { return buffers.Get().(*buffer) }

// putBuffer takes a buffer back that nobody reads any more. It may be nil.
func putBuffer(b *buffer) {
	if b != nil && cap(b.b) >= bufferSize && cap(b.b) <= bufferMost {
		b.b = b.b[:0]
		buffers.Put(b)
	}
}

// bulkSize is what is read at once of a peer that sends much.
const bulkSize = 64 << 10

var bulks = sync.Pool{New: func() any { return new([bulkSize]byte) }}
