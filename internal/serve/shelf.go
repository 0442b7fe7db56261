package serve

import (
	"hash/maphash"
	"sync/atomic"
)

// A Shelf keeps values that are to be shared by who comes with their equal. It
// keeps a few, and forgets one for another. The zero Shelf is empty.
type Shelf[T comparable] struct{ kept [16]atomic.Pointer[T] }

var seed = maphash.MakeSeed()

func (s *Shelf[T]) place(v T) *atomic.Pointer[T] {
	return &s.kept[maphash.Comparable(seed, v)%uint64(len(s.kept))]
}

// Find answers the kept value that equals v, which nobody may change; nil for
// none.
func (s *Shelf[T]) Find(v T) *T {
	if kept := s.place(v).Load(); kept != nil && *kept == v {
		return kept
	}
	return nil
}

// Share answers a value that equals v, which nobody may change.
func (s *Shelf[T]) Share(v T) *T {
	if kept := s.Find(v); kept != nil {
		return kept
	}
	s.place(v).Store(&v)
	return &v
}
