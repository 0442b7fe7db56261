//go:build amd64 || arm64

package engine_test

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/engine"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// A script is a handler by functions, any of which may be nil.
type script struct {
	into   func() []byte
	data   func(engine.Conn, []byte)
	hangup func(engine.Conn)
	wrote  func(c engine.Conn, n, left int)
	alarm  func(engine.Conn)
	closed func(engine.Conn, error)
}

func (s *script) Into() []byte {
	if s.into != nil {
		return s.into()
	}
	return nil
}

func (s *script) Data(c engine.Conn, b []byte) {
	if s.data != nil {
		s.data(c, b)
	}
}

func (s *script) Hangup(c engine.Conn) {
	if s.hangup != nil {
		s.hangup(c)
	}
}

func (s *script) Wrote(c engine.Conn, n, left int) {
	if s.wrote != nil {
		s.wrote(c, n, left)
	}
}

func (s *script) Alarm(c engine.Conn) {
	if s.alarm != nil {
		s.alarm(c)
	}
}

func (s *script) Ahead(_ engine.Conn, dst []byte) []byte { return dst }
func (s *script) Ending(engine.Conn, error)              {}

func (s *script) Closed(c engine.Conn, reason error) {
	if s.closed != nil {
		s.closed(c, reason)
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

func write(t *testing.T, to io.Writer, b string) {
	t.Helper()
	if _, err := io.WriteString(to, b); err != nil {
		t.Error(err)
	}
}

// readFull reads n bytes from the far end.
func readFull(t *testing.T, from net.Conn, n int) string {
	t.Helper()
	b := make([]byte, n)
	_ = from.SetReadDeadline(time.Now().Add(patience)) // a socket takes deadlines
	if k, err := io.ReadFull(from, b); err != nil {
		t.Fatalf("read %d of %d bytes: %v", k, n, err)
	}
	return string(b)
}

// unixPair is a connection over a unix socket.
func unixPair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if far, err = net.Dial("unix", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = near.Close() // the engine may have closed it
		_ = far.Close()  // the test may have closed it
	})
	return near, far
}

// A stage is one connection of a loop that is in some state.
type stage struct {
	t    *testing.T
	e    *engine.Loops
	far  net.Conn
	conn engine.Conn
	h    script
	free chan struct{} // closed at the end: callbacks that block wait for it
}

// on takes the connection in.
func (s *stage) on(near, far net.Conn, o *engine.Options, pending ...byte) {
	s.far = far
	s.conn = s.e.Adopt(near, pending, &s.h, o)
}

// handedOver waits until the loop goes on without a callback that holds it up.
func (s *stage) handedOver() {
	for s.e.Counts().Handovers == 0 {
		<-time.After(time.Millisecond)
	}
}

// tcp is on with a connection over TCP.
func (s *stage) tcp(pending ...byte) {
	near, far := pair(s.t)
	s.on(near, far, &engine.Options{Budget: 32 << 20}, pending...)
}

// block has a callback run that does not end.
func (s *stage) block() {
	running := make(chan struct{})
	s.conn.Call(func(engine.Conn) {
		close(running)
		<-s.free
	})
	await(s.t, "the call", running)
}

// cut offers more than any kernel keeps.
func (s *stage) cut() {
	big := [][]byte{make([]byte, 24<<20)}
	if n := s.conn.Offer(nil, big) + s.conn.Offer(nil, big); n != 1 {
		s.t.Errorf("%d are taken", n)
	}
}

// jam has more wait for the peer than any kernel keeps.
func (s *stage) jam() {
	if err := s.conn.Send(make([]byte, 24<<20)); err != nil {
		s.t.Error(err)
	}
}

func (s *stage) talk() { write(s.t, s.far, "some bytes") }

func (s *stage) halfClose() {
	if err := s.far.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		s.t.Error(err)
	}
}

func (s *stage) reset() {
	if err := errors.Join(s.far.(*net.TCPConn).SetLinger(0), s.far.Close()); err != nil {
		s.t.Error(err)
	}
}

// quiet sees to it that the loop gets to rest.
func (s *stage) quiet() {
	s.t.Helper()
	var polls int64
	for range 20 {
		before := s.e.Counts().Polls
		<-time.After(200 * time.Millisecond)
		if polls = s.e.Counts().Polls - before; polls == 0 {
			return
		}
	}
	s.t.Errorf("%d polls in 200 ms while nothing happens", polls)
}

func TestALoopRestsWhileNothingHappens(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(s *stage){
		"nothing has happened": func(s *stage) { s.tcp() },
		"the alarm is far away": func(s *stage) {
			s.tcp()
			s.conn.SetAlarm(time.Now().Add(time.Hour))
			s.conn.SetAlarm(time.Now().Add(10_000 * time.Hour))
		},
		"the peer has ended its half": func(s *stage) {
			hung := make(chan struct{})
			s.h.hangup = func(engine.Conn) { close(hung) }
			s.tcp()
			s.halfClose()
			await(s.t, "Hangup", hung)
		},
		"the peer has ended its half while a callback runs": func(s *stage) {
			s.tcp()
			s.block()
			s.halfClose()
		},
		"the peer talks while a callback runs": func(s *stage) {
			s.tcp()
			s.block()
			s.talk()
		},
		"the peer has talked and ended its half while a callback runs": func(s *stage) {
			s.tcp()
			s.block()
			s.talk()
			s.halfClose()
		},
		"the peer has talked and closed while a callback runs": func(s *stage) {
			s.tcp()
			s.block()
			s.talk()
			_ = s.far.Close() // it has nothing to say
		},
		"the peer of a unix socket has talked and closed while a callback runs": func(s *stage) {
			near, far := unixPair(s.t)
			s.on(near, far, &engine.Options{Budget: 100})
			s.block()
			s.talk()
			_ = s.far.Close() // as above
		},
		"the peer has reset while a callback runs": func(s *stage) {
			s.tcp()
			s.block()
			s.reset()
		},
		"the peer has talked and reset while a callback runs": func(s *stage) {
			s.tcp()
			s.block()
			s.talk()
			s.reset()
		},
		"a callback runs behind an abort": func(s *stage) {
			s.tcp()
			s.block()
			s.conn.Abort(nil)
			s.talk()
		},
		"what was read before is being handled, and more has come": func(s *stage) {
			s.h.data = func(engine.Conn, []byte) { <-s.free }
			s.tcp([]byte("first")...)
			s.talk()
		},
		"what was read before waits behind a call": func(s *stage) {
			running := make(chan struct{})
			s.h.data = func(engine.Conn, []byte) {
				close(running)
				<-s.free
			}
			s.tcp([]byte("first")...)
			await(s.t, "Data", running)
			s.conn.Call(func(engine.Conn) {})
			s.talk()
			s.halfClose()
		},
		"the peer takes nothing": func(s *stage) {
			s.tcp()
			s.jam()
		},
		"the peer takes nothing and has ended its half": func(s *stage) {
			s.tcp()
			s.jam()
			s.halfClose()
		},
		"the peer takes nothing of an offer that was cut": func(s *stage) {
			s.tcp()
			s.cut()
		},
		"the peer takes nothing of an offer that was cut between two units": func(s *stage) {
			near, far := least(s.t)
			s.on(near, far, &engine.Options{Budget: 100})
			all, units := ones(1 << 20)
			if n := s.conn.Offer(all, units); n == len(units) {
				s.t.Error("all is taken")
			}
		},
		"there is room again for an offer that was cut between two units": func(s *stage) {
			room := make(chan struct{}, 100)
			s.h.wrote = func(engine.Conn, int, int) { room <- struct{}{} }
			near, far := least(s.t)
			s.on(near, far, &engine.Options{Budget: 100})
			all, units := ones(1 << 20)
			readFull(s.t, far, s.conn.Offer(all, units))
			await(s.t, "Wrote", room)
		},
		"the peer takes nothing of an offer from a callback that runs": func(s *stage) {
			s.tcp()
			s.block()
			s.cut()
			s.talk()
		},
		"an end is behind an offer that was cut": func(s *stage) {
			s.tcp()
			s.cut()
			s.conn.End([]byte("last"), nil)
			s.talk()
		},
		"the peer takes nothing while a callback runs": func(s *stage) {
			s.tcp()
			s.jam()
			s.block()
			s.talk()
		},
		"the peer takes nothing of an end": func(s *stage) {
			s.tcp()
			s.jam()
			s.conn.End([]byte("last"), nil)
		},
		"the peer takes nothing of an end, and has talked and ended its half": func(s *stage) {
			s.tcp()
			s.jam()
			s.conn.End([]byte("last"), nil)
			s.talk()
			s.halfClose()
		},
		"the peer takes nothing of an end while a callback runs": func(s *stage) {
			s.tcp()
			s.jam()
			s.block()
			s.conn.End([]byte("last"), nil)
			s.talk()
			s.halfClose()
		},
		"the peer takes nothing of an end and sends more than is read": func(s *stage) {
			s.tcp()
			s.jam()
			s.conn.End([]byte("last"), nil)
			go func() { _, _ = s.far.Write(make([]byte, 16<<20)) }() // as much as goes
		},
		"Closed runs while the peer talks": func(s *stage) {
			closing := make(chan struct{})
			s.h.closed = func(engine.Conn, error) {
				close(closing)
				<-s.free
			}
			s.tcp()
			s.conn.End(nil, nil)
			await(s.t, "Closed", closing)
			s.talk()
			s.halfClose()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &stage{t: t, e: engine.NewLoops(1, nil), free: make(chan struct{})}
			defer s.e.Close()
			defer close(s.free)
			arrange(s)
			s.quiet()
		})
	}
}

// An end waits for its peer for two seconds, and its loop rests meanwhile.
func TestALoopRestsWhileAnEndWaitsForItsPeer(t *testing.T) {
	t.Parallel()
	s := &stage{t: t, e: engine.NewLoops(1, nil)}
	closed := make(chan struct{})
	s.h.closed = func(engine.Conn, error) { close(closed) }
	s.tcp()
	s.conn.End([]byte("last"), nil)
	await(t, "Closed", closed)
	if got := readFull(t, s.far, 4); got != "last" {
		t.Errorf("%q", got)
	}
	before := s.e.Counts().Polls
	if _, err := s.far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	write(t, s.far, "late")
	<-time.After(time.Second)
	if n := s.e.Counts().Polls - before; n > 10 {
		t.Errorf("%d polls", n)
	}
	s.e.Close()
}

// Closed may still run when the peer has closed: the descriptor does not wait for
// the end of the end's time.
func TestAnEndIsOverWhenItsPeerClosesWhileClosedRuns(t *testing.T) {
	t.Parallel()
	s := &stage{t: t, e: engine.NewLoops(1, nil)}
	closing, leave := make(chan struct{}), make(chan struct{})
	s.h.closed = func(engine.Conn, error) {
		close(closing)
		<-leave
	}
	near, far := pair(t)
	left := make(chan time.Time, 1)
	s.far = far
	s.conn = s.e.Adopt(owned{near, left}, nil, &s.h, &engine.Options{Budget: 100})
	s.conn.End(nil, nil)
	await(t, "Closed", closing)
	began := time.Now()
	s.halfClose()
	if took := await(t, "the close of the descriptor", left).Sub(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
	close(leave)
}

// An owned link tells when what was taken out of it has been closed.
type owned struct {
	net.Conn
	left chan<- time.Time
}

func (o owned) Bare() net.Conn       { return o.Conn }
func (o owned) Detach() engine.Owner { return o }
func (o owned) Left()                { o.left <- time.Now() }

func TestWhatAPeerOfAUnixSocketSentBeforeItClosedIsReadBehindACallback(t *testing.T) {
	t.Parallel()
	for _, slow := range []bool{false, true} {
		s := &stage{t: t, e: engine.NewLoops(1, nil)}
		got, hung, running, leave := make(chan string, 10), make(chan struct{}, 10), make(chan struct{}), make(chan struct{})
		s.h.data = func(_ engine.Conn, b []byte) { got <- string(b) }
		s.h.hangup = func(c engine.Conn) {
			hung <- struct{}{}
			c.Abort(nil)
		}
		near, far := unixPair(t)
		s.on(near, far, &engine.Options{Budget: 100})
		s.conn.Call(func(engine.Conn) {
			close(running)
			<-leave
		})
		await(t, "the call", running)
		if slow { // the loop goes on without the callback
			s.handedOver()
		}
		write(t, far, "last")
		_ = far.Close() // it has said all
		s.quiet()
		close(leave)
		if b := await(t, "Data", got); b != "last" {
			t.Errorf("%q", b)
		}
		await(t, "Hangup", hung)
	}
}

// A peer of a unix socket that closes in order, while its last bytes are dealt with,
// hangs up: it is no failure.
func TestAPeerOfAUnixSocketThatClosesDuringACallbackHangsUp(t *testing.T) {
	t.Parallel()
	s := &stage{t: t, e: engine.NewLoops(1, nil)}
	running, leave, hung := make(chan struct{}), make(chan struct{}), make(chan struct{}, 10)
	s.h.data = func(engine.Conn, []byte) {
		close(running)
		<-leave
	}
	s.h.hangup = func(c engine.Conn) {
		hung <- struct{}{}
		c.Abort(nil)
	}
	near, far := unixPair(t)
	s.on(near, far, &engine.Options{Budget: 100})
	write(t, far, "last")
	await(t, "Data", running)
	s.handedOver() // the loop goes on without the callback
	_ = far.Close()
	await(t, "Hangup", hung)
	close(leave)
}
