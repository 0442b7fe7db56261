package enginetest

import (
	"bytes"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/engine"
)

func stall(t *testing.T, e engine.Engine) {
	p := new(peer).adopt(t, e, &engine.Options{Budget: 32 << 20, Stall: 50 * time.Millisecond})
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
	p := new(peer).over(t, e, near, far, &engine.Options{Budget: 4 << 20, Stall: 2 * time.Second})
	const size = 2 << 20
	p.send(make([]byte, size))
	began := time.Now()
	for n := 0; n < size; {
		n += len(p.read(64 << 10))
		if n%(256<<10) == 0 {
			<-time.After(400 * time.Millisecond) // 3.2 s in all, above Stall
		}
	}
	if time.Since(began) < 2*time.Second {
		t.Error("the reader was not slow")
	}
	p.send([]byte("still here"))
	p.read(10)
}

func halfClosed(t *testing.T, e engine.Engine) {
	gone := errors.New("gone")
	p := &peer{hangup: func(c engine.Conn) { c.End([]byte("bye"), gone) }}
	p.adopt(t, e, &engine.Options{})
	_ = p.far.CloseWrite() // a TCP connection can
	if got, err := p.rest(); string(got) != "bye" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if err := p.reason(); err != gone { //nolint:errorlint // the very one
		t.Errorf("reason: %v", err)
	}
}

func reset(t *testing.T, e engine.Engine) {
	p := new(peer).adopt(t, e, &engine.Options{})
	_ = p.far.SetLinger(0) // so that Close resets
	_ = p.far.Close()
	if err := p.reason(); !errors.Is(err, engine.ErrGone) {
		t.Errorf("reason: %v", err)
	}
}

func end(t *testing.T, e engine.Engine) {
	why := errors.New("why")
	p := new(peer).adopt(t, e, &engine.Options{})
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

func linger(t *testing.T, e engine.Engine) {
	near, far := connect(t)
	link := &closer{TCPConn: near, closed: make(chan struct{})}
	p := new(peer).over(t, e, link, far, &engine.Options{})
	p.conn.End(nil, nil)
	if err := p.reason(); err != nil {
		t.Errorf("reason: %v", err)
	}
	await(t, "the close of a connection whose peer keeps it", link.closed)
}

func abort(t *testing.T, e engine.Engine) {
	why := errors.New("why")
	p := new(peer).adopt(t, e, &engine.Options{Budget: 32 << 20})
	p.send(make([]byte, 24<<20)) // more than any kernel keeps
	p.conn.Abort(why)
	if err := p.reason(); err != why { //nolint:errorlint // the very one
		t.Errorf("reason: %v", err)
	}
}

func failedWrite(t *testing.T, e engine.Engine) {
	for range 20 {
		_, unused := connect(t)
		k := &keeper{kept: make(chan []byte, 1)}
		p := new(peer).over(t, e, k, unused, &engine.Options{})
		p.send([]byte("mine"))
		kept := await(t, "a write", k.kept)
		_ = p.reason()
		other := new(peer).adopt(t, e, &engine.Options{})
		other.send([]byte("secret"))
		_ = other.read(len("secret"))
		if string(kept) != "mine" {
			t.Fatalf("the bytes have become %q", kept)
		}
	}
}

func races(t *testing.T, e engine.Engine) {
	for i := range 200 {
		p := &peer{hangup: func(c engine.Conn) { c.End(nil, nil) }}
		p.alarm = func(c engine.Conn) { c.SetAlarm(time.Now()) }
		p.ahead = func(dst []byte) []byte { return append(dst, '!') }
		p.adopt(t, e, &engine.Options{})
		acts := []func(){
			func() { _ = p.conn.Send([]byte("x")) }, // it may come too late
			func() { p.conn.End([]byte("y"), nil) },
			func() { p.conn.Abort(nil) },
			func() { _ = p.far.Close() },
			func() { p.conn.SetAlarm(time.Now()) },
			func() { p.conn.Call(func(c engine.Conn) { c.Flush() }) },
			func() { p.conn.Urge() },
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
	const conns = 100
	most := runtime.NumGoroutine() + conns/2 // other tests run beside this one
	for range conns {
		p := &peer{hangup: func(c engine.Conn) { c.End(nil, nil) }}
		p.adopt(t, e, &engine.Options{})
		p.conn.Call(func(engine.Conn) { p.send([]byte("x")) })
		p.conn.SetAlarm(time.Now().Add(time.Hour))
		p.read(1)
		_ = p.far.Close()
		_ = p.reason() // gone, or in order: both end it
	}
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > most; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, and not %d", runtime.NumGoroutine(), most)
		}
	}
}

func lingerMuch(t *testing.T, e engine.Engine) {
	near, far := connect(t)
	link := &closer{TCPConn: near, closed: make(chan struct{})}
	const size = 65 << 10
	at := 0
	p := &peer{data: func(c engine.Conn, b []byte) {
		if at += len(b); at == size {
			c.End([]byte("bye"), nil)
		}
	}}
	p.over(t, e, link, far, &engine.Options{})
	if _, err := far.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if got, err := p.rest(); string(got) != "bye" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	_ = p.reason() // none
	for range 2 {
		if _, err := far.Write(make([]byte, 4<<10)); err != nil {
			t.Error(err)
		}
		select {
		case <-link.closed:
			t.Fatal("closed under a peer that may still send")
		case <-time.After(300 * time.Millisecond):
		}
	}
	await(t, "the close of a connection whose peer keeps it", link.closed)
}

func endGivenUp(t *testing.T, e engine.Engine) {
	why, first := errors.New("given up"), errors.New("first")
	for _, given := range []error{nil, first} {
		near, far := connect(t)
		_ = near.SetWriteBuffer(16 << 10) // so that little is on its way
		_ = far.SetReadBuffer(16 << 10)
		p := &peer{alarm: func(c engine.Conn) { c.Abort(why) }}
		p.over(t, e, near, far, &engine.Options{Budget: 32 << 20, Stall: time.Second})
		p.send(make([]byte, 24<<20))
		p.conn.End([]byte("last"), given)
		p.conn.SetAlarm(time.Now().Add(50 * time.Millisecond))
		go func() { // it drips
			for b := make([]byte, 1); ; <-time.After(time.Millisecond) {
				if _, err := far.Read(b); err != nil {
					return
				}
			}
		}()
		want := given
		if want == nil {
			want = why
		}
		if err := p.reason(); err != want { //nolint:errorlint // the very one
			t.Errorf("ended with %v by End(%v)", err, given)
		}
	}
}

func alarmTooLate(t *testing.T, e engine.Engine) {
	p := &peer{alarm: func(engine.Conn) { t.Error("an alarm after Closed") }}
	p.adopt(t, e, &engine.Options{})
	p.conn.SetAlarm(time.Now().Add(time.Hour))
	p.conn.Abort(nil)
	_ = p.reason() // none
	p.conn.SetAlarm(time.Now())
	rang := make(chan struct{})
	other := &peer{alarm: func(engine.Conn) { close(rang) }}
	other.adopt(t, e, &engine.Options{})
	other.conn.SetAlarm(time.Now().Add(20 * time.Millisecond))
	await(t, "Alarm", rang)
}

// ending: a callback that waits for the end of its connection gets to know it,
// and Closed comes behind both.
func ending(t *testing.T, e engine.Engine) {
	why := errors.New("why")
	for name, begin := range map[string]func(p *peer){
		"End":   func(p *peer) { p.conn.End([]byte("last"), why) },
		"Abort": func(p *peer) { p.conn.Abort(why) },
		"its own": func(p *peer) {
			p.conn.Call(func(c engine.Conn) { c.End([]byte("last"), why) }) // behind what waits, too late
			_ = p.far.SetLinger(0)                                          // so that Close resets
			_ = p.far.Close()
			for p.conn.Send([]byte("x")) == nil { // until a write fails
				runtime.Gosched()
			}
		},
	} {
		waits, told := make(chan struct{}), make(chan error, 1)
		p := &peer{ending: func(c engine.Conn, reason error) {
			if err := c.Send(nil); !errors.Is(err, engine.ErrClosed) {
				t.Errorf("%s: Send: %v", name, err)
			}
			c.End(nil, nil) // it has begun
			if name == "Abort" {
				c.Abort(nil) // once more
			}
			told <- reason
			<-time.After(10 * time.Millisecond) // Closed waits for it
		}}
		p.adopt(t, e, &engine.Options{})
		p.conn.Call(func(engine.Conn) {
			close(waits)
			if err := await(t, "Ending", told); err != why && !errors.Is(err, engine.ErrGone) { //nolint:errorlint // the very one
				t.Errorf("%s: told %v", name, err)
			}
		})
		await(t, "the call", waits)
		begin(p)
		if err := p.reason(); err != why && !errors.Is(err, engine.ErrGone) { //nolint:errorlint // the very one
			t.Errorf("%s: ended with %v", name, err)
		}
	}
}

func endBeside(t *testing.T, e engine.Engine) {
	for i := range 100 {
		p := new(peer).adopt(t, e, &engine.Options{Budget: 8 << 20})
		parts := [][]byte{make([]byte, 10), make([]byte, 1<<20)}
		began := make(chan struct{})
		sent := make(chan error, 1)
		go func() {
			close(began)
			sent <- p.conn.SendParts(parts)
		}()
		<-began
		for range i % 10 {
			runtime.Gosched()
		}
		p.conn.End(nil, nil)
		b, err := p.rest()
		want := 0
		if <-sent == nil {
			want = 10 + 1<<20
		}
		if len(b) != want || err != nil {
			t.Fatalf("%d bytes of %d, %v", len(b), want, err)
		}
		_ = p.reason() // none
	}
}

func endByWrote(t *testing.T, e engine.Engine) {
	for _, size := range []int{10, 100 << 10} {
		for _, last := range []string{"", "last"} {
			p := &peer{wrote: func(c engine.Conn, _, left int) {
				if left == 0 {
					c.End([]byte(last), nil)
				}
			}}
			p.adopt(t, e, &engine.Options{})
			if err := p.conn.SendParts([][]byte{make([]byte, size)}); err != nil {
				t.Error(err)
			}
			if b, err := p.rest(); len(b) != size+len(last) || err != nil {
				t.Errorf("%d bytes of %d and %q, %v", len(b), size, last, err)
			}
			_ = p.reason() // none
		}
	}
}

func closedBehindWrote(t *testing.T, e engine.Engine) {
	for _, size := range []int{10, 100 << 10} {
		p := &peer{wrote: func(c engine.Conn, _, _ int) {
			c.Abort(nil)
			<-time.After(20 * time.Millisecond)
		}}
		p.adopt(t, e, &engine.Options{})
		if err := p.conn.SendParts([][]byte{make([]byte, size)}); err != nil {
			t.Error(err)
		}
		_ = p.reason() // none
	}
}

// A system says that it takes more only when it has room for much.
func sipper(t *testing.T, e engine.Engine) {
	const size, sip, sips = 24 << 20, 64 << 10, 30 // more than any kernel keeps
	p := new(peer).adopt(t, e, &engine.Options{Budget: size, Stall: 500 * time.Millisecond})
	p.send(make([]byte, size))
	for range sips {
		p.read(sip)
		<-time.After(50 * time.Millisecond) // 1.5 s in all, above Stall
	}
	if p.closes.Load() != 0 {
		t.Error(p.reason())
	}
}
