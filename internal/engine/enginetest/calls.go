package enginetest

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/engine"
)

func onePass(t *testing.T, e engine.Engine) {
	near, far := connect(t)
	link := &counter{TCPConn: near}
	done := make(chan struct{})
	p := new(peer).over(t, e, link, far, &engine.Options{})
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
	p := new(peer).adopt(t, e, &engine.Options{})
	p.conn.Call(func(c engine.Conn) {
		_ = c.Send([]byte("now")) // the read below sees whether it was taken
		<-arrived
	})
	p.read(3)
	close(arrived)
}

func hangup(t *testing.T, e engine.Engine) {
	hung, running, leave := make(chan struct{}), make(chan struct{}), make(chan struct{})
	p := &peer{hangup: func(engine.Conn) { close(hung) }}
	p.adopt(t, e, &engine.Options{})
	p.conn.Call(func(engine.Conn) {
		close(running)
		<-leave
	})
	await(t, "the call", running)
	_ = p.far.CloseWrite() // a TCP connection can
	await(t, "Hangup", hung)
	close(leave)
}

func alarm(t *testing.T, e engine.Engine) {
	rang := make(chan time.Time, 10)
	p := &peer{alarm: func(engine.Conn) { rang <- time.Now() }}
	p.adopt(t, e, &engine.Options{})
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
	p.adopt(t, e, &engine.Options{})
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
	other := new(peer).adopt(t, e, &engine.Options{})
	p := new(peer).adopt(t, e, &engine.Options{})
	p.conn.Call(func(engine.Conn) { panic("oh") })
	var panicked *engine.PanicError
	if err := p.reason(); !errors.As(err, &panicked) || panicked.Value != "oh" || len(panicked.Stack) == 0 {
		t.Errorf("reason: %#v", err)
	}
	other.send([]byte("ok"))
	other.read(2)
}

func goexit(t *testing.T, e engine.Engine) {
	p := new(peer).adopt(t, e, &engine.Options{})
	p.conn.Call(func(engine.Conn) { runtime.Goexit() })
	var panicked *engine.PanicError
	if err := p.reason(); !errors.As(err, &panicked) {
		t.Errorf("ended with %v", err)
	}
}

func pending(t *testing.T, e engine.Engine) {
	got := make(chan string, 10)
	p := &peer{data: func(_ engine.Conn, b []byte) { got <- string(b) }}
	p.adopt(t, e, &engine.Options{}, []byte("first")...)
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

func flush(t *testing.T, e engine.Engine) {
	p := new(peer)
	g := p.hold(t, e, &engine.Options{})
	done := make(chan struct{})
	p.conn.Call(func(c engine.Conn) {
		defer close(done)
		p.send([]byte("a"))
		c.Flush()
		if n := g.await(); n != 1 {
			t.Errorf("%d bytes flushed", n)
		}
		p.send([]byte("bc"))
		c.Flush() // somebody writes: nothing more to do
		g.let()
		if n := g.await(); n != 2 {
			t.Errorf("%d bytes flushed", n)
		}
		g.open()
		p.read(3)
	})
	await(t, "the call", done)
}

func alarmAtOnce(t *testing.T, e engine.Engine) {
	rang, done := make(chan struct{}), make(chan struct{})
	p := &peer{alarm: func(engine.Conn) { close(rang) }}
	p.adopt(t, e, &engine.Options{})
	p.conn.Call(func(c engine.Conn) {
		c.SetAlarm(time.Now())
		await(t, "Alarm", rang)
		close(done)
	})
	await(t, "the call", done)
}

func callOrder(t *testing.T, e engine.Engine) {
	const calls = 1000
	p := new(peer).adopt(t, e, &engine.Options{})
	next, done := 0, make(chan struct{})
	for i := range calls {
		p.conn.Call(func(engine.Conn) {
			if next != i {
				t.Errorf("call %d in the place of %d", i, next)
			}
			next++
		})
	}
	p.conn.Call(func(c engine.Conn) {
		c.Call(func(engine.Conn) { close(done) })
		if next != calls {
			t.Errorf("%d calls of %d", next, calls)
		}
	})
	await(t, "a call of a call", done)
}

func callBlocks(t *testing.T, e engine.Engine) {
	running, leave, got := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var left atomic.Bool
	p := &peer{data: func(engine.Conn, []byte) {
		if !left.Load() {
			t.Error("Data beside a call")
		}
		close(got)
	}}
	p.adopt(t, e, &engine.Options{})
	p.conn.Call(func(engine.Conn) {
		close(running)
		<-leave
		left.Store(true)
	})
	await(t, "the call", running)
	if _, err := p.far.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	p.send([]byte("not held up"))
	p.read(len("not held up"))
	other, called := new(peer).adopt(t, e, &engine.Options{}), make(chan struct{})
	other.conn.Call(func(engine.Conn) { close(called) })
	await(t, "the call of another connection", called)
	close(leave)
	await(t, "Data", got)
}

func noCall(t *testing.T, e engine.Engine) {
	for what, end := range map[string]func(engine.Conn){
		"End":   func(c engine.Conn) { c.End(nil, nil) },
		"Abort": func(c engine.Conn) { c.Abort(nil) },
	} {
		running, leave := make(chan struct{}), make(chan struct{})
		p := new(peer).adopt(t, e, &engine.Options{})
		never := func(engine.Conn) { t.Errorf("a call after %s", what) }
		p.conn.Call(func(engine.Conn) {
			close(running)
			<-leave
		})
		p.conn.Call(never)
		await(t, "the call", running)
		p.conn.Call(never)
		end(p.conn)
		p.conn.Call(never)
		close(leave)
		_ = p.reason() // none
		p.conn.Call(never)
	}
}

func panicsAnywhere(t *testing.T, e engine.Engine) {
	oh := func(engine.Conn) { panic("oh") }
	for what, p := range map[string]*peer{
		"Data":   {data: func(engine.Conn, []byte) { panic("oh") }},
		"Hangup": {hangup: oh},
		"Wrote":  {wrote: func(engine.Conn, int, int) { panic("oh") }},
		"Ahead":  {ahead: func([]byte) []byte { panic("oh") }},
		"Alarm":  {alarm: oh},
	} {
		p.adopt(t, e, &engine.Options{})
		_ = p.conn.Send([]byte("x"))
		p.conn.Urge()
		p.conn.SetAlarm(time.Now())
		_, _ = p.far.Write([]byte("x")) // the end may come before
		_ = p.far.CloseWrite()          // as above
		var panicked *engine.PanicError
		if err := p.reason(); !errors.As(err, &panicked) || panicked.Value != "oh" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func much(t *testing.T, e engine.Engine) {
	want := make([]byte, 3<<20)
	for i := range want {
		want[i] = byte(i) ^ byte(i>>8) ^ byte(i>>16)
	}
	got, at := make(chan int, 10000), 0
	p := &peer{data: func(_ engine.Conn, b []byte) {
		if !bytes.Equal(b, want[at:at+len(b)]) {
			t.Errorf("%d bytes at %d are not what was sent", len(b), at)
		}
		at += len(b)
		got <- at
	}}
	p.adopt(t, e, &engine.Options{})
	sent := 0
	for _, size := range []int{1, 1023, 1024, 1025, 64 << 10, 65 << 10, 2 << 20, 100} {
		if _, err := p.far.Write(want[sent : sent+size]); err != nil {
			t.Fatal(err)
		}
		sent += size
		for await(t, "Data", got) != sent {
			continue
		}
	}
}

func largeAnswer(t *testing.T, e engine.Engine) {
	got := make(chan struct{})
	p := &peer{data: func(c engine.Conn, b []byte) {
		if string(b) == "x" {
			_ = c.Send(make([]byte, 24<<20)) // more than any kernel keeps
			return
		}
		close(got)
	}}
	p.adopt(t, e, &engine.Options{Budget: 32 << 20})
	for _, b := range []string{"x", "yy"} {
		if _, err := p.far.Write([]byte(b)); err != nil {
			t.Fatal(err)
		}
		if b == "x" {
			p.read(1) // the answer is being written
		}
	}
	await(t, "Data while an answer is written", got)
}

// The peer takes nothing before it has been read.
func manyAnswers(t *testing.T, e engine.Engine) {
	got := make(chan struct{})
	p := &peer{data: func(c engine.Conn, _ []byte) {
		_ = c.Send(make([]byte, 32<<10))
		got <- struct{}{}
	}}
	near, far := connect(t)
	if err := errors.Join(near.SetWriteBuffer(4<<10), far.SetReadBuffer(4<<10)); err != nil {
		t.Fatal(err)
	}
	p.over(t, e, near, far, &engine.Options{Budget: 1 << 20})
	for range 10 { // the kernel keeps the answers to a few
		if _, err := p.far.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		await(t, "Data while answers wait", got)
	}
}

// served sees to it that the engine serves p, and a new connection.
func (p *peer) served(e engine.Engine) {
	p.t.Helper()
	p.send([]byte("still"))
	p.read(5)
	for range 8 { // one on each loop
		other := new(peer).adopt(p.t, e, &engine.Options{})
		called := make(chan struct{})
		other.conn.Call(func(engine.Conn) { close(called) })
		await(p.t, "the call of another connection", called)
		other.conn.Abort(nil)
		_ = other.reason() // none
	}
}

func alarmFar(t *testing.T, e engine.Engine) {
	p := &peer{alarm: func(engine.Conn) { t.Error("an alarm rang that is far away") }}
	p.adopt(t, e, &engine.Options{})
	for _, at := range []time.Time{
		time.Now().Add(1000 * time.Hour), time.Now().Add(math.MaxInt64 - time.Second), time.Now().Add(math.MaxInt64),
		time.Unix(1<<40, 0),
	} {
		p.conn.SetAlarm(at)
		p.served(e)
	}
}

func alarmPast(t *testing.T, e engine.Engine) {
	p := &peer{alarm: func(c engine.Conn) { c.SetAlarm(time.Now().Add(-time.Minute)) }}
	p.adopt(t, e, &engine.Options{})
	p.conn.SetAlarm(time.Now().Add(-time.Minute))
	p.served(e)
}

// An alarm is set anew as soon as it has rung: while who rings looks for what is
// next.
func alarmAnyTime(t *testing.T, e engine.Engine) {
	const conns, times = 4, 1000
	var wg sync.WaitGroup
	for range conns {
		rang := make(chan struct{}, 1)
		p := &peer{alarm: func(engine.Conn) { rang <- struct{}{} }}
		p.adopt(t, e, &engine.Options{})
		wg.Go(func() {
			for i := range times {
				p.conn.SetAlarm(time.Now().Add(time.Duration(i%3) * time.Millisecond))
				select {
				case <-rang:
				case <-time.After(patience):
					t.Errorf("alarm %d did not ring", i)
					return
				}
			}
		})
	}
	wg.Wait()
}

func intoBadly(t *testing.T, e engine.Engine) {
	got := make(chan string, 1)
	p := &peer{into: func() []byte { return []byte{} }, data: func(_ engine.Conn, b []byte) { got <- string(b) }}
	p.adopt(t, e, &engine.Options{})
	if _, err := p.far.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if s := await(t, "Data", got); s != "x" {
		t.Errorf("got %q", s)
	}
	asked := make(chan struct{}, 1)
	p = &peer{
		into: func() []byte { asked <- struct{}{}; panic("oh") },
		data: func(c engine.Conn, _ []byte) {
			if len(asked) > 0 {
				t.Error("Data behind a panic")
			}
			c.Abort(nil) // by an engine that does not ask
		},
	}
	p.adopt(t, e, &engine.Options{})
	if _, err := p.far.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	var panicked *engine.PanicError
	if err := p.reason(); len(asked) > 0 && !errors.As(err, &panicked) {
		t.Errorf("ended with %v", err)
	}
	new(peer).adopt(t, e, &engine.Options{}).served(e)
}
