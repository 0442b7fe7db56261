package leat_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/leat-dev/leat"
)

func TestAnIdleConnectionIsClosedWithoutAnAnswer(t *testing.T) {
	_, url := start(t, &leat.Config{Timeouts: leat.Timeouts{Inactivity: 100 * time.Millisecond}}, nil)
	for request, want := range map[string]string{
		"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n":    "HTTP/1.1 204 ", // RFC 9110, 9.3.7
		"OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n\r\n": "HTTP/1.1 421 ",
		"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n":        "HTTP/1.1 400 ",
		"GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n":    "HTTP/1.1 404 ",
	} {
		got := exchange(t, url, request)
		if !strings.HasPrefix(got, want) || strings.Count(got, "HTTP/1.1") != 1 {
			t.Errorf("%q: %q", request, got)
		}
	}
}

func TestShutdownBeforeRunLeavesNoListener(t *testing.T) {
	srv, err := leat.New(&leat.Config{Listen: []string{"http://127.0.0.1:0"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	if c, err := net.Dial("tcp", strings.TrimPrefix(srv.URLs()[0], "http://")); err == nil {
		_ = c.Close()
		t.Error("the listener is open")
	}
}

func TestRunEndsWellWhenOthersEndTheServer(t *testing.T) {
	for how, end := range map[string]func(*leat.Server) error{
		"Close":    (*leat.Server).Close,
		"Shutdown": func(s *leat.Server) error { return s.Shutdown(t.Context()) },
	} {
		for range 20 {
			srv, err := leat.New(&leat.Config{Listen: []string{"http://127.0.0.1:0", "http://127.0.0.1:0"}, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			srv.Handle("/", say("ok"))
			if err := srv.Listen(); err != nil {
				t.Fatal(err)
			}
			ran := make(chan error, 1)
			go func() { ran <- srv.Run(t.Context()) }()
			_ = get(t, srv.URLs()[0])
			if err := end(srv); err != nil {
				t.Errorf("%s: %v", how, err)
			}
			if err := <-ran; err != nil {
				t.Fatalf("Run after %s: %v", how, err)
			}
		}
	}
}

// talk sends requests on one connection and reads their answers.
func talk(t *testing.T, c net.Conn, requests ...string) []*http.Response {
	t.Helper()
	in := bufio.NewReader(c)
	var got []*http.Response
	for _, request := range requests {
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("%q: %v", request, err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("%q: %v", request, err)
		}
		resp.Body = io.NopCloser(strings.NewReader(string(b)))
		got = append(got, resp)
	}
	return got
}

func TestAHostThatIsNoneIsMisdirected(t *testing.T) {
	_, url := start(t, nil, func(s *leat.Server) { s.Handle("/", say("ok")) })
	for _, c := range []struct {
		request string
		want    int
	}{
		{"GET / HTTP/1.1\r\nHost: localhost.:1\r\n\r\n", 200},
		{"GET / HTTP/1.1\r\nHost: LOCALHOST\r\n\r\n", 200},
		{"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 200},
		{"GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", 200},
		{"GET / HTTP/1.1\r\nHost: localhost@evil.example\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: evil.example@localhost\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", 421},
		{"GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n", 421},
		{"GET / HTTP/1.1\r\nHost: 0.0.0.0\r\n\r\n", 421},
		{"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 421}, // RFC 9112, 3.2.2: the URL counts
		{"GET http://localhost/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200},
		{"GET / HTTP/1.1\r\nHost: \r\n\r\n", 421},
		{"GET / HTTP/1.1\r\nHost: .\r\n\r\n", 421},
		{"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 421},
		{"GET / HTTP/1.1\r\nHost: []\r\n\r\n", 421},
		{"GET / HTTP/1.1\r\n\r\n", 400}, // RFC 9112, 3.2
		{"GET / HTTP/1.0\r\n\r\n", 421},
	} {
		if got := talk(t, dial(t, url), c.request)[0].StatusCode; got != c.want {
			t.Errorf("%q: %d, not %d", c.request, got, c.want)
		}
	}
}

func TestALoopbackListenerAnswersToItsOwnAddress(t *testing.T) {
	srv, err := leat.New(&leat.Config{Listen: []string{"http://127.0.0.2:0"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Listen(); err != nil {
		t.Logf("this system has only 127.0.0.1: %v", err)
		return
	}
	srv.Handle("/", say("ok"))
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- srv.Run(ctx) }()
	if code, _, got := status(t, "GET", srv.URLs()[0]); code != 200 {
		t.Errorf("%s: %d %s", srv.URLs()[0], code, got)
	}
	stop()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

// h2c is a client that speaks HTTP/2 without TLS.
func h2c(t *testing.T) *http.Client {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func TestTheLimitOfRequestsHoldsOnHTTP2(t *testing.T) {
	remotes := make(chan string, 6)
	_, url := start(t, &leat.Config{Limits: leat.Limits{Requests: 2}}, func(s *leat.Server) {
		s.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) { remotes <- r.RemoteAddr })
	})
	client := h2c(t)
	for range 6 {
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	close(remotes)
	connections := map[string]int{}
	for remote := range remotes {
		connections[remote]++
	}
	if len(connections) < 3 {
		t.Errorf("%v", connections)
	}
}

func TestALimitThatHasAnsweredBeginsNoStream(t *testing.T) {
	for style, hold := range holds {
		t.Run(style, func(t *testing.T) {
			begun := make(chan error, 1)
			_, url := start(t, &leat.Config{Limits: leat.Limits{Body: 3}}, func(s *leat.Server) {
				s.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.ReadAll(r.Body) // the error is ignored
					s, err := leat.NDJSON(w, r, &leat.StreamOptions{Request: time.Second})
					begun <- err
					if err == nil {
						hold(s)
					}
				})
			})
			got := exchange(t, url, "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
			if !strings.HasPrefix(got, "HTTP/1.1 413 ") || !strings.HasSuffix(got, "limits.body (3 bytes)\n") {
				t.Errorf("got %q", got)
			}
			if err := <-begun; err == nil {
				t.Error("a stream began")
			}
		})
	}
}

func TestAHandlerThatPanicsEndsItsStreamByThatReason(t *testing.T) {
	j := newJournal()
	reasons := make(chan error, 1)
	srv, url := start(t, &leat.Config{Logger: j.logger()}, func(s *leat.Server) {
		s.HandleFunc("/{how}", func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.NDJSON(w, r, nil)
			if err != nil {
				return
			}
			s.OnClose(func(err error) { reasons <- err })
			switch r.PathValue("how") {
			case "before":
				panic("before")
			case "after":
				_ = s.Send(1)
				panic("after")
			case "abort":
				_ = s.Send(1)
				panic(http.ErrAbortHandler)
			case "deferred":
				defer s.Close()
				_ = s.Send(1)
				panic("deferred")
			}
		})
	})
	if code, _, _ := status(t, "GET", url+"/before"); code != 500 {
		t.Errorf("status %d", code)
	}
	j.wait(t, map[string]any{"msg": "request", "path": "/before", "status": 500, "end": "panic"})
	if err := <-reasons; err == nil {
		t.Error("no reason")
	}
	for _, path := range []string{"/after", "/abort", "/deferred"} {
		if b, err := io.ReadAll(get(t, url+path).Body); err == nil {
			t.Errorf("%s: the reader sees a whole answer: %q", path, b)
		}
		if err := <-reasons; err == nil && path != "/deferred" {
			t.Errorf("%s: no reason", path)
		}
	}
	j.wait(t, map[string]any{"msg": "request", "path": "/after", "status": 200, "end": "panic"})
	j.wait(t, map[string]any{"msg": "request", "path": "/abort", "end": "failed"})
	j.wait(t, map[string]any{"msg": "request", "path": "/deferred", "end": "panic"})
	if got := fmt.Sprint(srv.Stats().StreamsEnded); got != "map[done:1 failed:1 panic:2]" {
		t.Error(got)
	}
}

func TestCloseEndsWhatAShutdownCouldNotInAMountedServer(t *testing.T) {
	srv, err := leat.New(&leat.Config{Logger: slog.New(slog.DiscardHandler), Timeouts: leat.Timeouts{Write: leat.Never}})
	if err != nil {
		t.Fatal(err)
	}
	streams := make(chan *leat.Stream, 1)
	srv.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.NDJSON(w, r, &leat.StreamOptions{Queue: 9 << 20})
		if err != nil {
			return
		}
		s.Every(time.Hour, func() error {
			defer func() { streams <- s }()
			return s.Send(strings.Repeat("x", 8<<20))
		})
	})
	ts := httptest.NewServer(srv)
	defer ts.Close()
	c := dial(t, ts.URL)
	if err := c.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") // and nothing is read
	s := <-streams
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Shutdown: %v", err)
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("the stream lives")
	}
}

func TestAllowNamesTheMethodsOfAHandlerWithoutARoute(t *testing.T) {
	_, url := start(t, nil, func(s *leat.Server) {
		s.Handle("POST /only", say("posted"))
		s.Handle("DELETE /only", say("deleted"))
	})
	for _, method := range []string{"PUT", "OPTIONS"} {
		code, header, _ := status(t, method, url+"/only")
		if want := map[string]int{"PUT": 405, "OPTIONS": 204}[method]; code != want {
			t.Errorf("%s: %d", method, code)
		}
		if allow := header.Get("Allow"); allow != "DELETE, GET, HEAD, OPTIONS, POST" {
			t.Errorf("%s: Allow: %s", method, allow)
		}
	}
}

func TestAnHTTP2ReaderThatEndsItsHalfInAFrameIsGone(t *testing.T) {
	srv, url := start(t, &leat.Config{Timeouts: leat.Timeouts{Heartbeat: leat.Never, Parse: leat.Never}}, nil)
	readers := map[string]net.Conn{}
	for _, sent := range []string{
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x01\x00\x00\x00\x00\x00\x01", // SETTINGS, and DATA without its byte
		"PRI * HTTP/2.",
		"GET / HTTP/1.",
	} {
		c := dial(t, url)
		if _, err := io.WriteString(c, sent); err != nil {
			t.Fatal(err)
		}
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		readers[sent] = c
	}
	for sent, c := range readers {
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Errorf("%q: %v, %d connections", sent, err, srv.Stats().Connections)
		}
	}
}

func TestABodyThatIsReadAfterTheHandlerIsAnErrorAndNoPanic(t *testing.T) {
	read := make(chan error, 1)
	ended := make(chan struct{})
	_, url := start(t, nil, func(s *leat.Server) {
		s.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.NDJSON(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			_ = s.Send(1)
			go func() {
				<-ended
				_, err := io.Copy(io.Discard, r.Body)
				read <- err
			}()
		})
	})
	resp, err := http.Post(url, "text/plain", strings.NewReader("something"))
	if err != nil {
		t.Fatal(err)
	}
	_ = body(t, resp)
	close(ended)
	if err := <-read; err == nil {
		t.Error("the body was read for nobody")
	}
}

func TestARefusalOnHTTP2LeavesTheConnectionToTheOthers(t *testing.T) {
	_, url := start(t, &leat.Config{Limits: leat.Limits{Body: 10}}, func(s *leat.Server) {
		s.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) })
	})
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	opened := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		if !c.Reused {
			opened++
		}
	}})
	for range 3 {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("more than ten bytes"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("status %d", resp.StatusCode)
		}
	}
	if opened != 1 {
		t.Errorf("%d connections", opened)
	}
}

func TestASourceThatFailsIsNotItsReadersLeaving(t *testing.T) {
	j := newJournal()
	_, url := start(t, &leat.Config{Logger: j.logger()}, func(s *leat.Server) {
		s.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, io.MultiReader(strings.NewReader("some"), iotest.ErrReader(errors.New("the disk is gone"))))
		})
	})
	_ = body(t, get(t, url+"/x"))
	j.wait(t, map[string]any{"path": "/x", "end": "failed"})
}
