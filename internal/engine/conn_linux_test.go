//go:build amd64 || arm64

package engine

import (
	"errors"
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

// With limits of a gigabyte each, as "unlimited" comes to, what waits is still
// counted.
func TestWhatWaitsIsBelowTwoGigabytes(t *testing.T) {
	c := &conn{o: &Options{Budget: 1 << 30, Most: 1<<30 + 1<<20}}
	if err := c.admit(1 << 30); err != nil {
		t.Error(err)
	}
	if err := c.admit(1<<30 + 1); !errors.Is(err, ErrFull) || c.waiting < 0 || c.fits(1<<30+1) {
		t.Errorf("%v, and %d bytes wait", err, c.waiting)
	}
	c.take(1 << 30)
	if err := c.admit(1<<30 + 1); err != nil {
		t.Error(err)
	}
	if err := c.admit(1 << 29); err != nil || c.waiting < 0 {
		t.Errorf("%v, and %d bytes wait", err, c.waiting)
	}
}
