package leat_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// Senders race with each other and with Close. The reader gets whole lines and
// a clean end, and whoever sends afterwards is told.
func TestSendersRacingWithCloseTearNothing(t *testing.T) {
	handlers := map[string]func(*leat.Stream, func()){
		"blocking": func(s *leat.Stream, senders func()) {
			defer s.Close()
			senders()
			_ = s.Send("the handler's")
		},
		"hold": func(s *leat.Stream, senders func()) {
			senders()
			s.Hold()
		},
		"every": func(s *leat.Stream, senders func()) {
			defer s.Close()
			senders()
			s.Every(time.Millisecond, func() error { return s.Send("tick") })
		},
		"send, then hold": func(s *leat.Stream, senders func()) {
			_ = s.Send("first")
			senders()
			s.Hold()
		},
	}
	for server, serve := range servers {
		for style, run := range handlers {
			t.Run(server+" "+style, func(t *testing.T) {
				var late sync.WaitGroup
				url := serve(t, func(w http.ResponseWriter, r *http.Request) {
					s, err := leat.NDJSON(w, r, &leat.StreamOptions{Queue: 4 << 20})
					if err != nil {
						t.Error(err)
						return
					}
					run(s, func() {
						for i := range 8 {
							late.Go(func() {
								line := strings.Repeat(fmt.Sprint(i), 10+i)
								for n := 0; ; n++ {
									err := s.Send(line)
									if errors.Is(err, leat.ErrClosed) {
										return
									}
									if err != nil && !errors.Is(err, leat.ErrSlowReader) { // a busy machine's reader is slow
										t.Errorf("Send: %v", err)
										return
									}
									if i == 7 && n == 20 {
										_ = s.Close()
									}
								}
							})
						}
					})
				})
				for range 8 {
					c := reach(t, url, request)
					resp := c.response()
					text, err := io.ReadAll(resp.Body)
					if err != nil {
						t.Fatalf("the end is not clean: %v", err)
					}
					for line := range bytes.Lines(text) {
						if !json.Valid(line) {
							t.Fatalf("torn: %q", line)
						}
					}
					_ = c.Close()
				}
				late.Wait()
			})
		}
	}
}

// A sender that outlives its handler writes nothing into the answers that
// follow on the same connection.
func TestSenderThatOutlivesItsHandlerNeverReachesTheNextAnswer(t *testing.T) {
	for server, serve := range servers {
		t.Run(server, func(t *testing.T) {
			var senders sync.WaitGroup
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/stream" {
					_, _ = io.WriteString(w, strings.Repeat("plain ", 100))
					return
				}
				s, err := leat.SSE(w, r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				for range 4 {
					senders.Go(func() {
						for range 2000 {
							_ = s.SendEvent(leat.Event{Data: "STRAY"})
						}
					})
				}
				_ = s.Comment("begun")
			})
			c := reach(t, url, "")
			for range 50 {
				_, _ = io.WriteString(c, request+"GET /plain HTTP/1.1\r\nHost: localhost\r\n\r\n")
				if got := body(t, c.response()); !strings.HasPrefix(got, ": begun") && !strings.HasPrefix(got, "data: STRAY") {
					t.Fatalf("the stream: %.100q", got)
				}
				if got := body(t, c.response()); got != strings.Repeat("plain ", 100) {
					t.Fatalf("the answer after it: %.200q", got)
				}
			}
			senders.Wait()
		})
	}
}

func TestHostileValuesStayInTheirRecords(t *testing.T) {
	values := []any{
		json.RawMessage("{\n\"a\"\r\n:\r1\n}"), "a\nb\r\nc\rd\u2028e\u2029f",
		map[string]any{"\n\n": "\ndata: evil\n\n"},
		"\xff\xfe invalid", "\x00\ufeff", json.Number("1e999"), nil,
		[]any{},
		&struct{ A any }{"<script>&"},
	}
	events := []leat.Event{
		{Data: "a\n\ndata: evil\r\n\r\nid: 9"},
		{ID: "1", Name: "n", Data: "\r"},
		{Data: []byte("\n\n")},
		{Name: "x"},
		{Data: map[string]string{"\n": "\r"}},
		{ID: "\u2028", Data: " leading"},
	}
	refused := []leat.Event{{ID: "1\n2", Data: "x"}, {Name: "a\rb", Data: "x"}, {ID: "\x00"}, {Name: "a\nevent: b"}, {Data: make(chan int)}}
	for _, accept := range []string{"application/x-ndjson", "text/event-stream"} {
		t.Run(accept, func(t *testing.T) {
			_, url := start(t, nil, func(srv *leat.Server) {
				srv.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
					s, err := leat.Records(w, r, nil)
					if err != nil {
						t.Error(err)
						return
					}
					defer s.Close()
					for _, v := range values {
						if err := s.Send(v); err != nil {
							t.Errorf("%q: %v", v, err)
						}
					}
					for _, e := range events {
						if err := s.SendEvent(e); err != nil {
							t.Errorf("%q: %v", e, err)
						}
					}
					for _, e := range refused {
						if err := s.SendEvent(e); err == nil || errors.Is(err, leat.ErrClosed) {
							t.Errorf("%+v: %v, want it refused and the stream alive", e, err)
						}
					}
					if err := s.Send(func() {}); err == nil {
						t.Error("a function is no value")
					}
					if err := s.Comment("x\ndata: evil\r\n\r\n{}\n"); err != nil {
						t.Error(err)
					}
				})
			})
			resp := get(t, url+"/", "Accept", accept)
			if accept == "text/event-stream" {
				var got []leat.Event
				for e, err := range leat.ReadEvents(resp.Body) {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, e)
				}
				if len(got) != len(values)+len(events) {
					t.Fatalf("%d events, want %d: %q", len(got), len(values)+len(events), got)
				}
				for i, e := range got[:len(values)] {
					if !json.Valid([]byte(e.Text())) {
						t.Errorf("%q became %q", values[i], e.Text())
					}
				}
				if got := got[len(values)].Text(); got != "a\n\ndata: evil\n\nid: 9" {
					t.Errorf("%q", got)
				}
				return
			}
			n := 0
			for _, err := range leat.ReadRecords(resp.Body) {
				if err != nil {
					t.Error(err)
				}
				n++
			}
			if n != len(values)+len(events) {
				t.Errorf("%d records, want %d", n, len(values)+len(events))
			}
		})
	}
}

func TestRecordLargerThanTheQueueIsRefusedAndTheStreamLives(t *testing.T) {
	errs := make(chan error, 1)
	_, url := stream(t, nil, &leat.StreamOptions{Queue: 1000}, func(s *leat.Stream) {
		first := true
		s.Every(time.Millisecond, func() error {
			if !first {
				return leat.Done
			}
			first = false
			errs <- s.Send(strings.Repeat("x", 2000))
			return s.Send("small")
		})
	})
	if got := body(t, reach(t, url, request).response()); got != "\"small\"\n" {
		t.Errorf("body %q", got)
	}
	if err := receive(t, "Send", errs); !errors.Is(err, leat.ErrTooLarge) {
		t.Errorf("Send: %v", err)
	}
}

// Everything may be called from everywhere, callbacks included.
func TestCallbacksThatCallBackDoNotLockUp(t *testing.T) {
	for name, run := range map[string]func(*leat.Stream){
		"Close in fn": func(s *leat.Stream) {
			s.Every(time.Millisecond, func() error { return s.Close() })
		},
		"Close in fn, and more": func(s *leat.Stream) {
			s.Every(time.Millisecond, func() error {
				_ = s.Close()
				_ = s.Send("late")
				s.SetInterval(time.Second)
				s.ExtendTimeout(time.Second)
				s.UpdateDeadline()
				s.Hold()
				s.Every(time.Millisecond, func() error { return nil })
				return s.Close()
			})
		},
		"a new fn in fn": func(s *leat.Stream) {
			s.Every(time.Millisecond, func() error {
				s.Every(time.Millisecond, func() error { return leat.Done })
				return nil
			})
		},
		"OnClose in OnClose": func(s *leat.Stream) {
			s.OnClose(func(error) {
				s.OnClose(func(error) { _ = s.Send("late") })
				_ = s.Close()
			})
			s.Every(time.Millisecond, func() error { return leat.Done })
		},
		"ten Closes": func(s *leat.Stream) {
			for range 10 {
				go func() { _ = s.Close() }()
			}
			s.Hold()
		},
		"Close before the hand-over": func(s *leat.Stream) {
			_ = s.Close()
			s.Every(time.Millisecond, func() error { panic("not called") })
		},
		"fn that waits for the end": func(s *leat.Stream) {
			time.AfterFunc(20*time.Millisecond, func() { _ = s.Close() })
			s.Every(time.Millisecond, func() error {
				<-s.Context().Done()
				return nil
			})
		},
		"an error of its own": func(s *leat.Stream) {
			s.Every(time.Millisecond, func() error { return errors.New("mine") })
		},
		"a panic in fn": func(s *leat.Stream) {
			s.Every(time.Millisecond, func() error { panic("mine") })
		},
		"a panic in OnClose": func(s *leat.Stream) {
			s.OnClose(func(error) { panic("mine") })
			s.Every(time.Millisecond, func() error { return leat.Done })
		},
	} {
		for _, proto := range []string{"HTTP/1.1", "HTTP/2"} {
			t.Run(name+" "+proto, func(t *testing.T) {
				done := make(chan (<-chan struct{}), 1)
				srv, url := stream(t, nil, nil, func(s *leat.Stream) {
					done <- s.Done()
					run(s)
				})
				tr := &http.Transport{Protocols: new(http.Protocols)}
				tr.Protocols.SetHTTP1(proto == "HTTP/1.1")
				tr.Protocols.SetUnencryptedHTTP2(proto == "HTTP/2")
				defer tr.CloseIdleConnections()
				resp, err := (&http.Client{Transport: tr, Timeout: patience}).Get(url + "/stream")
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal("the reader sees no end")
				}
				receive(t, "Done", receive(t, "the stream", done))
				eventually(t, "the stream given back", func() bool { return srv.Stats().Streams == 0 })
			})
		}
	}
}
