package leat_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// pair is both ends of a socket: the server's is in the event style.
func pair(t *testing.T, server, client leat.SocketOptions) (near, far *leat.Socket) {
	t.Helper()
	sockets := make(chan *leat.Socket, 1)
	if open := server.Open; open != nil {
		server.Open = func(s *leat.Socket) { sockets <- s; open(s) }
	} else {
		server.Open = func(s *leat.Socket) { sockets <- s }
	}
	url := socketServer(t, nil, &server, nil)
	far, err := leat.Dial(t.Context(), "ws"+strings.TrimPrefix(url, "http"), &leat.DialOptions{SocketOptions: client})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	return within(t, sockets), far
}

// A frame that comes with the handshake makes Open come at the same time as the
// end of Upgrade.
func TestOpenMayPingAtOnce(t *testing.T) {
	o, ends := closes()
	o.Open = func(s *leat.Socket) {
		if err := s.Ping([]byte("first")); err != nil {
			t.Errorf("Ping: %v", err)
		}
	}
	url := socketServer(t, nil, &o, nil)
	host, _, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	early := ws.AppendClose(nil, ws.Header{Masked: true, Key: peerKey}, 1000, "")
	for range 100 {
		p := shakeOn(t, dial(t, "http://"+host), host, "/ws", "X-Last: yes\r\n\r\n"+string(early)+"behind: it")
		p.want("ping first", "close 1000")
		p.wantEnd()
		if end := within(t, ends); end.code != 1000 {
			t.Error(end)
		}
	}
}

func TestACallbackThatEndsItsGoroutineClosesWith1011(t *testing.T) {
	for name, set := range map[string]func(o *leat.SocketOptions){
		"Open":    func(o *leat.SocketOptions) { o.Open = func(*leat.Socket) { runtime.Goexit() } },
		"Message": func(o *leat.SocketOptions) { o.Message = func(*leat.Socket, leat.Message) { runtime.Goexit() } },
		"Ping":    func(o *leat.SocketOptions) { o.Ping = func(*leat.Socket, []byte) { runtime.Goexit() } },
	} {
		t.Run(name, func(t *testing.T) {
			o, ends := closes()
			set(&o)
			p := connect(t, socketServer(t, nil, &o, nil))
			if name == "Ping" {
				p.frame(ws.Header{Fin: true, Opcode: ws.OpPing}, "")
				p.want("pong")
			} else {
				p.text("go")
			}
			p.want("close 1011 the program failed")
			p.wantEnd()
			if end := within(t, ends); end.code != 1011 || end.err == nil {
				t.Errorf("got %v", end)
			}
		})
	}
}

func TestAnEndWhoseCallbackEndsItsGoroutineIsAnEnd(t *testing.T) {
	for name, fail := range map[string]func(){"Goexit": runtime.Goexit, "panic": func() { panic("on purpose") }} {
		t.Run(name, func(t *testing.T) {
			sockets := make(chan *leat.Socket, 1)
			o := &leat.SocketOptions{
				Open:  func(s *leat.Socket) { sockets <- s },
				Close: func(*leat.Socket, int, string, error) { fail() },
			}
			p := connect(t, socketServer(t, nil, o, nil))
			p.close(1000, "")
			p.want("close 1000")
			within(t, within(t, sockets).Done())
		})
	}
}

func TestARefusedSendLeavesTheContextInStep(t *testing.T) {
	near, far := pair(t, leat.SocketOptions{ContextTakeover: true, Queue: 64 << 10}, leat.SocketOptions{ContextTakeover: true})
	noise := make([]byte, 60<<10)
	r := rand.NewChaCha8([32]byte{})
	_, _ = r.Read(noise)
	n := 0
	for ; ; n++ {
		_, err := near.Send(leat.Binary(noise[:20<<10]))
		if errors.Is(err, leat.ErrSlowReader) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	large := append(bytes.Repeat([]byte("l"), 200<<10), noise[:40<<10]...)
	if _, err := near.Send(leat.Binary(large)); err == nil {
		n++
	} else if !errors.Is(err, leat.ErrSlowReader) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range n {
		if _, err := far.Read(ctx); err != nil {
			t.Fatal(err)
		}
	}
	last := noise[36<<10 : 40<<10]
	if _, err := near.Write(ctx, leat.Binary(last)); err != nil {
		t.Fatal(err)
	}
	if m, err := far.Read(ctx); err != nil || !bytes.Equal(m.Data, last) {
		t.Errorf("%d bytes, %v", len(m.Data), err)
	}
}

func TestWritableWaitsForALargeMessageToo(t *testing.T) {
	large := leat.Binary(make([]byte, 8<<20))
	calls, early := 0, 0 // they do not overlap
	done := make(chan struct{})
	fill := func(s *leat.Socket) {
		for n := 0; ; n++ {
			if _, err := s.Send(large); err != nil {
				if n == 0 {
					early++
				}
				return
			}
		}
	}
	pings := make(chan struct{})
	ping := func(*leat.Socket, []byte) { pings <- struct{}{} }
	s, p := held(t, leat.SocketOptions{Queue: 64 << 10, MaxMessage: 8 << 20, Deflate: leat.Off, Ping: ping, Writable: func(s *leat.Socket) {
		if calls++; calls == 3 {
			close(done)
			_ = s.CloseWith(4000, "")
		}
		fill(s)
	}})
	fill(s)
	for range 20 { // callbacks that come meanwhile have their turn
		p.frame(ws.Header{Fin: true, Opcode: ws.OpPing}, "")
		within(t, pings)
	}
	for closed := false; !closed; {
		h, _, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		closed = h.Opcode == ws.OpClose
	}
	within(t, done)
	if early > 1 { // the call that closes sends nothing
		t.Errorf("Writable came %d times while the large message waited", early-1)
	}
}

func TestTrySendGoesOnUntilAllIsSent(t *testing.T) {
	noise := make([]byte, 300<<10)
	r := rand.NewChaCha8([32]byte{})
	_, _ = r.Read(noise)
	for name, o := range map[string]leat.SocketOptions{
		"plain":                      {Deflate: leat.Off},
		"compressed":                 {},
		"context takeover":           {ContextTakeover: true},
		"a tiny queue":               {Queue: 1, Deflate: leat.Off},
		"a small queue":              {Queue: 100},
		"tiny frames":                {MaxFrame: 1, Deflate: leat.Off},
		"short frames with context":  {MaxFrame: 100, ContextTakeover: true},
		"frames with context":        {MaxFrame: 1000, ContextTakeover: true, Queue: 10_000},
		"a small queue with context": {Queue: 200, ContextTakeover: true, DeflateMin: 1},
	} {
		for kind, data := range map[string][]byte{"noise": noise, "text": bytes.Repeat([]byte("leat "), 60<<10)} {
			t.Run(name+", "+kind, func(t *testing.T) {
				if strings.Contains(name, "queue") {
					data = data[:5000]
				}
				m := leat.Binary(data)
				var calls atomic.Int64
				more := func(s *leat.Socket) {
					if len(m.Data) == 0 {
						return
					}
					if calls.Add(1) > 100_000 {
						t.Errorf("it makes no progress: %d bytes are left", len(m.Data))
						m.Data = nil
						_ = s.CloseWith(4000, "")
						return
					}
					n, err := s.TrySend(m)
					if err != nil {
						t.Errorf("TrySend: %v", err)
						_ = s.CloseWith(4000, "")
						return
					}
					m = m.Rest(n)
				}
				o.Open, o.Writable = more, more
				_, far := pair(t, o, leat.SocketOptions{ContextTakeover: o.ContextTakeover})
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				got, err := far.Read(ctx)
				if err != nil || !bytes.Equal(got.Data, data) {
					t.Errorf("%d bytes, %v", len(got.Data), err)
				}
			})
		}
	}
}

func TestTrySendRefusesATextWholeThatIsNotUTF8(t *testing.T) {
	s, p := held(t, leat.SocketOptions{Queue: 1 << 10})
	text := append(bytes.Repeat([]byte("x"), 10_000), 0xff)
	if n, err := s.TrySend(leat.Message{Type: leat.TextMessage, Data: text, Last: true}); n != 0 || !errors.Is(err, leat.ErrInvalidUTF8) {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := s.SendText("next"); err != nil {
		t.Fatal(err)
	}
	p.want("text next")
}

func TestTheLongestTimesAreNever(t *testing.T) {
	const longest = time.Duration(math.MaxInt64)
	s, p := held(t, leat.SocketOptions{PingEvery: longest, Write: longest, Inactivity: longest, Request: longest})
	s.ExtendTimeout(longest)
	s.ExtendTimeout(longest)
	p.text("dropped")
	p.frame(ws.Header{Fin: true, Opcode: ws.OpPing}, "")
	p.want("pong")
	s.UpdateDeadline()
	p.close(1000, "")
	p.want("close 1000")
}

// RFC 6455, 5.5.2: what a callback does is not the peer's sign of life.
func TestACallbackIsNoSignOfThePeersLife(t *testing.T) {
	o := leat.SocketOptions{PingEvery: 10 * time.Second, Inactivity: leat.Never, Queue: 2 << 10, Deflate: leat.Off}
	o.Writable = func(*leat.Socket) { sleepFor("100ms") }
	inSocketTime(t, o, func(t *testing.T, s *leat.Socket, p *timedPeer, ends chan timedFrame) {
		for range 40 { // it takes everything, but is dead
			sleep(time.Second)
			for range 4 {
				_, _ = s.SendBinary(make([]byte, 1<<10))
			}
		}
		_ = p.conn.Close()
		if end := <-ends; !strings.Contains(end.text, "webSockets.ping") || end.at > 30*time.Second {
			t.Error(end)
		}
	})
}

func TestASocketsOwnWriteTimeoutHoldsAboveTheServers(t *testing.T) {
	c := &leat.Config{Timeouts: leat.Timeouts{Write: 100 * time.Millisecond}}
	patient, o := leat.SocketOptions{Write: leat.Never, Deflate: leat.Off}, leat.SocketOptions{Deflate: leat.Off}
	ends := make(chan error, 4)
	fill := func(s *leat.Socket) { _, _ = s.Write(t.Context(), leat.Binary(make([]byte, 16<<20))) }
	end := func(_ *leat.Socket, _ int, _ string, err error) { ends <- err }
	patient.Open, patient.Close, o.Open, o.Close = fill, end, fill, end
	patient.MaxMessage, o.MaxMessage = 16<<20, 16<<20
	p := connect(t, socketServer(t, c, &patient, nil))
	url := socketServer(t, c, &o, nil)
	for range 3 { // they go first
		connect(t, url)
		if err := within(t, ends); !errors.Is(err, leat.ErrStalled) {
			t.Error(err)
		}
	}
	drain(t, p, 1)
	p.close(1000, "")
	if err := within(t, ends); err != nil {
		t.Error(err)
	}
}

func TestAHandlerThatPanicsEndsItsSocketInTheEventStyleToo(t *testing.T) {
	for name, v := range map[string]any{"a panic": "on purpose", "an abort": http.ErrAbortHandler} {
		t.Run(name, func(t *testing.T) {
			o, ends := closes()
			p := connect(t, socketServer(t, nil, &o, func(*leat.Socket) { panic(v) }))
			p.want("close 1011 the program failed")
			p.wantEnd()
			if end := within(t, ends); end.code != 1011 || end.err == nil {
				t.Error(end)
			}
		})
	}
}

func TestARequestThatHasItsAnswerIsNoHandshake(t *testing.T) {
	results := make(chan error, 2)
	srv, url := start(t, nil, func(srv *leat.Server) {
		srv.HandleFunc("/{how}", func(w http.ResponseWriter, r *http.Request) {
			o := &leat.SocketOptions{Message: func(*leat.Socket, leat.Message) {}}
			if r.PathValue("how") == "written" {
				_, _ = io.WriteString(w, "hello")
			} else if _, err := leat.Upgrade(w, r, o); err != nil {
				t.Error(err)
			}
			_, err := leat.Upgrade(w, r, o)
			results <- err
		})
	})
	p := shake(t, url+"/written")
	if text, err := io.ReadAll(p.resp.Body); string(text) != "hello" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	connect(t, url+"/twice")
	for range 2 {
		if err := within(t, results); err == nil {
			t.Error("it is taken for one")
		}
	}
	if n := srv.Stats().Sockets; n != 1 {
		t.Errorf("%d sockets", n)
	}
}

// RFC 6455, 7.1.7: the close that goes out says how the connection failed.
func TestACloseThatWaitsGivesWayToAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		o, ends := closes()
		o.Queue, o.Deflate = 16<<10, leat.Off
		o.Message = func(s *leat.Socket, _ leat.Message) {
			n = stopped(t, s, 1000) + stopped(t, s, 1)
			_ = s.CloseWith(4000, strings.Repeat("bye ", 30))
		}
		l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		hs := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = leat.Upgrade(w, r, &o) })}
		go func() { _ = hs.Serve(l) }()
		near, far := net.Pipe() // which keeps nothing
		l.conns <- near
		p := shakeOn(t, far, "x", "/")
		p.text("go")
		synctest.Wait()
		p.raw([]byte("\x81\x00"))
		synctest.Wait()
		drain(t, p, n)
		p.want("close 1002 the client's frame is not masked")
		if end := <-ends; end.code != 1002 {
			t.Error(end)
		}
		_ = far.Close()
		_ = hs.Close()
		sleep(time.Minute)
	})
}

func TestAConnectionThatIsKeptIsRefusedAndCounted(t *testing.T) {
	errs := make(chan error, 1)
	keep := http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := leat.Upgrade(w, r, nil)
		errs <- err
	}), time.Minute, "")
	srv, url := start(t, nil, func(srv *leat.Server) { srv.Handle("/", keep) })
	p := shake(t, url+"/")
	if text, _ := io.ReadAll(p.resp.Body); p.resp.StatusCode != 500 || !strings.Contains(string(text), "cannot be taken over") {
		t.Errorf("%d %q", p.resp.StatusCode, text)
	}
	if err := within(t, errs); err == nil {
		t.Error("no error")
	}
	if stats := srv.Stats(); stats.Sockets != 0 || stats.SocketsRefused != 1 {
		t.Errorf("%+v", stats)
	}
}
