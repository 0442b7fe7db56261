package leat_test

import (
	"log/slog"
	"net"
	"strings"
	"testing"
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
