package engine

import "sync"

// Buffers come and go with the bytes that wait: an idle connection holds none.
// Large ones are left to the collector.
const (
	bufferSize = 4 << 10
	bufferMost = 64 << 10
)

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, bufferSize); return &b }}

func getBuffer() []byte { return (*buffers.Get().(*[]byte))[:0] }

func putBuffer(b []byte) {
	if cap(b) >= bufferSize && cap(b) <= bufferMost {
		buffers.Put(&b)
	}
}
