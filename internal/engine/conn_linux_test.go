//go:build amd64 || arm64

package engine

import (
	"testing"
	"unsafe"
)

func TestAnIdleConnectionIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(conn{}); size > 160 {
		t.Errorf("%d bytes", size)
	}
}

func TestAnInboxThatIsNeverEmptyDoesNotGrow(t *testing.T) {
	l := &loop{}
	l.inbox.awake.Store(true)
	a, b := &conn{}, &conn{}
	l.post(a)
	l.post(b)
	for range 1 << 16 {
		for _, want := range []*conn{a, b} {
			if got := l.inbox.take(); got != want {
				t.Fatal("out of order")
			}
			l.post(want)
		}
	}
	if n := cap(l.inbox.conns); n > 16 {
		t.Errorf("room for %d", n)
	}
}
