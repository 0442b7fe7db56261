package leat

import (
	"testing"
	"unsafe"
)

// A size is that of a class of the allocator: one more byte costs 16.
func TestWhatAConnectionKeepsIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Socket{}); n > 224 {
		t.Errorf("a Socket has %d bytes", n)
	}
	if n := unsafe.Sizeof(Stream{}); n > 192 {
		t.Errorf("a Stream has %d bytes", n)
	}
	if n := unsafe.Sizeof(annex{}); n > 96 {
		t.Errorf("an annex has %d bytes", n)
	}
}
