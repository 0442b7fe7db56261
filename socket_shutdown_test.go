package leat_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// manual is a server that the test stops.
func manual(t *testing.T, o *leat.SocketOptions, then func(*leat.Socket)) (srv *leat.Server, url string, ran chan error, stop func()) {
	t.Helper()
	return manualFunc(t, func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.Upgrade(w, r, o)
		if err == nil && then != nil {
			then(s)
		}
	})
}

func manualFunc(t *testing.T, h http.HandlerFunc) (srv *leat.Server, url string, ran chan error, stop func()) {
	t.Helper()
	srv, err := leat.New(&leat.Config{Listen: []string{"http://127.0.0.1:0"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv.HandleFunc("/ws", h)
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran = make(chan error, 1)
	go func() { ran <- srv.Run(ctx) }()
	return srv, srv.URLs()[0] + "/ws", ran, cancel
}

func TestAServerThatStopsClosesItsSocketsSideBySide(t *testing.T) {
	o, ends := closes()
	o.Message = func(s *leat.Socket, m leat.Message) { _, _ = s.Send(m) }
	_, url, ran, stop := manual(t, &o, nil)
	peers := make([]*wsPeer, 10)
	for i := range peers {
		peers[i] = connect(t, url)
	}
	answers := len(peers) / 2
	stop()
	for i, p := range peers {
		p.want("close 1001 the server stops")
		if i < answers {
			p.close(1001, "")
			p.wantEnd()
		}
	}
	if err := within(t, ran); err != nil { // in less than timeouts.drain, which is 10 s
		t.Errorf("Run: %v", err)
	}
	orderly := 0
	for range peers {
		end := within(t, ends)
		switch {
		case end.err == nil && end.code == 1001:
			orderly++
		case !errors.Is(end.err, leat.ErrShutdown) || end.code != 1006:
			t.Errorf("got %v", end)
		}
	}
	if orderly != answers {
		t.Errorf("%d orderly ends, want %d", orderly, answers)
	}
}

func TestASocketOfTheBlockingStyleIsToldThatTheServerStops(t *testing.T) {
	result := make(chan error, 1)
	_, url, ran, stop := manual(t, nil, func(s *leat.Socket) {
		_, err := s.Read(s.Context())
		result <- err
	})
	p := connect(t, url)
	stop()
	p.want("close 1001 the server stops")
	p.close(1001, "")
	p.wantEnd()
	if err := within(t, result); !errors.Is(err, io.EOF) {
		t.Errorf("Read: %v", err)
	}
	if err := within(t, ran); err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/ws")); err == nil {
		t.Error("it still listens")
	}
}

func TestCloseEndsSocketsAtOnce(t *testing.T) {
	o, ends := closes()
	opened := make(chan struct{})
	o.Open = func(*leat.Socket) { close(opened) }
	srv, url, ran, _ := manual(t, &o, nil)
	p := connect(t, url)
	within(t, opened) // a handshake that is cut is no socket
	_ = srv.Close()
	if end := within(t, ends); !errors.Is(end.err, leat.ErrShutdown) {
		t.Errorf("got %v", end)
	}
	if _, _, err := p.next(); err == nil {
		t.Error("the connection lives")
	}
	within(t, ran)
}

// A callback that waits for the end of its own socket gets to know it.
func TestAWriterLearnsOfTheEndWhileAMessageWaitsToBeRead(t *testing.T) {
	result := make(chan error, 1)
	blocking := socketServer(t, nil, &leat.SocketOptions{Queue: 64 << 10, Deflate: leat.Off, Write: leat.Never}, func(s *leat.Socket) {
		for {
			if _, err := s.Write(s.Context(), leat.Binary(make([]byte, 32<<10))); err != nil {
				result <- err
				return
			}
		}
	})
	p := connect(t, blocking)
	p.text("nobody reads this")
	p.text("nor this, for which nothing more is read")
	p.want("binary " + string(make([]byte, 32<<10)))
	_ = p.conn.(*net.TCPConn).SetLinger(0)
	_ = p.conn.Close()
	if err := within(t, result); !errors.Is(err, leat.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestAPeerThatTakesNothingStalls(t *testing.T) {
	o, ends := closes()
	o.Write = 200 * time.Millisecond
	o.Deflate = leat.Off
	result := make(chan error, 1)
	url := socketServer(t, nil, &o, func(s *leat.Socket) {
		for {
			if _, err := s.Write(s.Context(), leat.Binary(make([]byte, 256<<10))); err != nil {
				result <- err
				return
			}
		}
	})
	connect(t, url)
	if err := within(t, result); !errors.Is(err, leat.ErrStalled) || !errors.Is(err, leat.ErrClosed) {
		t.Errorf("Write: %v", err)
	}
	if end := within(t, ends); end.code != 1006 || !errors.Is(end.err, leat.ErrStalled) {
		t.Errorf("got %v", end)
	}
}

// Sockets leave nothing behind: no goroutine, and none while they are idle but
// the engine's.
func TestSocketsLeaveNoGoroutineBehind(t *testing.T) {
	var open atomic.Int64
	o := &leat.SocketOptions{
		Open:    func(*leat.Socket) { open.Add(1) },
		Message: func(s *leat.Socket, m leat.Message) { _, _ = s.Send(m) },
		Close:   func(*leat.Socket, int, string, error) { open.Add(-1) },
	}
	url := socketServer(t, nil, o, nil)
	before := runtime.NumGoroutine() // the server itself may not have begun all of its own
	for i := range 60 {
		p := connect(t, url)
		p.text("x")
		p.want("text x")
		switch i % 4 {
		case 0:
			p.close(1000, "")
			p.want("close 1000")
			p.wantEnd()
		case 1:
			p.raw([]byte("\xff\xff\xff\xff"))
		case 2:
			p.frame(ws.Header{Opcode: ws.OpText}, "half")
		}
		_ = p.conn.Close()
	}
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > before+5 || open.Load() > 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before; %d open\n%s", runtime.NumGoroutine(), before, open.Load(), buf[:runtime.Stack(buf, true)])
		}
	}
}
