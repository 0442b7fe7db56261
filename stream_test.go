package leat_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// start runs a server on a free port, unless it is to listen elsewhere, and gives
// its URL. It is drained, and must have ended well, when the test ends.
func start(t *testing.T, c *leat.Config, register func(*leat.Server)) (*leat.Server, string) {
	t.Helper()
	if c == nil {
		c = &leat.Config{}
	}
	if c.Listen == nil {
		c.Listen = []string{"http://127.0.0.1:0"}
	}
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
		go sendThree(s)
		s.Hold()
	},
}

// sendThree sends three records and ends the stream.
func sendThree(s *leat.Stream) {
	for i := range 3 {
		_ = s.Send(i)
	}
	_ = s.Close()
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

func TestTheLogCountsEachByteOfAStreamOnce(t *testing.T) {
	for style, run := range styles {
		for proto, framed := range map[string]int{"HTTP/1.1": len("2\r\n0\n\r\n"), "HTTP/2": len("0\n")} {
			t.Run(style+" "+proto, func(t *testing.T) {
				run := run
				if style == "hold" && proto == "HTTP/1.1" { // where Hold returns at once: before it net/http makes the chunks
					run = func(s *leat.Stream) {
						s.Hold()
						go sendThree(s)
					}
				}
				j := newJournal()
				_, url := start(t, &leat.Config{Logger: j.logger()}, func(srv *leat.Server) {
					srv.HandleFunc("/counted", func(w http.ResponseWriter, r *http.Request) {
						s, err := leat.NDJSON(w, r, nil)
						if err != nil {
							t.Error(err)
							return
						}
						run(s)
					})
				})
				tr := &http.Transport{Protocols: new(http.Protocols)}
				tr.Protocols.SetHTTP1(proto == "HTTP/1.1")
				tr.Protocols.SetUnencryptedHTTP2(proto == "HTTP/2")
				defer tr.CloseIdleConnections()
				resp, err := (&http.Client{Transport: tr}).Get(url + "/counted?a=query")
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if got := body(t, resp); got != "0\n1\n2\n" {
					t.Errorf("body %q", got)
				}
				if style == "blocking" {
					framed = len("0\n") // net/http makes the chunks
				}
				j.wait(t, map[string]any{"msg": "request", "method": "GET", "path": "/counted", "status": 200, "bytes": 3 * framed, "end": "done"})
			})
		}
	}
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

func TestAStreamHasTheHeadersThatProxiesNeed(t *testing.T) {
	_, url := start(t, nil, func(s *leat.Server) {
		s.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "7")
			s, err := leat.Records(w, r, nil)
			if err != nil {
				return
			}
			defer s.Close()
			_ = s.Send(1)
		})
	})
	for accept, want := range map[string][2]string{
		"":                                    {"application/x-ndjson", "1\n"},
		"*/*":                                 {"application/x-ndjson", "1\n"},
		"text/html,*/*;q=0.8":                 {"application/x-ndjson", "1\n"},
		"application/x-ndjson":                {"application/x-ndjson", "1\n"},
		"text/event-stream":                   {"text/event-stream", "data: 1\n\n"},
		"Text/Event-Stream; charset=utf-8":    {"text/event-stream", "data: 1\n\n"},
		"text/event-stream, application/json": {"text/event-stream", "data: 1\n\n"},
		"text/event-stream;q=0":               {"application/x-ndjson", "1\n"},
		"text/event-stream;q=0.5, application/x-ndjson;q=0.4": {"text/event-stream", "data: 1\n\n"},
		"text/event-stream;q=0.3, application/x-ndjson":       {"application/x-ndjson", "1\n"},
	} {
		resp := get(t, url, "Accept", accept)
		if got := body(t, resp); got != want[1] || resp.Header.Get("Content-Type") != want[0] {
			t.Errorf("Accept %q: %s %q", accept, resp.Header.Get("Content-Type"), got)
		}
		for name, want := range map[string]string{
			"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no", "Content-Length": "", "Vary": "Accept",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
}

func TestAStreamInHTTP10EndsWithItsConnection(t *testing.T) {
	for style, run := range styles {
		_, url := start(t, nil, func(s *leat.Server) {
			s.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
				if s, err := leat.NDJSON(w, r, nil); err == nil {
					run(s)
				}
			})
		})
		got := exchange(t, url, "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
		head, rest, _ := strings.Cut(got, "\r\n\r\n")
		if rest != "0\n1\n2\n" || strings.Contains(head, "chunked") { // RFC 9112, 6.3
			t.Errorf("%s: %q", style, got)
		}
	}
}

func TestHEADGetsTheHeaderOfAStreamAndNothingElse(t *testing.T) {
	for style, run := range styles {
		_, url := start(t, nil, func(s *leat.Server) {
			s.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
				s, err := leat.SSE(w, r, nil)
				if err != nil {
					return
				}
				run(s)
				if s.Err() != nil || s.Context().Err() == nil {
					t.Errorf("%v %v", s.Err(), s.Context().Err())
				}
			})
		})
		// The connection stays usable: the second answer follows the first.
		got := exchange(t, url, "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\nHEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if strings.Count(got, "HTTP/1.1 200 OK") != 2 || strings.Count(got, "text/event-stream") != 2 || !strings.HasSuffix(got, "\r\n\r\n") {
			t.Errorf("%s: %q", style, got)
		}
	}
}

func TestTheConnectionIsReusableAfterTheBlockingStyle(t *testing.T) {
	_, url := start(t, nil, func(s *leat.Server) {
		s.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.NDJSON(w, r, nil)
			if err != nil {
				return
			}
			defer s.Close()
			_ = s.Send(r.URL.Path)
		})
	})
	got := exchange(t, url, "GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\nGET /2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	if strings.Count(got, "\r\n0\r\n\r\n") != 2 || !strings.Contains(got, "\"/1\"\n") || !strings.Contains(got, "\"/2\"\n") {
		t.Errorf("%q", got)
	}
}

func TestAStreamThatBeginsByAHandOverSaysThatItsConnectionEnds(t *testing.T) {
	_, url := start(t, nil, func(s *leat.Server) {
		s.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			w.Header()["X-Exact"] = []string{"a", "b"}
			s, err := leat.NDJSON(w, r, nil)
			if err != nil {
				return
			}
			s.Every(time.Hour, func() error {
				_ = s.Send("record")
				return leat.Done
			})
		})
	})
	got := exchange(t, url, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n")
	head, rest, _ := strings.Cut(got, "\r\n\r\n")
	if !strings.Contains(head, "Connection: close") || !strings.Contains(head, "X-Exact: a\r\nX-Exact: b") {
		t.Errorf("header %q", head)
	}
	if rest != "9\r\n\"record\"\n\r\n0\r\n\r\n" { // RFC 9112, 7.1
		t.Errorf("body %q", rest)
	}
}

func TestAWrapperThatHidesFlushIsToldAtOnce(t *testing.T) {
	rec := httptest.NewRecorder()
	hidden := struct{ http.ResponseWriter }{rec}
	_, err := leat.NDJSON(hidden, httptest.NewRequest("GET", "/", nil), nil)
	if !errors.Is(err, leat.ErrNoStreaming) || rec.Code != 500 {
		t.Errorf("%v, status %d", err, rec.Code)
	}
}

func TestEventsAreTheSameInBothFormats(t *testing.T) {
	_, url := start(t, nil, func(s *leat.Server) {
		s.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.Records(w, r, nil)
			if err != nil {
				return
			}
			defer s.Close()
			_ = s.SendEvent(leat.Event{ID: "1", Name: "text", Data: "two\r\nlines", Retry: 3 * time.Second})
			_ = s.SendEvent(leat.Event{Data: []byte("bytes")})
			_ = s.SendEvent(leat.Event{ID: s.LastEventID(), Name: "json", Data: map[string]int{"n": 1}})
			_ = s.Comment("nobody\nreads this")
			for _, bad := range []leat.Event{{ID: "a\nb"}, {Name: "a\rb"}, {ID: "a\x00b"}} {
				if err := s.SendEvent(bad); err == nil {
					t.Errorf("%q was sent", bad)
				}
			}
			if err := s.Send(make(chan int)); err == nil {
				t.Error("a channel is no JSON")
			}
		})
	})
	sse := "id: 1\nevent: text\nretry: 3000\ndata: two\ndata: lines\n\ndata: bytes\n\nid: 41\nevent: json\ndata: {\"n\":1}\n\n: nobody\n: reads this\n\n"
	if got := body(t, get(t, url, "Accept", "text/event-stream", "Last-Event-ID", "41")); got != sse {
		t.Errorf("got %q", got)
	}
	ndjson := "{\"id\":\"1\",\"event\":\"text\",\"data\":\"two\\r\\nlines\"}\n{\"data\":\"bytes\"}\n{\"id\":\"41\",\"event\":\"json\",\"data\":{\"n\":1}}\n\n"
	if got := body(t, get(t, url, "Last-Event-ID", "41")); got != ndjson {
		t.Errorf("got %q", got)
	}
}

func TestOneValueIsOneLineWhateverItHolds(t *testing.T) {
	_, url := start(t, nil, func(s *leat.Server) {
		s.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.NDJSON(w, r, nil)
			if err != nil {
				return
			}
			defer s.Close()
			_ = s.Send(json.RawMessage("{\n\"a\":\r\n1}"))
			_ = s.Send("<line>\n\u2028")
		})
	})
	if got := body(t, get(t, url)); got != "{\"a\":1}\n\"<line>\\n\\u2028\"\n" {
		t.Errorf("got %q", got)
	}
}

func TestEveryCallAfterTheEndIsRefused(t *testing.T) {
	var s *leat.Stream
	closes := 0
	_, url := start(t, nil, func(srv *leat.Server) {
		srv.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			s, _ = leat.NDJSON(w, r, nil)
			s.OnClose(func(error) { closes++ })
			_ = s.Close()
			_ = s.Close()
			s.OnClose(func(error) { closes++ }) // at once
		})
	})
	_ = body(t, get(t, url))
	<-s.Done()
	for name, err := range map[string]error{
		"Send": s.Send(1), "SendEvent": s.SendEvent(leat.Event{}), "Comment": s.Comment(""),
	} {
		if !errors.Is(err, leat.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Every(time.Hour, func() error { t.Error("called"); return nil })
	s.Hold()
	s.ExtendTimeout(time.Hour)
	s.UpdateDeadline()
	s.SetInterval(time.Hour)
	if closes != 2 || s.Err() != nil || s.Context().Err() == nil {
		t.Errorf("%d closes, %v, %v", closes, s.Err(), s.Context().Err())
	}
}

func TestCloseFromAnywhereEndsAHandOver(t *testing.T) {
	for name, closer := range map[string]func(s *leat.Stream, inside chan func()){
		"another goroutine": func(s *leat.Stream, _ chan func()) { go s.Close() },
		"its own function":  func(s *leat.Stream, inside chan func()) { inside <- func() { _ = s.Close() } },
	} {
		t.Run(name, func(t *testing.T) {
			inside := make(chan func(), 1)
			_, url := start(t, nil, func(srv *leat.Server) {
				srv.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
					s, err := leat.NDJSON(w, r, nil)
					if err != nil {
						return
					}
					defer s.Close()
					_ = s.Send("before")
					closer(s, inside)
					s.Every(time.Millisecond, func() error {
						select {
						case fn := <-inside:
							fn()
						default:
						}
						return nil
					})
				})
			})
			if got := body(t, get(t, url)); got != "\"before\"\n" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestSendingAllocatesNothing(t *testing.T) {
	sent := make(chan float64, 1)
	_, url := start(t, nil, func(srv *leat.Server) {
		srv.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.NDJSON(w, r, &leat.StreamOptions{Queue: 1 << 30})
			if err != nil {
				return
			}
			v := &struct{ N int }{1}
			s.Every(time.Hour, func() error {
				sent <- testing.AllocsPerRun(1000, func() { _ = s.Send(v) })
				return leat.Done
			})
		})
	})
	_ = body(t, get(t, url))
	// The queue grows now and then; a record of its own costs nothing.
	if n := <-sent; n >= 1 && !underRace {
		t.Errorf("%v allocations a record", n)
	}
}

func TestAnHTTP2ReaderWhoseWindowIsFullStallsItsStreamAlone(t *testing.T) {
	j := newJournal()
	srv, url := start(t, &leat.Config{Logger: j.logger(), Timeouts: leat.Timeouts{Write: 300 * time.Millisecond}}, func(s *leat.Server) {
		s.HandleFunc("/event", func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.NDJSON(w, r, nil)
			if err != nil {
				return
			}
			s.Every(time.Millisecond, func() error { return s.Send(strings.Repeat("x", 10<<10)) })
		})
		s.HandleFunc("/blocking", func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.NDJSON(w, r, nil)
			if err != nil {
				return
			}
			defer s.Close()
			for s.Send(strings.Repeat("x", 10<<10)) == nil {
			}
		})
		s.HandleFunc("/other", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "served") })
	})
	tr := &http.Transport{Protocols: new(http.Protocols), HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10}}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr}
	for _, path := range []string{"/event", "/blocking"} {
		resp, err := client.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		j.wait(t, map[string]any{"path": path, "end": "timeouts.write"})
		other, err := client.Get(url + "/other") // on the same connection
		if err != nil {
			t.Fatal(err)
		}
		if got := body(t, other); got != "served" {
			t.Errorf("got %q", got)
		}
		_ = other.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err == nil {
			t.Errorf("%s: the reader does not see that something is missing", path)
		}
		_ = resp.Body.Close()
	}
	if n := srv.Stats().Connections; n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestAnHTTP2RequestToAnotherHostIsMisdirected(t *testing.T) {
	_, url := start(t, nil, func(s *leat.Server) { s.HandleFunc("/", func(http.ResponseWriter, *http.Request) {}) })
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "evil.example"
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusMisdirectedRequest { // RFC 9110, 15.5.20
		t.Errorf("status %d", resp.StatusCode)
	}
}
