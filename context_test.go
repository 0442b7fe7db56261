package leat_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

type valueKey struct{}

// withValue is a middleware that puts a value into the request's context.
func withValue(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), valueKey{}, "kept")))
	})
}

// places are where a value may have been put into a request's context.
var places = map[string]func(t *testing.T, h http.HandlerFunc) string{
	"by a middleware behind a Leat server": func(t *testing.T, h http.HandlerFunc) string {
		_, url := start(t, nil, func(s *leat.Server) { s.Handle("/", withValue(h)) })
		return url
	},
	"by a middleware in front of one": func(t *testing.T, h http.HandlerFunc) string {
		return behind(t, func(inner http.Handler) *httptest.Server {
			return httptest.NewUnstartedServer(withValue(inner))
		}, h)
	},
	"by a Leat server in front of another": func(t *testing.T, h http.HandlerFunc) string {
		inner := handling(t, h)
		_, url := start(t, nil, func(s *leat.Server) { s.Handle("/", withValue(inner)) })
		return url
	},
	"for all connections of an http.Server": func(t *testing.T, h http.HandlerFunc) string {
		return behind(t, func(inner http.Handler) *httptest.Server {
			ts := httptest.NewUnstartedServer(inner)
			ts.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
				return context.WithValue(ctx, valueKey{}, "kept")
			}
			return ts
		}, h)
	},
	"by a middleware without a Leat server": func(t *testing.T, h http.HandlerFunc) string {
		ts := httptest.NewServer(withValue(h))
		t.Cleanup(ts.Close)
		return ts.URL
	},
}

// handling is a Leat server for an http.Server of the user's.
func handling(t *testing.T, h http.HandlerFunc) *leat.Server {
	t.Helper()
	srv, err := leat.New(&leat.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv.HandleFunc("/", h)
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv
}

func behind(t *testing.T, front func(inner http.Handler) *httptest.Server, h http.HandlerFunc) string {
	t.Helper()
	ts := front(handling(t, h))
	ts.Start()
	t.Cleanup(ts.Close)
	return ts.URL
}

func TestTheContextHasTheValuesOfOthers(t *testing.T) {
	for name, serve := range places {
		t.Run("socket, a value put in "+name, func(t *testing.T) {
			sockets := make(chan *leat.Socket, 1)
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = leat.Upgrade(w, r, &leat.SocketOptions{Open: func(s *leat.Socket) { sockets <- s }}) // else nothing comes
			})
			p := connect(t, url+"/ws")
			s := within(t, sockets)
			if got := s.Context().Value(valueKey{}); got != "kept" {
				t.Errorf("the value is %v", got)
			}
			p.close(leat.CloseNormal, "")
			within(t, s.Context().Done())
		})
		t.Run("stream, a value put in "+name, func(t *testing.T) {
			streams := make(chan *leat.Stream, 1)
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if s, err := leat.NDJSON(w, r, nil); err == nil {
					defer func() { streams <- s }()
					s.Hold()
				}
			})
			c := dial(t, url)
			if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			s := within(t, streams)
			if got := s.Context().Value(valueKey{}); got != "kept" {
				t.Errorf("the value is %v", got)
			}
			_ = s.Close() // what it answers is not asked here
			within(t, s.Context().Done())
		})
	}
}

// A context that is asked for after the end has ended, and for the same reason as
// one that was asked for before.
func TestTheContextTellsWhyItEnded(t *testing.T) {
	sockets, streams := make(chan *leat.Socket, 1), make(chan *leat.Stream, 1)
	_, url := start(t, nil, func(srv *leat.Server) {
		srv.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
			_, _ = leat.Upgrade(w, r, &leat.SocketOptions{Open: func(s *leat.Socket) { sockets <- s }}) // else nothing comes
		})
		srv.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
			if s, err := leat.NDJSON(w, r, nil); err == nil {
				s.Every(time.Hour, func() error { return s.Send(1) })
				streams <- s
			}
		})
	})
	type living interface {
		Context() context.Context
		Done() <-chan struct{}
		Err() error
	}
	opened := map[string]func() (living, net.Conn){
		"socket": func() (living, net.Conn) {
			p := connect(t, url+"/ws")
			return within(t, sockets), p.conn
		},
		"stream": func() (living, net.Conn) {
			c := dial(t, url)
			if _, err := io.WriteString(c, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			return within(t, streams), c
		},
	}
	for kind, open := range opened {
		for _, early := range []bool{true, false} {
			name := kind + " asked after its end"
			if early {
				name = strings.Replace(name, "after", "before", 1)
			}
			t.Run(name, func(t *testing.T) {
				s, c := open()
				done := make(<-chan struct{})
				if early {
					done = s.Context().Done()
					if s.Context() != s.Context() {
						t.Error("it is another each time")
					}
				}
				_ = c.Close() // without a word
				within(t, s.Done())
				if early {
					within(t, done)
				}
				within(t, s.Context().Done())
				if cause := context.Cause(s.Context()); !errors.Is(cause, leat.ErrGone) || !errors.Is(s.Err(), leat.ErrGone) {
					t.Errorf("cause %v, Err %v", cause, s.Err())
				}
			})
		}
	}
}

// Who waits in the handler hears of the end by the request's context.
func TestTheRequestsContextEndsWithItsSocket(t *testing.T) {
	for style, o := range map[string]*leat.SocketOptions{"blocking": nil, "event": {Message: func(*leat.Socket, leat.Message) {}}} {
		t.Run(style, func(t *testing.T) {
			ended := make(chan error, 1)
			_, url := start(t, nil, func(srv *leat.Server) {
				srv.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
					if _, err := leat.Upgrade(w, r, o); err != nil {
						t.Error(err)
						return
					}
					select {
					case <-r.Context().Done():
						ended <- r.Context().Err()
					case <-time.After(patience):
						ended <- nil
					}
				})
			})
			p := connect(t, url+"/ws")
			p.close(leat.CloseNormal, "")
			if within(t, ended) == nil {
				t.Error("it has not ended")
			}
		})
	}
}
