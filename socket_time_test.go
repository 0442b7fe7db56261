package leat_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// A timed peer reads in the background, so that pipes do not hold the server up,
// and tells when each frame came.
type timedPeer struct {
	*wsPeer
	frames chan timedFrame // closed at the end
}

type timedFrame struct {
	at   time.Duration
	text string
}

// inSocketTime runs a socket in a bubble of its own time: what the peer does,
// and then what came of it.
func inSocketTime(t *testing.T, o leat.SocketOptions, do func(t *testing.T, s *leat.Socket, p *timedPeer, ends chan timedFrame)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ends := make(chan timedFrame, 1)
		sockets := make(chan *leat.Socket, 1)
		o.Open = func(s *leat.Socket) { sockets <- s }
		o.Close = func(_ *leat.Socket, code int, reason string, err error) {
			ends <- timedFrame{time.Since(began), outcome{code, reason, err}.String()}
		}
		l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		hs := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = leat.Upgrade(w, r, &o) })}
		go func() { _ = hs.Serve(l) }()
		near, far := net.Pipe()
		l.conns <- near
		p := &timedPeer{wsPeer: shakeOn(t, far, "x", "/"), frames: make(chan timedFrame, 1000)}
		go func() {
			defer close(p.frames)
			for {
				h, payload, err := p.next()
				if err != nil {
					return
				}
				p.frames <- timedFrame{time.Since(began), describe(h, payload)}
			}
		}()
		do(t, <-sockets, p, ends)
		_ = far.Close()
		_ = hs.Close()
		synctest.Wait()
		time.Sleep(time.Minute) //nolint:forbidigo // in the bubble: whatever still waits comes to its end
	})
}

// sleep passes the time of the bubble.
func sleep(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // in a bubble
	synctest.Wait()
}

func TestAPingGoesOutWhenNothingWasReceivedForItsInterval(t *testing.T) {
	inSocketTime(t, leat.SocketOptions{PingEvery: 10 * time.Second, Inactivity: leat.Never}, func(t *testing.T, s *leat.Socket, p *timedPeer, ends chan timedFrame) {
		for range 20 { // it is heard from, and sends
			sleep(5 * time.Second)
			p.text("here")
			_, _ = s.SendText("news")
		}
		synctest.Wait()
		for range 20 {
			if f := <-p.frames; f.text != "text news" {
				t.Fatalf("%v", f)
			}
		}
		for range 20 { // it only listens, and answers: a busy feed does not count as life
			sleep(time.Second)
			_, _ = s.SendText("news")
			if f := <-p.frames; f.text == "ping" {
				p.frame(ws.Header{Fin: true, Opcode: ws.OpPong}, "")
				<-p.frames
			}
		}
		last := time.Now()
		pinged := 0
		for range 60 {
			sleep(time.Second)
			_, _ = s.SendText("news")
			synctest.Wait()
			for len(p.frames) > 0 {
				if f := <-p.frames; f.text == "ping" {
					if pinged++; time.Since(last) < 8*time.Second {
						t.Errorf("pinged after %v", time.Since(last))
					}
					last = time.Now()
					p.frame(ws.Header{Fin: true, Opcode: ws.OpPong}, "")
				}
			}
		}
		if pinged < 5 || pinged > 8 {
			t.Errorf("%d pings in a minute", pinged)
		}
		if len(ends) > 0 {
			t.Error(<-ends)
		}
	})
}

func TestAPeerThatAnswersNoPingIsGone(t *testing.T) {
	inSocketTime(t, leat.SocketOptions{PingEvery: 10 * time.Second, Inactivity: leat.Never}, func(t *testing.T, s *leat.Socket, p *timedPeer, ends chan timedFrame) {
		for range 30 {
			sleep(time.Second)
			_, _ = s.SendText("news") // it takes them, but is dead
		}
		end := <-ends
		if want := `1001 "webSockets.ping" leat: no pong came (webSockets.ping)`; end.text != want || end.at < 18*time.Second || end.at > 21*time.Second {
			t.Errorf("got %v", end)
		}
	})
}

// A slow callback does not convict an innocent peer.
func TestTheClocksStandWhileACallbackRuns(t *testing.T) {
	o := leat.SocketOptions{PingEvery: 10 * time.Second, Inactivity: 15 * time.Second}
	o.Message = func(_ *leat.Socket, m leat.Message) { sleepFor(string(m.Data)) }
	inSocketTime(t, o, func(t *testing.T, _ *leat.Socket, p *timedPeer, ends chan timedFrame) {
		p.text("10m")
		sleep(10*time.Minute - time.Second)
		if len(ends) > 0 || len(p.frames) > 0 {
			t.Fatalf("%v %v", ends, p.frames)
		}
		sleep(12 * time.Second)
		if f := <-p.frames; f.text != "ping" || f.at < 10*time.Minute+8*time.Second {
			t.Errorf("got %v", f)
		}
		p.frame(ws.Header{Fin: true, Opcode: ws.OpPong}, "")
		p.close(1000, "")
		if end := <-ends; !strings.HasPrefix(end.text, "1000") {
			t.Error(end)
		}
	})
}

func sleepFor(text string) {
	d, err := time.ParseDuration(text)
	if err != nil {
		panic(err)
	}
	time.Sleep(d) //nolint:forbidigo // in the bubble
}

func TestTimeoutsCloseWith1001AndTheirName(t *testing.T) {
	for name, c := range map[string]struct {
		o    leat.SocketOptions
		do   func(s *leat.Socket, p *timedPeer)
		want string
		at   time.Duration
	}{
		"inactivity": {leat.SocketOptions{Inactivity: time.Minute}, nil, "timeouts.inactivity", time.Minute},
		"inactivity after a pong": {leat.SocketOptions{Inactivity: time.Minute}, func(_ *leat.Socket, p *timedPeer) {
			sleep(30 * time.Second)
			p.frame(ws.Header{Fin: true, Opcode: ws.OpPong}, "")
		}, "timeouts.inactivity", 90 * time.Second},
		"inactivity after a message": {leat.SocketOptions{Inactivity: time.Minute}, func(s *leat.Socket, _ *timedPeer) { sleep(30 * time.Second); _, _ = s.SendText("x") }, "timeouts.inactivity", 90 * time.Second},
		"request":                    {leat.SocketOptions{Request: time.Hour, PingEvery: time.Minute, Inactivity: leat.Never}, nil, "timeouts.request", time.Hour},
		"inactivity extended":        {leat.SocketOptions{Inactivity: time.Minute}, func(s *leat.Socket, _ *timedPeer) { s.ExtendTimeout(time.Minute) }, "timeouts.inactivity", 2 * time.Minute},
		"request extended":           {leat.SocketOptions{Request: time.Minute}, func(s *leat.Socket, _ *timedPeer) { s.ExtendTimeout(time.Minute) }, "timeouts.request", 2 * time.Minute},
		"request begun anew":         {leat.SocketOptions{Request: time.Minute}, func(s *leat.Socket, _ *timedPeer) { sleep(30 * time.Second); s.UpdateDeadline() }, "timeouts.request", 90 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inSocketTime(t, c.o, func(t *testing.T, s *leat.Socket, p *timedPeer, ends chan timedFrame) {
				if c.do != nil {
					c.do(s, p)
				}
				for f := range p.frames {
					if f.text == "ping" {
						p.frame(ws.Header{Fin: true, Opcode: ws.OpPong}, "")
						continue
					}
					if strings.HasPrefix(f.text, "text") {
						continue
					}
					if f.text != "close 1001 "+c.want || f.at != c.at {
						t.Errorf("got %v, want %s at %v", f, c.want, c.at)
					}
					break
				}
				var late *leat.TimeoutError
				p.close(1001, "")
				end := <-ends
				<-s.Done()
				if !errors.As(s.Err(), &late) || late.Key != c.want || s.CloseStatus() != 1001 || s.CloseReason() != c.want {
					t.Errorf("got %v", end)
				}
			})
		})
	}
}

func TestTheRequestTimeoutDoesNotWaitForACallback(t *testing.T) {
	o, ends := closes()
	free := make(chan struct{})
	o.Message = func(*leat.Socket, leat.Message) { <-free }
	o.Request = 50 * time.Millisecond
	p := connect(t, socketServer(t, nil, &o, nil))
	p.text("block")
	p.want("close 1001 timeouts.request")
	p.close(1001, "")
	close(free)
	p.wantEnd()
	if end := within(t, ends); end.code != 1001 || end.reason != "timeouts.request" {
		t.Error(end)
	}
}

// RFC 6455, 7.1.1: the close handshake does not wait for ever.
func TestACloseThatNobodyAnswersIsBounded(t *testing.T) {
	inSocketTime(t, leat.SocketOptions{}, func(t *testing.T, s *leat.Socket, p *timedPeer, ends chan timedFrame) {
		_ = s.Close()
		if f := <-p.frames; f.text != "close 1000" {
			t.Errorf("got %v", f)
		}
		end := <-ends
		if end.at != 5*time.Second || !strings.HasPrefix(end.text, "1006") || !errors.Is(s.Err(), leat.ErrGone) {
			t.Errorf("got %v, %v", end, s.Err())
		}
	})
}

// A peer that takes one byte a second does not keep its connection for ever.
func TestAnEndThatDripsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ends := make(chan string, 1)
		o := &leat.SocketOptions{Deflate: leat.Off, Message: func(s *leat.Socket, _ leat.Message) {
			for i := range 100 {
				_, _ = s.SendText(fmt.Sprint(i, strings.Repeat("x", 1000)))
			}
			_ = s.CloseWith(4000, "over")
		}, Close: func(_ *leat.Socket, code int, reason string, err error) { ends <- outcome{code, reason, err}.String() }}
		l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		hs := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = leat.Upgrade(w, r, o) })}
		go func() { _ = hs.Serve(l) }()
		near, far := net.Pipe()
		l.conns <- near
		p := shakeOn(t, far, "x", "/")
		began := time.Now()
		p.text("go")
		for {
			b := make([]byte, 1)
			if _, err := far.Read(b); err != nil {
				break
			}
			sleep(time.Second)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		if end := <-ends; !strings.HasPrefix(end, "1006") {
			t.Error(end)
		}
		_ = far.Close()
		_ = hs.Close()
		sleep(time.Minute)
	})
}
