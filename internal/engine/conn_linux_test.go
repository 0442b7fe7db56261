//go:build amd64 || arm64

package engine

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
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

// A quiet handler tells its end.
type quiet struct{ closed chan error }

func (q *quiet) Into() []byte                    { return nil }
func (q *quiet) Data(Conn, []byte)               {}
func (q *quiet) Hangup(Conn)                     {}
func (q *quiet) Wrote(Conn, int, int)            {}
func (q *quiet) Alarm(Conn)                      {}
func (q *quiet) Ahead(_ Conn, dst []byte) []byte { return dst }
func (q *quiet) Ending(Conn, error)              {}
func (q *quiet) Closed(_ Conn, reason error)     { q.closed <- reason }

// A connection that the system does not let the loop watch ends, with all that is
// asked of it.
func TestAConnectionThatCannotBeTakenInEnds(t *testing.T) {
	l := &loop{e: NewLoops(1, nil)}
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	q := &quiet{make(chan error, 2)}
	c := &conn{h: q, o: &Options{Budget: 100}, fd: int32(fds[0])}
	c.loop.Store(l)
	why := errors.New("why")
	c.fails(why)
	c.SetAlarm(time.Now().Add(time.Hour))
	c.Call(func(Conn) { t.Error("a call") })
	c.Urge()
	c.Flush()
	c.End([]byte("last"), nil)
	c.Abort(nil)
	if err := c.Send([]byte("x")); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if got := <-q.closed; got != why { //nolint:errorlint // the very one
		t.Error(got)
	}
	if n, err := syscall.Read(fds[1], make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("it is not closed: %d, %v", n, err)
	}
	_ = syscall.Close(fds[1]) // it has been read to its end
	if _, any := l.wheel.next(); any {
		t.Error("its alarm is left in the loop")
	}
}

func overTCP(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = a.Close() // the test may have closed it
		_ = b.Close() // the engine may have closed it
	})
	return b.(*net.TCPConn), a.(*net.TCPConn)
}

// Stall has its deadline looked at by the loop, and set by whoever writes.
func TestAStallIsSetByWhoeverWrites(t *testing.T) {
	e := NewLoops(1, nil)
	defer e.Close()
	near, far := overTCP(t)
	if err := errors.Join(near.SetWriteBuffer(16<<10), far.SetReadBuffer(16<<10)); err != nil {
		t.Fatal(err)
	}
	c := e.Adopt(near, nil, &quiet{make(chan error, 1)}, &Options{Budget: 64 << 20, Stall: 5 * time.Millisecond})
	var wg sync.WaitGroup
	wg.Go(func() {
		for b := make([]byte, 64<<10); ; {
			if _, err := far.Read(b); err != nil {
				return
			}
		}
	})
	for range 300 {
		if c.Send(make([]byte, 100<<10)) != nil { // it may stall, on a busy machine
			break
		}
		c.Flush()
	}
	c.Abort(nil)
	wg.Wait()
}
