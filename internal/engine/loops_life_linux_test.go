//go:build amd64 || arm64

package engine_test

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/engine"
)

// descriptors is how many this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// engineGoroutines are those that run something of the engine.
func engineGoroutines() string {
	b := make([]byte, 4<<20)
	b = b[:runtime.Stack(b, true)]
	var of []string
	for g := range strings.SplitSeq(string(b), "\n\n") {
		if strings.Contains(g, "internal/engine.") {
			of = append(of, g)
		}
	}
	return strings.Join(of, "\n\n")
}

// nothingLeft waits until there are no more descriptors than before, and no
// goroutine of the engine. It is for tests that run alone.
func nothingLeft(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; <-time.After(10 * time.Millisecond) {
		n, goroutines := descriptors(t), engineGoroutines()
		if n <= before && goroutines == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors, %d before; goroutines:\n%s", n, before, goroutines)
		}
	}
}

// echoes sees to it that a new connection is served, and ends it.
func echoes(t *testing.T, e engine.Engine, near, far net.Conn) {
	t.Helper()
	closed := make(chan struct{})
	c := e.Adopt(near, nil, &script{
		data:   func(c engine.Conn, b []byte) { _ = c.Send(b) }, // the read below sees whether it was taken
		closed: func(engine.Conn, error) { close(closed) },
	}, &engine.Options{Budget: 100})
	write(t, far, "hello")
	if got := readFull(t, far, 5); got != "hello" {
		t.Errorf("%q", got)
	}
	_ = far.Close() // it has been read
	c.Abort(nil)
	await(t, "Closed", closed)
}

func TestALoopWithoutConnectionsEndsAndStartsAgain(t *testing.T) {
	before := descriptors(t)
	e := engine.NewLoops(2, nil)
	for range 2 {
		for range 4 {
			near, far := pair(t)
			echoes(t, e, near, far)
		}
		nothingLeft(t, before)
	}
}

// A loop ends a second after its last connection: just when another one comes.
func TestConnectionsThatComeWhileALoopEndsAreServed(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			e := engine.NewLoops(1, nil)
			near, far := pair(t)
			echoes(t, e, near, far)
			near, far = pair(t)
			<-time.After(985*time.Millisecond + time.Duration(i)*500*time.Microsecond)
			echoes(t, e, near, far)
		})
	}
	wg.Wait()
}

func TestAConnectionIsKeptWhereNoDescriptorIsLeft(t *testing.T) {
	before := descriptors(t)
	e := engine.NewLoops(1, nil)
	near, far := pair(t)
	another, its := pair(t)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	none := was
	none.Cur = 0
	restore := func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
			t.Error(err)
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	func() {
		defer restore()
		echoes(t, e, near, far)
	}()
	if n := e.Counts().Polls; n != 0 {
		t.Errorf("%d polls of a loop without descriptor", n)
	}
	echoes(t, e, another, its)
	if e.Counts().Reads == 0 {
		t.Error("it is not kept by events once there are descriptors")
	}
	_ = near.Close()    // the engine has closed it
	_ = another.Close() // as above
	nothingLeft(t, before)
}

func TestALoopThatGetsNoConnectionEnds(t *testing.T) {
	before := descriptors(t)
	e := engine.NewLoops(1, nil)
	near, _ := pair(t)
	_ = near.Close() // before it is taken over
	closed := make(chan error, 1)
	c := e.Adopt(near, nil, &script{closed: func(_ engine.Conn, reason error) { closed <- reason }}, &engine.Options{Budget: 100})
	if err := await(t, "Closed", closed); err == nil {
		t.Error("a closed connection has ended in order")
	}
	c.Abort(nil)
	nothingLeft(t, before+1) // the far end
}

func TestAnEngineThatIsClosedLeavesNothing(t *testing.T) {
	before := descriptors(t)
	e := engine.NewLoops(2, nil)
	const each = 10
	var closes atomic.Int64
	leave := make(chan struct{})
	closed := func(engine.Conn, error) { closes.Add(1) }
	var fars []net.Conn
	adopt := func(s *script) engine.Conn {
		s.closed = closed
		near, far := pair(t)
		fars = append(fars, far)
		return e.Adopt(near, nil, s, &engine.Options{Budget: 32 << 20})
	}
	for range each {
		adopt(&script{}).SetAlarm(time.Now().Add(time.Hour))
		if err := adopt(&script{}).Send(make([]byte, 24<<20)); err != nil { // it takes nothing
			t.Error(err)
		}
		adopt(&script{}).End([]byte("last"), nil) // it waits for its peer
		running := make(chan struct{})
		adopt(&script{}).Call(func(engine.Conn) {
			close(running)
			<-leave
		})
		await(t, "the call", running)
	}
	e.Close()
	for _, far := range fars { // also of those whose callback runs still
		_ = far.SetReadDeadline(time.Now().Add(patience)) // a socket takes deadlines
		if _, err := io.Copy(io.Discard, far); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
		_ = far.Close() // it has been read
	}
	close(leave)
	for deadline := time.Now().Add(patience); closes.Load() < int64(len(fars)); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("Closed came %d times of %d", closes.Load(), len(fars))
		}
	}
	nothingLeft(t, before)
}
