// Package buffer lends memory by size, so that what is large is used again and
// held only while it is in use.
package buffer

import (
	"math/bits"
	"sync"
)

// A Buffer is lent memory, or shared. Its bytes may be appended to; what grows
// beyond the memory that was lent is lent in its place.
type Buffer struct {
	B      []byte
	shared bool
}

// Shared is a buffer of bytes that others read, too: they are never written to,
// nor lent to anybody when it is freed. What grows is lent in its place.
func Shared(b []byte) *Buffer { return &Buffer{b[:len(b):len(b)], true} }

// There is a pool for each power of two from 4 KiB to 4 MiB. What it lends is
// larger by an eighth, so that a message of such a size has room for its header.
const (
	leastBits = 12
	pools     = 11
)

var lent [pools]sync.Pool

// size is how large the buffers of a pool are.
func size(pool int) int { return 9 << (leastBits - 3 + pool) }

// poolFor is the pool whose buffers have room for n bytes; none has from pools on.
func poolFor(n int) int {
	eighths := (n + 8) / 9 // rounded up: 8 of them are the power of two
	return max(0, bits.Len(uint(eighths-1))-(leastBits-3))
}

// Get lends a buffer that is empty and has room for n bytes.
func Get(n int) *Buffer {
	pool := poolFor(max(n, 1))
	if pool >= pools {
		return &Buffer{B: make([]byte, 0, n)}
	}
	if b, ok := lent[pool].Get().(*Buffer); ok {
		return b
	}
	return &Buffer{B: make([]byte, 0, size(pool))}
}

// Free gives the buffer back, which may be nil. Nobody may use its bytes any
// more, but those of shared memory. Memory of more than 4 MiB is left to the collector.
func (b *Buffer) Free() {
	if b == nil || b.shared || cap(b.B) < size(0) || cap(b.B) > size(pools-1) {
		return
	}
	pool := poolFor(cap(b.B))
	if size(pool) > cap(b.B) { // append has made it
		pool--
	}
	b.B = b.B[:0]
	lent[pool].Put(b)
}

// Grow answers a buffer with the same bytes and room for n more: b, or another
// one, for which b has been given back. A nil b is an empty one.
func (b *Buffer) Grow(n int) *Buffer {
	if b == nil {
		return Get(n)
	}
	if cap(b.B)-len(b.B) >= n {
		return b
	}
	larger := Get(len(b.B) + n)
	larger.B = append(larger.B, b.B...)
	b.Free()
	return larger
}

// Append answers a buffer with the pieces behind the bytes of b, as Grow does.
func (b *Buffer) Append(pieces ...[]byte) *Buffer {
	n := 0
	for _, p := range pieces {
		n += len(p)
	}
	b = b.Grow(n)
	for _, p := range pieces {
		b.B = append(b.B, p...)
	}
	return b
}
