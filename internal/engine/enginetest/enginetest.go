// Package enginetest is the suite that every engine passes.
package enginetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/engine"
)

// patience is how long a test waits for what must come. It is only spent when
// the engine is wrong.
const patience = 20 * time.Second

// Test holds an engine to its contract.
func Test(t *testing.T, e engine.Engine) {
	for name, test := range map[string]func(*testing.T, engine.Engine){
		"everything sent arrives once and in order":           inOrder,
		"senders at the same time do not mix their bytes":     whole,
		"what one callback sends leaves in one write":         onePass,
		"a slow callback's bytes do not wait for it":          slowCallback,
		"a stopped reader costs no more than the budget":      budget,
		"what is larger than the budget is refused as such":   tooLarge,
		"a reader that takes nothing ends the connection":     stall,
		"a slow reader that goes on reading is kept":          slowReader,
		"a hang-up is seen while a callback runs":             hangup,
		"a half-closed peer still gets the end":               halfClosed,
		"a reset ends the connection":                         reset,
		"an end sends what waits, then the last, then FIN":    end,
		"an end does not wait for ever for its peer":          linger,
		"an abort frees a write under way":                    abort,
		"the alarm rings once for each time it is set":        alarm,
		"callbacks do not overlap":                            overlap,
		"a callback that panics ends its own connection only": panics,
		"a callback that ends its goroutine ends as a panic":  goexit,
		"bytes that a failed write may still read are left":   failedWrite,
		"what was read before comes first":                    pending,
		"the beginning of the end is told at once":            ending,
		"whatever races, closed comes once":                   races,
		"nothing is left of connections that ended":           leaves,
	} {
		t.Run(name, func(t *testing.T) { test(t, e) })
	}
}

// A peer is the other end of a connection, and its handler.
type peer struct {
	t      *testing.T
	far    *net.TCPConn
	conn   engine.Conn
	data   func(engine.Conn, []byte)
	hangup func(engine.Conn)
	wrote  func(c engine.Conn, n, left int)
	alarm  func(engine.Conn)
	ahead  func(dst []byte) []byte
	ending func(error)
	closed chan error
	closes atomic.Int32

	endings atomic.Int32
}

func (p *peer) Data(c engine.Conn, b []byte) {
	if p.data != nil {
		p.data(c, b)
	}
}

func (p *peer) Hangup(c engine.Conn) {
	if p.hangup != nil {
		p.hangup(c)
	}
}

func (p *peer) Wrote(c engine.Conn, n, left int) {
	if p.wrote != nil {
		p.wrote(c, n, left)
	}
}

func (p *peer) Ahead(_ engine.Conn, dst []byte) []byte {
	if p.ahead != nil {
		return p.ahead(dst)
	}
	return dst
}

func (p *peer) Alarm(c engine.Conn) {
	if p.alarm != nil {
		p.alarm(c)
	}
}

func (p *peer) Ending(_ engine.Conn, reason error) {
	p.endings.Add(1)
	if p.ending != nil {
		p.ending(reason)
	}
}

func (p *peer) Closed(_ engine.Conn, reason error) {
	if p.closes.Add(1) == 1 {
		p.closed <- reason
	}
}

// adopt connects p over loopback TCP; its callbacks are set before.
func (p *peer) adopt(t *testing.T, e engine.Engine, o engine.Options, pending ...byte) *peer {
	t.Helper()
	near, far := connect(t)
	return p.over(t, e, near, far, o, pending...)
}

func (p *peer) over(t *testing.T, e engine.Engine, near engine.Link, far *net.TCPConn, o engine.Options, pending ...byte) *peer {
	t.Helper()
	if o.Budget == 0 {
		o.Budget = 1 << 20
	}
	p.t, p.far, p.closed = t, far, make(chan error, 1)
	p.conn = e.Adopt(near, pending, p, o)
	t.Cleanup(func() {
		_ = far.Close() // the test may have closed it
		p.conn.Abort(nil)
	})
	return p
}

func connect(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return s.(*net.TCPConn), c.(*net.TCPConn)
}

// reason waits for the end and answers its reason.
func (p *peer) reason() error {
	p.t.Helper()
	return await(p.t, "Closed", p.closed)
}

// read reads n bytes at the far end.
func (p *peer) read(n int) []byte {
	p.t.Helper()
	b := make([]byte, n)
	_ = p.far.SetReadDeadline(time.Now().Add(patience)) // a TCP connection takes deadlines
	if k, err := io.ReadFull(p.far, b); err != nil {
		p.t.Fatalf("read %d of %d bytes: %v", k, n, err)
	}
	return b
}

// rest reads the far end to its end.
func (p *peer) rest() ([]byte, error) {
	_ = p.far.SetReadDeadline(time.Now().Add(patience)) // as above
	return io.ReadAll(p.far)
}

func (p *peer) send(b []byte) {
	p.t.Helper()
	if err := p.conn.Send(b); err != nil {
		p.t.Errorf("Send: %v", err)
	}
}

func await[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

func inOrder(t *testing.T, e engine.Engine) {
	p := new(peer).adopt(t, e, engine.Options{})
	var want bytes.Buffer
	for i := range 1000 {
		line := fmt.Appendln(nil, i)
		want.Write(line)
		p.send(line)
	}
	if got := p.read(want.Len()); !bytes.Equal(got, want.Bytes()) {
		t.Error("not what was sent")
	}
}

func whole(t *testing.T, e engine.Engine) {
	p := new(peer).adopt(t, e, engine.Options{})
	const senders, times, size = 8, 200, 100
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for range times {
				p.send(bytes.Repeat([]byte{'a' + byte(i)}, size))
			}
		})
	}
	got := p.read(senders * times * size)
	wg.Wait()
	for len(got) > 0 {
		if !bytes.Equal(got[:size], bytes.Repeat(got[:1], size)) {
			t.Fatalf("mixed: %q", got[:size])
		}
		got = got[size:]
	}
}

// A counter counts the writes of a link.
type counter struct {
	*net.TCPConn
	writes atomic.Int32
}

func (c *counter) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.TCPConn.Write(b)
}

func onePass(t *testing.T, e engine.Engine) {
	near, far := connect(t)
	link := &counter{TCPConn: near}
	done := make(chan struct{})
	p := new(peer).over(t, e, link, far, engine.Options{})
	p.conn.Call(func(c engine.Conn) {
		for range 10 {
			_ = c.Send([]byte("x")) // the read below sees whether it was taken
		}
		close(done)
	})
	await(t, "the call", done)
	p.read(10)
	// One that the scheduler kept away for longer than a pass may take two.
	if n := link.writes.Load(); n > 2 {
		t.Errorf("%d writes for one callback", n)
	}
}

func slowCallback(t *testing.T, e engine.Engine) {
	arrived := make(chan struct{})
	p := new(peer).adopt(t, e, engine.Options{})
	p.conn.Call(func(c engine.Conn) {
		_ = c.Send([]byte("now")) // the read below sees whether it was taken
		<-arrived
	})
	p.read(3)
	close(arrived)
}

func budget(t *testing.T, e engine.Engine) {
	const size = 64 << 10
	written := make(chan struct{}, 1)
	var taken atomic.Int64
	p := &peer{wrote: func(_ engine.Conn, n, left int) {
		taken.Add(int64(n))
		if left == 0 {
			select {
			case written <- struct{}{}:
			default:
			}
		}
	}}
	near, far := connect(t)
	_ = near.SetWriteBuffer(16 << 10) // so that the test needs not send megabytes
	_ = far.SetReadBuffer(16 << 10)
	p.over(t, e, near, far, engine.Options{Budget: 4 * size})
	block := bytes.Repeat([]byte("b"), size)
	sent, refused := 0, 0
	for refused < 3 { // the kernel takes some between two of them
		switch err := p.conn.Send(block); {
		case err == nil:
			sent += size
			refused = 0
		case errors.Is(err, engine.ErrFull):
			refused++
			runtime.Gosched()
		default:
			t.Fatal(err)
		}
		if sent > 64*size {
			t.Fatal("no bound")
		}
	}
	p.read(sent) // all that was taken, and nothing of what was refused
	for taken.Load() != int64(sent) {
		await(t, "Wrote with nothing left", written)
	}
	p.send([]byte("!"))
	if got := p.read(1); got[0] != '!' {
		t.Errorf("got %q", got)
	}
}

func tooLarge(t *testing.T, e engine.Engine) {
	p := new(peer).adopt(t, e, engine.Options{Budget: 100})
	if err := p.conn.Send(make([]byte, 101)); !errors.Is(err, engine.ErrTooLarge) {
		t.Errorf("Send: %v", err)
	}
	p.send([]byte("ok"))
	p.read(2)
}

func stall(t *testing.T, e engine.Engine) {
	p := new(peer).adopt(t, e, engine.Options{Budget: 32 << 20, Stall: 50 * time.Millisecond})
	p.send(make([]byte, 24<<20)) // more than any kernel keeps
	if err := p.reason(); !errors.Is(err, engine.ErrStalled) {
		t.Errorf("reason: %v", err)
	}
	if err := p.conn.Send([]byte("x")); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("Send: %v", err)
	}
}

func slowReader(t *testing.T, e engine.Engine) {
	near, far := connect(t)
	_ = near.SetWriteBuffer(16 << 10) // many small steps
	_ = far.SetReadBuffer(16 << 10)
	p := new(peer).over(t, e, near, far, engine.Options{Budget: 4 << 20, Stall: time.Second})
	const size = 2 << 20
	p.send(make([]byte, size))
	began := time.Now()
	for n := 0; n < size; {
		n += len(p.read(64 << 10))
		if n%(256<<10) == 0 {
			<-time.After(200 * time.Millisecond) // 1.6 s in all, above Stall
		}
	}
	if time.Since(began) < time.Second {
		t.Error("the reader was not slow")
	}
	p.send([]byte("still here"))
	p.read(10)
}

func hangup(t *testing.T, e engine.Engine) {
	hung, running, leave := make(chan struct{}), make(chan struct{}), make(chan struct{})
	p := &peer{hangup: func(engine.Conn) { close(hung) }}
	p.adopt(t, e, engine.Options{})
	p.conn.Call(func(engine.Conn) {
		close(running)
		<-leave
	})
	await(t, "the call", running)
	_ = p.far.CloseWrite() // a TCP connection can
	await(t, "Hangup", hung)
	close(leave)
}

func halfClosed(t *testing.T, e engine.Engine) {
	gone := errors.New("gone")
	p := &peer{hangup: func(c engine.Conn) { c.End([]byte("bye"), gone) }}
	p.adopt(t, e, engine.Options{})
	_ = p.far.CloseWrite() // a TCP connection can
	if got, err := p.rest(); string(got) != "bye" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if err := p.reason(); err != gone { //nolint:errorlint // the very one
		t.Errorf("reason: %v", err)
	}
}

func reset(t *testing.T, e engine.Engine) {
	p := new(peer).adopt(t, e, engine.Options{})
	_ = p.far.SetLinger(0) // so that Close resets
	_ = p.far.Close()
	if err := p.reason(); !errors.Is(err, engine.ErrGone) {
		t.Errorf("reason: %v", err)
	}
}

func end(t *testing.T, e engine.Engine) {
	why := errors.New("why")
	p := new(peer).adopt(t, e, engine.Options{})
	big := bytes.Repeat([]byte("0123456789abcdef"), 32<<10)
	p.send(big)
	p.conn.End([]byte("last"), why)
	p.conn.End([]byte("again"), nil)
	if err := p.conn.Send([]byte("late")); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("Send after End: %v", err)
	}
	got, err := p.rest()
	if err != nil || !bytes.Equal(got, append(big, "last"...)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := p.reason(); err != why { //nolint:errorlint // the very one
		t.Errorf("reason: %v", err)
	}
}

// A closer tells when a link is closed.
type closer struct {
	*net.TCPConn
	once   sync.Once
	closed chan struct{}
}

func (c *closer) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.TCPConn.Close()
}

func linger(t *testing.T, e engine.Engine) {
	near, far := connect(t)
	link := &closer{TCPConn: near, closed: make(chan struct{})}
	p := new(peer).over(t, e, link, far, engine.Options{})
	p.conn.End(nil, nil)
	if err := p.reason(); err != nil {
		t.Errorf("reason: %v", err)
	}
	await(t, "the close of a connection whose peer keeps it", link.closed)
}

func abort(t *testing.T, e engine.Engine) {
	why := errors.New("why")
	p := new(peer).adopt(t, e, engine.Options{Budget: 32 << 20})
	p.send(make([]byte, 24<<20)) // more than any kernel keeps
	p.conn.Abort(why)
	if err := p.reason(); err != why { //nolint:errorlint // the very one
		t.Errorf("reason: %v", err)
	}
}

func alarm(t *testing.T, e engine.Engine) {
	rang := make(chan time.Time, 10)
	p := &peer{alarm: func(engine.Conn) { rang <- time.Now() }}
	p.adopt(t, e, engine.Options{})
	p.conn.SetAlarm(time.Now().Add(time.Hour))
	at := time.Now().Add(30 * time.Millisecond)
	p.conn.SetAlarm(at) // in place of the one before
	if got := await(t, "Alarm", rang); got.Before(at) {
		t.Errorf("%v early", at.Sub(got))
	}
	p.conn.SetAlarm(time.Now().Add(time.Hour))
	p.conn.SetAlarm(time.Time{})
	p.conn.SetAlarm(time.Now())
	await(t, "Alarm", rang)
	if len(rang) != 0 {
		t.Error("rang again")
	}
}

func overlap(t *testing.T, e engine.Engine) {
	var inside, overlaps, calls atomic.Int32
	busy := func(engine.Conn) {
		if inside.Add(1) != 1 {
			overlaps.Add(1)
		}
		runtime.Gosched()
		calls.Add(1)
		inside.Add(-1)
	}
	p := &peer{data: func(c engine.Conn, _ []byte) {
		busy(c)
		c.Call(busy)
	}}
	p.adopt(t, e, engine.Options{})
	for range 200 {
		if _, err := p.far.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		p.conn.Call(busy)
	}
	_ = p.far.Close()
	p.conn.Abort(nil)
	_ = p.reason() // whichever came first
	if overlaps.Load() != 0 {
		t.Errorf("%d of %d calls overlapped", overlaps.Load(), calls.Load())
	}
}

func panics(t *testing.T, e engine.Engine) {
	other := new(peer).adopt(t, e, engine.Options{})
	p := new(peer).adopt(t, e, engine.Options{})
	p.conn.Call(func(engine.Conn) { panic("oh") })
	var panicked *engine.PanicError
	if err := p.reason(); !errors.As(err, &panicked) || panicked.Value != "oh" || len(panicked.Stack) == 0 {
		t.Errorf("reason: %#v", err)
	}
	other.send([]byte("ok"))
	other.read(2)
}

func goexit(t *testing.T, e engine.Engine) {
	p := new(peer).adopt(t, e, engine.Options{})
	p.conn.Call(func(engine.Conn) { runtime.Goexit() })
	var panicked *engine.PanicError
	if err := p.reason(); !errors.As(err, &panicked) {
		t.Errorf("ended with %v", err)
	}
}

// A keeper is a link whose write fails while somebody still reads the bytes,
// as a write to an HTTP/2 stream that was reset does.
type keeper struct{ kept chan []byte }

func (k *keeper) Write(b []byte) (int, error) {
	k.kept <- b
	return 0, errors.New("reset")
}

func (k *keeper) Close() error                     { return nil }
func (k *keeper) SetWriteDeadline(time.Time) error { return nil }

func failedWrite(t *testing.T, e engine.Engine) {
	for range 20 {
		_, unused := connect(t)
		k := &keeper{kept: make(chan []byte, 1)}
		p := new(peer).over(t, e, k, unused, engine.Options{})
		p.send([]byte("mine"))
		kept := await(t, "a write", k.kept)
		_ = p.reason()
		other := new(peer).adopt(t, e, engine.Options{})
		other.send([]byte("secret"))
		_ = other.read(len("secret"))
		if string(kept) != "mine" {
			t.Fatalf("the bytes have become %q", kept)
		}
	}
}

func pending(t *testing.T, e engine.Engine) {
	got := make(chan string, 10)
	p := &peer{data: func(_ engine.Conn, b []byte) { got <- string(b) }}
	p.adopt(t, e, engine.Options{}, []byte("first")...)
	if s := await(t, "Data", got); s != "first" {
		t.Errorf("got %q", s)
	}
	if _, err := p.far.Write([]byte("second")); err != nil {
		t.Fatal(err)
	}
	if s := await(t, "Data", got); s != "second" {
		t.Errorf("got %q", s)
	}
}

func races(t *testing.T, e engine.Engine) {
	for i := range 200 {
		p := &peer{hangup: func(c engine.Conn) { c.End(nil, nil) }}
		p.adopt(t, e, engine.Options{})
		acts := []func(){
			func() { _ = p.conn.Send([]byte("x")) }, // it may come too late
			func() { p.conn.End([]byte("y"), nil) },
			func() { p.conn.Abort(nil) },
			func() { _ = p.far.Close() },
			func() { p.conn.SetAlarm(time.Now()) },
		}
		var wg sync.WaitGroup
		for k := range acts {
			wg.Go(acts[(k+i)%len(acts)])
		}
		wg.Wait()
		_ = p.reason() // whichever won
		if n := p.closes.Load(); n != 1 {
			t.Fatalf("Closed came %d times", n)
		}
	}
}

func leaves(t *testing.T, e engine.Engine) {
	before := runtime.NumGoroutine()
	for range 100 {
		p := &peer{hangup: func(c engine.Conn) { c.End(nil, nil) }}
		p.adopt(t, e, engine.Options{})
		p.send([]byte("x"))
		p.conn.SetAlarm(time.Now().Add(time.Hour))
		p.read(1)
		_ = p.far.Close()
		_ = p.reason() // gone, or in order: both end it
	}
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// ending: a callback that waits for the end of its connection gets to know it,
// and Closed comes behind both.
func ending(t *testing.T, e engine.Engine) {
	for name, begin := range map[string]func(p *peer){
		"End":   func(p *peer) { p.conn.End([]byte("last"), engine.ErrGone) },
		"Abort": func(p *peer) { p.conn.Abort(engine.ErrGone) },
		"reset": func(p *peer) {
			_ = p.far.SetLinger(0)
			_ = p.far.Close()
			for p.conn.Send(make([]byte, 1)) == nil { // until it is noticed
				runtime.Gosched()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			waits, told := make(chan struct{}), make(chan struct{})
			p := &peer{
				data:   func(engine.Conn, []byte) { close(waits); <-told },
				ending: func(error) { close(told) },
			}
			p.adopt(t, e, engine.Options{Budget: 1 << 20})
			p.send([]byte("x"))
			<-waits
			begin(p)
			if err := p.reason(); !errors.Is(err, engine.ErrGone) {
				t.Errorf("the reason is %v", err)
			}
			if n := p.endings.Load(); n != 1 {
				t.Errorf("told %d times", n)
			}
		})
	}
}
