package engine_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat/internal/engine"
	"github.com/leat-dev/leat/internal/engine/enginetest"
)

func TestTheGoroutineEngineKeepsTheContract(t *testing.T) {
	t.Parallel()
	enginetest.Test(t, engine.Goroutines{})
}

// A veil gives its engine links that are no sockets by their type.
type veil struct{ engine.Engine }

func (v veil) Adopt(l engine.Link, pending []byte, h engine.Handler, o *engine.Options) engine.Conn {
	if c, ok := l.(*net.TCPConn); ok {
		l = struct{ *net.TCPConn }{c}
	}
	return v.Engine.Adopt(l, pending, h, o)
}

func TestTheGoroutineEngineKeepsTheContractOnLinksOfAnyKind(t *testing.T) {
	t.Parallel()
	enginetest.Test(t, veil{engine.Goroutines{}})
}

// pair is a connection over loopback TCP.
func pair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	far, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = near.Close() // the engine may have closed it
		_ = far.Close()  // the test may have closed it
	})
	return near, far
}

// A handler has nothing to do but say what was written.
type handler struct{ wrote chan int }

func (h *handler) Into() []byte                           { return nil }
func (h *handler) Data(engine.Conn, []byte)               {}
func (h *handler) Hangup(engine.Conn)                     {}
func (h *handler) Alarm(engine.Conn)                      {}
func (h *handler) Ahead(_ engine.Conn, dst []byte) []byte { return dst }
func (h *handler) Closed(engine.Conn, error)              {}
func (h *handler) Ending(engine.Conn, error)              {}
func (h *handler) Wrote(_ engine.Conn, n, left int) {
	if left == 0 {
		h.wrote <- n
	}
}

func TestASendToAPeerThatReadsAllocatesNothing(t *testing.T) {
	near, far := pair(t)
	go func() { _, _ = io.Copy(io.Discard, far) }() // to its end
	h := &handler{wrote: make(chan int, 1)}
	c := engine.Goroutines{}.Adopt(near, nil, h, &engine.Options{Budget: 1 << 20, Stall: time.Minute})
	b := make([]byte, 1000)
	sends := func() {
		if err := c.Send(b); err != nil {
			t.Error(err)
		}
		<-h.wrote
	}
	if n := testing.AllocsPerRun(1000, sends); n > 0 && !engine.UnderRace {
		t.Errorf("%v allocations for each Send", n)
	}
	pass := func(c engine.Conn) { _ = c.Send(b) } // Wrote tells whether it was taken
	calls := func() {
		c.Call(pass)
		<-h.wrote
	}
	if n := testing.AllocsPerRun(1000, calls); n > 2 && !engine.UnderRace { // the list and its goroutine
		t.Errorf("%v allocations for each call that sends", n)
	}
	c.Abort(nil)
}

// A reader counts what comes.
type reader struct {
	handler
	wg *sync.WaitGroup
	n  int
}

func (r *reader) Data(_ engine.Conn, b []byte) {
	if r.n -= len(b); r.n == 0 {
		r.wg.Done()
	}
}

func TestASocketThatWaitsForBytesHoldsNoMemoryForThem(t *testing.T) {
	const conns, much = 100, 300 << 10
	held := func() uint64 {
		runtime.GC()
		runtime.GC() // what pools hold goes with the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var wg sync.WaitGroup
	var all []engine.Conn
	var fars []net.Conn
	for range conns {
		near, far := pair(t)
		wg.Add(1)
		all = append(all, engine.Goroutines{}.Adopt(near, nil, &reader{wg: &wg, n: much}, &engine.Options{Budget: 1 << 20}))
		fars = append(fars, far)
	}
	before := held()
	for _, far := range fars {
		if _, err := far.Write(make([]byte, much)); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if after := held(); after > before+conns<<12 {
		t.Errorf("%d bytes for each connection that has read much", (after-before)/conns)
	}
	for _, c := range all {
		c.Abort(nil)
	}
}

// A gauge tells how much each read of a link asks for.
type gauge struct {
	net.Conn
	asked chan int
}

func (g *gauge) Read(b []byte) (int, error) {
	g.asked <- len(b)
	return g.Conn.Read(b)
}

func TestALargeReadBufferIsHeldOnlyWhileMuchComes(t *testing.T) {
	const small, large = 1 << 10, 64 << 10
	near, far := pair(t)
	g := &gauge{Conn: near, asked: make(chan int, 10000)}
	c := engine.Goroutines{}.Adopt(g, nil, &handler{}, &engine.Options{Budget: 1 << 20})
	next := func() int {
		t.Helper()
		select {
		case n := <-g.asked:
			return n
		case <-time.After(20 * time.Second):
			t.Fatal("no read")
			return 0
		}
	}
	send := func(size int) {
		t.Helper()
		if _, err := far.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	for _, size := range []int{1, small - 1} {
		if n := next(); n != small {
			t.Fatalf("%d asked for at first", n)
		}
		send(size)
	}
	for _, size := range []int{small, 2 << 20} { // one that stops where the small buffer ends, and one that does not
		if n := next(); n != small {
			t.Fatalf("%d asked for while little came", n)
		}
		send(size)
		if n := next(); n != large {
			t.Fatalf("%d asked for of %d", n, size)
		}
	}
	last := 0
	for quiet := false; !quiet; { // the last read asks for little, and nothing comes
		select {
		case last = <-g.asked:
		case <-time.After(500 * time.Millisecond):
			quiet = true
		}
	}
	if last != small {
		t.Errorf("%d asked for while nothing comes", last)
	}
	c.Abort(errors.New("done"))
}

func TestAFlushWritesAtOnceWhatACallbackHasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		c := engine.Goroutines{}.Adopt(near, nil, &handler{wrote: make(chan int, 2)}, &engine.Options{Budget: 100})
		began, leave := time.Now(), make(chan struct{})
		c.Call(func(c engine.Conn) {
			if err := errors.Join(c.Send([]byte("now")), c.Send([]byte("!"))); err != nil {
				t.Error(err)
			}
			c.Flush()
			<-leave
		})
		if _, err := io.ReadFull(far, make([]byte, 4)); err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("it took %v", d)
		}
		close(leave)
		c.Abort(nil)
	})
}

// A dripper writes a byte, pauses, and writes the rest.
type dripper struct{ net.Conn }

func (d dripper) Write(b []byte) (int, error) {
	if _, err := d.Conn.Write(b[:1]); err != nil {
		return 0, err
	}
	<-time.After(time.Minute)
	n, err := d.Conn.Write(b[1:])
	return n + 1, err
}

func TestATLSPeerThatPausesInsideARecordIsReadOn(t *testing.T) {
	cert := certificate(t)
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		peer := tls.Client(dripper{far}, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // a test's own certificate
		h := &sink{got: make(chan int, 10)}
		c := engine.Goroutines{}.Adopt(tls.Server(near, &tls.Config{Certificates: []tls.Certificate{cert}}), nil, h, &engine.Options{Budget: 100})
		if err := peer.Handshake(); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, peer) }() // tickets, until the end
		// The first fills the small buffer, so that a large one waits for the second.
		for _, size := range []int{1 << 10, 100, 40 << 10} {
			go func() {
				if _, err := peer.Write(make([]byte, size)); err != nil {
					t.Error(err)
				}
			}()
			for left := size; left > 0; {
				left -= <-h.got
			}
		}
		c.Abort(nil)
		_ = peer.Close() // the engine has closed its end
	})
}

// A sink tells how much came.
type sink struct {
	handler
	got chan int
}

func (s *sink) Data(_ engine.Conn, b []byte) { s.got <- len(b) }

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
