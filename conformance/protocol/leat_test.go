package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// TestServer holds Leat's server against every case, in both styles.
func TestServer(t *testing.T) {
	s := startLeat(t)
	holdAll(t, "events", s.subject(echoEvents))
	holdAll(t, "blocking", s.subject(echoBlocking))
}

// TestClient holds Leat's client against every case, in both styles.
func TestClient(t *testing.T) {
	srv, err := leat.New(&leat.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	holdAll(t, "events", leatClient(srv, echoEvents))
	holdAll(t, "blocking", leatClient(srv, echoBlocking))
	noSocket(t, srv)
}

// leatClient is a client that belongs to srv.
func leatClient(srv *leat.Server, e echo) *subject {
	return &subject{name: "Leat's client", tells: true, blocking: e == echoBlocking, dial: func(url string, how setup, ended chan<- outcome) {
		o := leat.DialOptions{SocketOptions: e.options(how, ended), Server: srv}
		s, err := leat.Dial(context.Background(), url, &o)
		if err != nil {
			ended <- outcome{0, err}
			return
		}
		e.run(s, ended)
		<-s.Done()
	}}
}

// holdAll holds a subject against every case.
func holdAll(t *testing.T, name string, s *subject) {
	t.Run(name, func(t *testing.T) {
		for _, c := range allCases() {
			if c.only != "" && c.only != s.role() {
				continue
			}
			if is := c.category(); s.blocking && scale > 1 && (is == "12" || is == "13") {
				continue // the event style compresses as this one does
			}
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				if err := perform(t, s, c, patience); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// A leatServer is a Leat server whose handlers echo as a path's setup says.
type leatServer struct {
	srv  *leat.Server
	addr string
	mu   sync.Mutex
	ends map[string]chan outcome // by the name of the setup
}

// An outcome is what the subject's application hears of the end.
type outcome struct {
	code int
	err  error
}

func startLeat(t *testing.T) *leatServer {
	t.Helper()
	s := &leatServer{ends: map[string]chan outcome{}}
	var err error
	s.srv, err = leat.New(&leat.Config{
		Listen: []string{"http://127.0.0.1:0"},
		Logger: slog.New(slog.DiscardHandler),
		Limits: leat.Limits{MaxMessage: mostMessage, MaxFrame: leat.Unlimited, WebSockets: leat.Unlimited},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.srv.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		how := setupOf(r)
		style := echoEvents
		if r.URL.Query().Has("blocking") {
			style = echoBlocking
		}
		ended := s.end(r.URL.Query().Get("name"))
		o := style.options(how, ended)
		if r.URL.Query().Has("sender") {
			o = senderOptions(how)
		}
		socket, err := leat.Upgrade(w, r, &o)
		if err == nil {
			style.run(socket, ended)
		}
	})
	s.addr = run(t, s.srv)
	return s
}

// run runs a server until the test ends, when no socket may live any more.
func run(t *testing.T, srv *leat.Server) (addr string) {
	t.Helper()
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- srv.Run(ctx) }()
	t.Cleanup(func() {
		noSocket(t, srv)
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	return strings.TrimPrefix(srv.URLs()[0], "http://")
}

// noSocket waits until the server has no socket any more.
func noSocket(t *testing.T, srv *leat.Server) {
	t.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(patience); srv.Stats().Sockets != 0; <-look.C {
		if time.Now().After(end) {
			t.Errorf("%d sockets live on", srv.Stats().Sockets)
			return
		}
	}
}

// subject is the server with handlers of a style.
func (s *leatServer) subject(e echo) *subject {
	return &subject{name: "Leat's server", addr: s.addr, blocking: e == echoBlocking, ended: s.end}
}

// end is where the end of the socket with a name is told.
func (s *leatServer) end(name string) chan outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ends[name] == nil {
		s.ends[name] = make(chan outcome, 1)
	}
	return s.ends[name]
}

// An echo is a style of Leat's sockets.
type echo bool

const (
	echoEvents   echo = false
	echoBlocking echo = true
)

func (e echo) options(how setup, ended chan<- outcome) leat.SocketOptions {
	o := leat.SocketOptions{
		ContextTakeover: how.takeover,
		DeflateMin:      1,
		MaxMessage:      how.limit(),
		MaxFrame:        how.maxFrame,
		MaxPacket:       how.maxPacket,
	}
	if how.frames {
		o.PreserveFrames = leat.On
	}
	if how.anyText {
		o.ValidateUTF = leat.Off
	}
	if e == echoEvents {
		o.Queue = 64 << 20
		o.Message = func(s *leat.Socket, m leat.Message) { _, _ = s.Send(m) }
		o.Close = func(_ *leat.Socket, code int, _ string, err error) { ended <- outcome{code, err} }
	}
	return o
}

// run does what a handler does after it has opened the socket.
func (e echo) run(s *leat.Socket, ended chan<- outcome) {
	if e == echoEvents {
		return
	}
	for {
		m, err := s.Read(context.Background())
		if err == nil {
			_, err = s.Write(context.Background(), m)
		}
		if err != nil {
			break
		}
	}
	<-s.Done()
	ended <- outcome{s.CloseStatus(), s.Err()}
}

// check holds what the application has heard against the case.
func (o outcome) check(c testCase) error {
	var broken *leat.ProtocolError
	switch {
	case o.code != c.code:
		return fmt.Errorf("the application hears of code %d, want %d (%v)", o.code, c.code, o.err)
	case c.broken && (!errors.As(o.err, &broken) || broken.Code != c.code || broken.Section == ""):
		return fmt.Errorf("the application hears of %v, want a ProtocolError of %d", o.err, c.code)
	case !c.broken && o.err != nil:
		return fmt.Errorf("the application hears of %v after an orderly close", o.err)
	}
	return nil
}

// hear waits for the outcome.
func hear(ended <-chan outcome, c testCase) error {
	select {
	case o := <-ended:
		return o.check(c)
	case <-time.After(patience):
		return errors.New("the application hears nothing of the end")
	}
}
