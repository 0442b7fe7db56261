package leat_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// start runs a server on a free port and gives its URL. It is drained, and
// must have ended well, when the test ends.
func start(t *testing.T, c *leat.Config, register func(*leat.Server)) (*leat.Server, string) {
	t.Helper()
	if c == nil {
		c = &leat.Config{}
	}
	c.Listen = []string{"http://127.0.0.1:0"}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	srv, err := leat.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if register != nil {
		register(srv)
	}
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- srv.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ran; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return srv, srv.URLs()[0]
}

func get(t *testing.T, url string, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// styles are a stream of three records in each style.
var styles = map[string]func(s *leat.Stream){
	"blocking": func(s *leat.Stream) {
		defer s.Close()
		for i := range 3 {
			_ = s.Send(i)
		}
	},
	"event": func(s *leat.Stream) {
		defer s.Close() // a deferred Close no longer ends what was handed over
		i := 0
		s.Every(time.Millisecond, func() error {
			if i == 3 {
				return leat.Done
			}
			i++
			return s.Send(i - 1)
		})
	},
	"hold": func(s *leat.Stream) {
		go func() {
			for i := range 3 {
				_ = s.Send(i)
			}
			_ = s.Close()
		}()
		s.Hold()
	},
}

// servers run a handler under a Leat server, and under net/http alone.
var servers = map[string]func(t *testing.T, h http.HandlerFunc) string{
	"leat": func(t *testing.T, h http.HandlerFunc) string {
		_, url := start(t, nil, func(s *leat.Server) { s.HandleFunc("/", h) })
		return url
	},
	"net/http": func(t *testing.T, h http.HandlerFunc) string {
		ts := httptest.NewServer(h)
		t.Cleanup(ts.Close)
		return ts.URL
	},
}

func TestEachRecordArrivesAndTheEndIsClean(t *testing.T) {
	for server, serve := range servers {
		for style, run := range styles {
			for _, proto := range []string{"HTTP/1.1", "HTTP/2"} {
				if server == "net/http" && proto == "HTTP/2" {
					continue // httptest has it only behind TLS
				}
				t.Run(server+" "+style+" "+proto, func(t *testing.T) {
					url := serve(t, func(w http.ResponseWriter, r *http.Request) {
						s, err := leat.NDJSON(w, r, nil)
						if err != nil {
							t.Error(err)
							return
						}
						run(s)
					})
					tr := &http.Transport{Protocols: new(http.Protocols)}
					tr.Protocols.SetHTTP1(proto == "HTTP/1.1")
					tr.Protocols.SetUnencryptedHTTP2(proto == "HTTP/2")
					defer tr.CloseIdleConnections()
					resp, err := (&http.Client{Transport: tr}).Get(url + "/x")
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close()
					if got := body(t, resp); got != "0\n1\n2\n" {
						t.Errorf("body %q", got)
					}
					if got := resp.Header.Get("Content-Type"); got != "application/x-ndjson" {
						t.Errorf("Content-Type %q", got)
					}
					if resp.Proto[:6] != proto[:6] {
						t.Errorf("proto %s", resp.Proto)
					}
				})
			}
		}
	}
}
