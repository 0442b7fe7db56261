package leat_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// These tests know streams only from outside: over real sockets, by readers
// that stop, break, talk back and leave at the worst moment.

// patience is how long a test waits for what must come. It is only spent when
// something is wrong.
const patience = 30 * time.Second

// A socket is a reader that speaks for itself.
type socket struct {
	*net.TCPConn
	t  testing.TB
	in *bufio.Reader
}

// reach connects to the server and sends the text. Its window does not grow, so
// that a stopped reader soon has taken all that it takes.
func reach(t testing.TB, url, text string) *socket {
	t.Helper()
	address := strings.TrimPrefix(url, "http://")
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &socket{TCPConn: c.(*net.TCPConn), t: t}
	s.in = bufio.NewReader(s)
	_ = s.SetReadBuffer(64 << 10)
	_ = s.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { _ = s.Close() })
	if _, err := io.WriteString(s, text); err != nil {
		t.Fatal(err)
	}
	return s
}

const request = "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"

// response reads the header of an answer.
func (s *socket) response() *http.Response {
	s.t.Helper()
	resp, err := http.ReadResponse(s.in, nil)
	if err != nil {
		s.t.Fatalf("no answer: %v", err)
	}
	return resp
}

// reset closes the connection with an RST.
func (s *socket) reset() {
	_ = s.SetLinger(0)
	_ = s.Close()
}

// eventually waits until it is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !so(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// receive waits for what a channel brings.
func receive[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("never: %s", what)
		panic("unreachable")
	}
}

// stream serves one stream with these options under a Leat server.
func stream(t *testing.T, c *leat.Config, o *leat.StreamOptions, run func(*leat.Stream)) (*leat.Server, string) {
	t.Helper()
	return start(t, c, func(srv *leat.Server) {
		srv.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.NDJSON(w, r, o)
			if err != nil {
				return
			}
			run(s)
		})
	})
}

// ended gives the reason of the stream's end, once.
func ended(t *testing.T, s *leat.Stream) <-chan error {
	reasons := make(chan error, 1)
	var calls atomic.Int32
	s.OnClose(func(err error) {
		if calls.Add(1) > 1 {
			t.Error("OnClose came twice")
			return
		}
		reasons <- err
	})
	return reasons
}

// hangUps are the ways to leave without a word.
var hangUps = map[string]func(*socket){
	"FIN": func(s *socket) { _ = s.Close() },
	"RST": func(s *socket) { s.reset() },
	"FIN of its half, then nothing": func(s *socket) {
		_ = s.CloseWrite()
	},
}

func TestReaderThatLeavesEndsItsStreamOnceAndForAll(t *testing.T) {
	for way, leave := range hangUps {
		t.Run("event "+way, func(t *testing.T) {
			reason, calls := make(chan (<-chan error), 1), new(atomic.Int64)
			var s *leat.Stream
			srv, url := stream(t, nil, nil, func(st *leat.Stream) {
				s = st
				reason <- ended(t, st)
				st.Every(time.Millisecond, func() error {
					calls.Add(1)
					return st.Send("x")
				})
			})
			c := reach(t, url, request)
			body := c.response().Body
			if _, err := io.ReadFull(body, make([]byte, 12)); err != nil {
				t.Fatal(err)
			}
			leave(c)
			if err := receive(t, "OnClose", receive(t, "the stream", reason)); !errors.Is(err, leat.ErrGone) {
				t.Errorf("reason: %v", err)
			}
			receive(t, "Done", s.Done())
			before := calls.Load()
			if err := s.Send("late"); !errors.Is(err, leat.ErrClosed) {
				t.Errorf("Send after the end: %v", err)
			}
			if s.Context().Err() == nil {
				t.Error("the context lives on")
			}
			eventually(t, "connection given back", func() bool { return srv.Stats().Connections == 0 })
			if calls.Load() != before {
				t.Error("fn was called after the end")
			}
		})
		t.Run("blocking "+way, func(t *testing.T) {
			last := make(chan error, 1)
			_, url := stream(t, nil, nil, func(s *leat.Stream) {
				defer s.Close()
				for s.Send("x") == nil { // the reader ends it
				}
				last <- s.Err()
			})
			c := reach(t, url, request)
			body := c.response().Body
			if _, err := io.ReadFull(body, make([]byte, 12)); err != nil {
				t.Fatal(err)
			}
			leave(c)
			if err := receive(t, "the loop's end", last); !errors.Is(err, leat.ErrGone) {
				t.Errorf("reason: %v", err)
			}
		})
	}
}

func TestReaderThatEndsItsHalfIsKeptWhereThatIsIgnored(t *testing.T) {
	runs := map[string]func(*leat.Stream, <-chan struct{}){
		"event": func(s *leat.Stream, enough <-chan struct{}) {
			s.Every(time.Millisecond, func() error {
				select {
				case <-enough:
					return leat.Done
				default:
					return s.Send("x")
				}
			})
		},
		"blocking": func(s *leat.Stream, enough <-chan struct{}) {
			defer s.Close()
			for s.Send("x") == nil {
				select {
				case <-enough:
					return
				default:
				}
			}
		},
	}
	for style, run := range runs {
		for _, where := range []string{"config", "options"} {
			t.Run(style+" by "+where, func(t *testing.T) {
				o, c := new(leat.StreamOptions), new(leat.Config)
				if where == "config" {
					c.HalfClose = leat.HalfCloseIgnore
				} else {
					o.HalfClose = leat.HalfCloseIgnore
				}
				enough, reason := make(chan struct{}), make(chan (<-chan error), 2)
				srv, url := stream(t, c, o, func(s *leat.Stream) {
					reason <- ended(t, s)
					run(s, enough)
				})
				hear := func() (*socket, io.Reader) {
					r := reach(t, url, request)
					if where == "config" {
						_ = r.CloseWrite() // a balancer may do so at once
					}
					body := r.response().Body
					if _, err := io.ReadFull(body, make([]byte, 40)); err != nil {
						t.Fatal(err)
					}
					_ = r.CloseWrite()
					if _, err := io.ReadFull(body, make([]byte, 400)); err != nil {
						t.Fatalf("after its FIN the reader got no more: %v", err)
					}
					return r, body
				}
				broken, _ := hear()
				broken.reset()
				if err := receive(t, "OnClose", receive(t, "the stream", reason)); !errors.Is(err, leat.ErrGone) {
					t.Errorf("after a reset: %v", err)
				}
				_, body := hear()
				close(enough)
				if rest, err := io.ReadAll(body); err != nil || len(rest)%len("\"x\"\n") != 0 {
					t.Errorf("the end is not clean: %q, %v", rest, err)
				}
				if err := receive(t, "OnClose", receive(t, "the stream", reason)); err != nil {
					t.Errorf("after the end: %v", err)
				}
				eventually(t, "connections given back", func() bool { return srv.Stats().Connections == 0 })
			})
		}
	}
}

// A request that is cut short is not waited for, whatever halfClose says.
func TestRequestCutShortIsNotWaitedFor(t *testing.T) {
	for _, policy := range []string{leat.HalfCloseEnd, leat.HalfCloseIgnore} {
		t.Run(policy, func(t *testing.T) {
			read := make(chan error, 1)
			_, url := start(t, &leat.Config{HalfClose: policy}, func(srv *leat.Server) {
				srv.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) {
					_, err := io.ReadAll(r.Body)
					read <- err
				})
			})
			c := reach(t, url, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nhello")
			_ = c.CloseWrite()
			if err := receive(t, "the handler's read", read); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("read: %v", err)
			}
		})
	}
}

// A stopped reader in the event style: the sender is told, the stream lives
// and goes on when the reader does, without a hole in what was taken.
func TestStoppedReaderCostsTheSenderNothingAndGoesOn(t *testing.T) {
	const enough = 50
	var refused, taken atomic.Int64
	o := &leat.StreamOptions{Queue: 32 << 10}
	pad := strings.Repeat("p", 1000)
	srv, url := stream(t, &leat.Config{Limits: leat.Limits{SendBuffer: 16 << 10}}, o, func(s *leat.Stream) {
		s.Every(time.Millisecond, func() error {
			if refused.Load() >= enough && taken.Load() < 0 {
				return leat.Done
			}
			for range 20 {
				err := s.Send(map[string]any{"n": taken.Load(), "pad": pad})
				if errors.Is(err, leat.ErrSlowReader) {
					refused.Add(1)
					return err
				}
				if err != nil {
					return err
				}
				taken.Add(1)
			}
			return nil
		})
	})
	c := reach(t, url, request)
	resp := c.response()
	eventually(t, "a refused record", func() bool { return refused.Load() >= enough })
	if most := taken.Load() * 1020; most > 2<<20 {
		t.Errorf("%d bytes were taken for a reader that takes none", most)
	}
	if got := srv.Stats(); got.Streams != 1 || got.SlowRecords < enough {
		t.Errorf("stats: %+v", got)
	}
	want := int64(0)
	for line, err := range leat.ReadRecords(resp.Body) {
		if err != nil {
			t.Fatal(err)
		}
		var record struct{ N int64 }
		if err := json.Unmarshal(line, &record); err != nil || record.N != want {
			t.Fatalf("%v: record %d, want %d", err, record.N, want)
		}
		if want++; want > 3000 {
			break
		}
	}
}

func TestStoppedReaderEndsByItsWriteTimeoutAndSlowsNobody(t *testing.T) {
	for style, run := range map[string]func(*leat.Stream){
		"blocking": func(s *leat.Stream) {
			defer s.Close()
			for s.Send(strings.Repeat("x", 1000)) == nil { // the timeout ends it
			}
		},
		"event": func(s *leat.Stream) {
			s.Every(time.Millisecond, func() error { return s.Send(strings.Repeat("x", 10000)) })
		},
		"event, one record and silence": func(s *leat.Stream) {
			_ = s.Send(strings.Repeat("x", 1<<20))
			s.Hold()
		},
	} {
		t.Run(style, func(t *testing.T) {
			o := &leat.StreamOptions{Queue: 4 << 20, Write: 300 * time.Millisecond}
			reason := make(chan (<-chan error), 1)
			srv, url := stream(t, nil, o, func(s *leat.Stream) {
				reason <- ended(t, s)
				run(s)
			})
			srvQuick := make(chan struct{})
			reach(t, url, request) // and never reads
			stopped := receive(t, "the stream", reason)
			go func() { // another one goes on meanwhile
				defer close(srvQuick)
				c := reach(t, url, request)
				_, _ = io.ReadFull(c.response().Body, make([]byte, 10000))
				_ = c.Close()
			}()
			receive(t, "the other reader's records", srvQuick)
			if err := receive(t, "OnClose", stopped); !errors.Is(err, leat.ErrStalled) {
				t.Errorf("reason: %v", err)
			}
			eventually(t, "counter", func() bool { return srv.Stats().StreamsEnded["timeouts.write"] == 1 })
		})
	}
}

func TestSlowReaderThatTakesALittleIsNotStalled(t *testing.T) {
	o := &leat.StreamOptions{Write: 250 * time.Millisecond}
	reason := make(chan (<-chan error), 1)
	_, url := stream(t, &leat.Config{Limits: leat.Limits{SendBuffer: 4 << 10}}, o, func(s *leat.Stream) {
		reason <- ended(t, s)
		s.Every(time.Millisecond, func() error { return s.Send(strings.Repeat("x", 1000)) })
	})
	c := reach(t, url, request)
	body := c.response().Body
	why := receive(t, "the stream", reason)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < time.Second; <-tick.C {
		if _, err := io.CopyN(io.Discard, body, 16<<10); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-why:
		t.Errorf("ended: %v", err)
	default:
	}
}

// What is pipelined behind the request of a stream is another request in the
// blocking style, and nothing at all after a hand-over.
func TestPipelinedGarbageNeverReachesAStream(t *testing.T) {
	const garbage = "\x00\xff\r\n\r\nHELO GET POST / HTTP/9\r\n0\r\n\r\n"
	for style, run := range styles {
		t.Run(style, func(t *testing.T) {
			srv, url := stream(t, nil, nil, run)
			c := reach(t, url, request+garbage)
			resp := c.response()
			if got := body(t, resp); got != "0\n1\n2\n" {
				t.Errorf("body %q", got)
			}
			rest, _ := io.ReadAll(c.in)
			if strings.Contains(string(rest), "200 OK") {
				t.Errorf("after the stream: %q", rest)
			}
			if style == "event" && len(rest) > 0 {
				t.Errorf("after the stream: %q", rest)
			}
			_ = c.Close()
			eventually(t, "connection given back", func() bool { return srv.Stats().Connections == 0 })
		})
		t.Run(style+", a second request", func(t *testing.T) {
			_, url := stream(t, nil, nil, run)
			c := reach(t, url, request+request)
			if got := body(t, c.response()); got != "0\n1\n2\n" {
				t.Errorf("body %q", got)
			}
			if style == "event" {
				if rest, err := io.ReadAll(c.in); len(rest) > 0 || err != nil {
					t.Errorf("after the stream: %q, %v", rest, err)
				}
				return
			}
			if _, err := c.in.Peek(1); style == "hold" && errors.Is(err, io.EOF) {
				return // its sender was slower than the hand-over
			}
			if got := body(t, c.response()); got != "0\n1\n2\n" {
				t.Errorf("second body %q", got)
			}
		})
	}
}

func TestReaderThatTalksWithoutEndIsCutOff(t *testing.T) {
	reason := make(chan (<-chan error), 1)
	srv, url := stream(t, nil, nil, func(s *leat.Stream) {
		reason <- ended(t, s)
		s.Every(time.Millisecond, func() error { return s.Send("x") })
	})
	c := reach(t, url, request)
	c.response()
	go func() {
		for {
			if _, err := c.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	}()
	if err := receive(t, "OnClose", receive(t, "the stream", reason)); err == nil {
		t.Error("that was an orderly end")
	}
	eventually(t, "connection given back", func() bool { return srv.Stats().Connections == 0 })
}

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

// A stream that begins while its server stops either lives properly or is
// refused properly. Nothing rings for it later.
func TestStreamsThatBeginWhileTheServerStops(t *testing.T) {
	for range 8 {
		srv, err := leat.New(&leat.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		srv.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.NDJSON(w, r, &leat.StreamOptions{Heartbeat: time.Millisecond, Inactivity: 10 * time.Millisecond})
			if err != nil {
				return
			}
			defer s.Close()
			_ = s.Send("x")
			<-s.Done()
		})
		var readers sync.WaitGroup
		stop := make(chan struct{})
		for i := range 16 {
			readers.Go(func() {
				for n := 0; n < 20; n++ {
					if i == 0 && n == 2 {
						close(stop)
					}
					srv.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://localhost/", nil))
				}
			})
		}
		<-stop
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if err := srv.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		readers.Wait()
		// What rings later, rings within this time.
		<-time.After(30 * time.Millisecond)
		if n := srv.Stats().Streams; n != 0 {
			t.Fatalf("%d streams after the end", n)
		}
	}
}

func TestShutdownWithEveryKindOfReader(t *testing.T) {
	reasons := make(chan error, 100)
	c := &leat.Config{
		Listen: []string{"http://127.0.0.1:0"}, Logger: slog.New(slog.DiscardHandler),
		Timeouts: leat.Timeouts{Drain: 3 * time.Second},
	}
	srv, err := leat.New(c)
	if err != nil {
		t.Fatal(err)
	}
	serve := func(run func(*leat.Stream)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.NDJSON(w, r, nil)
			if err != nil {
				return
			}
			s.OnClose(func(err error) { reasons <- err })
			run(s)
		}
	}
	pad := strings.Repeat("x", 1000)
	srv.HandleFunc("/every", serve(func(s *leat.Stream) {
		s.Every(time.Millisecond, func() error { return s.Send(pad) })
	}))
	srv.HandleFunc("/hold", serve(func(s *leat.Stream) { s.Hold() }))
	srv.HandleFunc("/loop", serve(func(s *leat.Stream) {
		defer s.Close()
		for s.Send(pad) == nil { // its end comes from outside
		}
	}))
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- srv.Run(ctx) }()

	const each = 5
	var readers sync.WaitGroup
	clean := new(atomic.Int64)
	for _, path := range []string{"/every", "/hold", "/loop"} {
		for range each {
			text := "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n"
			reach(t, srv.URLs()[0], text) // one that never reads
			reader := reach(t, srv.URLs()[0], text)
			readers.Go(func() {
				resp, err := http.ReadResponse(reader.in, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := io.Copy(io.Discard, resp.Body); err == nil {
					clean.Add(1)
				}
			})
		}
	}
	eventually(t, "all streams", func() bool { return srv.Stats().Streams == 6*each })
	began := time.Now()
	stop()
	if err := receive(t, "Run", ran); err != nil {
		t.Errorf("Run: %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	readers.Wait()
	if n := clean.Load(); n != 3*each {
		t.Errorf("%d of %d readers saw a clean end", n, 3*each)
	}
	for range 6 * each {
		if err := receive(t, "OnClose", reasons); !errors.Is(err, leat.ErrShutdown) {
			t.Errorf("reason: %v", err)
		}
	}
}

// crowd is how many readers come at once: two descriptors each.
const crowd = 2000

func TestTwoThousandReadersLeaveNothingBehind(t *testing.T) {
	var stop atomic.Bool
	srv, url := stream(t, nil, nil, func(s *leat.Stream) {
		defer s.Close()
		s.Every(time.Second, func() error {
			if stop.Load() {
				return leat.Done
			}
			return s.Send(map[string]int64{"time": time.Now().UnixMilli()})
		})
	})
	goroutines := runtime.NumGoroutine()
	sockets := make([]*socket, crowd)
	for i := range sockets {
		sockets[i] = reach(t, url, request)
	}
	for _, c := range sockets {
		resp := c.response()
		line, err := bufio.NewReader(resp.Body).ReadString('\n')
		if err != nil || !json.Valid([]byte(line)) {
			t.Fatalf("%q, %v", line, err)
		}
	}
	if got := srv.Stats(); got.Streams != crowd || got.Connections != crowd {
		t.Errorf("%+v", got)
	}
	// A third leaves, a third breaks, a third sees the end.
	for i, c := range sockets {
		switch i % 3 {
		case 0:
			_ = c.Close()
		case 1:
			c.reset()
		}
	}
	stop.Store(true)
	for i, c := range sockets {
		if i%3 != 2 {
			continue
		}
		if rest, err := io.ReadAll(c.in); err != nil || !bytes.HasSuffix(rest, []byte("0\r\n\r\n")) {
			t.Fatalf("reader %d: %v, %q", i, err, rest[max(0, len(rest)-50):])
		}
		_ = c.Close()
	}
	eventually(t, "nothing left", func() bool {
		got := srv.Stats()
		return got.Streams == 0 && got.Connections == 0 && runtime.NumGoroutine() <= goroutines+2
	})
	total := int64(0)
	for _, n := range srv.Stats().StreamsEnded {
		total += n
	}
	if total != crowd {
		t.Errorf("%v: %d ends of %d streams", srv.Stats().StreamsEnded, total, crowd)
	}
}

func TestOldClientsGetTheirStreams(t *testing.T) {
	for style, run := range styles {
		for name, text := range map[string]string{
			"HTTP/1.0":                    "GET /stream HTTP/1.0\r\nHost: localhost\r\n\r\n",
			"HTTP/1.0 keep-alive":         "GET /stream HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n",
			"HTTP/1.1 with close":         "GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
			"HTTP/1.1 with a body":        "POST /stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
			"HTTP/1.1 with chunks":        "POST /stream HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
			"HTTP/1.1 that expects a 100": "POST /stream HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
		} {
			t.Run(style+" "+name, func(t *testing.T) {
				srv, url := stream(t, nil, nil, run)
				c := reach(t, url, text)
				if got := body(t, c.response()); got != "0\n1\n2\n" {
					t.Errorf("body %q", got)
				}
				_ = c.Close()
				eventually(t, "connection given back", func() bool { return srv.Stats().Connections == 0 })
			})
		}
	}
}

// net/http reads what is left of a body before the first byte of an answer. A
// body that never comes must not hold the handler for ever.
func TestBodyThatNeverComesDoesNotHoldTheHandler(t *testing.T) {
	for style, run := range styles {
		t.Run(style, func(t *testing.T) {
			srv, url := stream(t, nil, &leat.StreamOptions{Write: 200 * time.Millisecond}, run)
			c := reach(t, url, "POST /stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nhello")
			if got := body(t, c.response()); !strings.HasPrefix("0\n1\n2\n", got) {
				t.Errorf("body %q", got)
			}
			eventually(t, "the stream given back", func() bool { return srv.Stats().Streams == 0 })
		})
	}
}

// A reader that posts more than it is listened to gets its stream all the
// same: what the handler did not read is dropped.
func TestLargeUnreadBodyDoesNotCostTheStream(t *testing.T) {
	const size = 200 << 10
	for style, run := range styles {
		t.Run(style, func(t *testing.T) {
			_, url := stream(t, &leat.Config{Limits: leat.Limits{Body: 1 << 20}}, nil, run)
			c := reach(t, url, fmt.Sprintf("POST /stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", size))
			go func() { _, _ = c.Write(make([]byte, size)) }()
			if got := body(t, c.response()); got != "0\n1\n2\n" {
				t.Errorf("body %q", got)
			}
		})
	}
}

// The bytes of a hand-over are those of HTTP/1.1 to the last one.
func TestHandOverIsWholeChunksToTheLastByte(t *testing.T) {
	for style, run := range styles {
		if style == "blocking" {
			continue
		}
		t.Run(style, func(t *testing.T) {
			_, url := stream(t, nil, nil, run)
			c := reach(t, url, request)
			all, err := io.ReadAll(c.in)
			if err != nil {
				t.Fatal(err)
			}
			header, text, ok := bytes.Cut(all, []byte("\r\n\r\n"))
			if !ok || !bytes.Contains(header, []byte("Connection: close")) || !bytes.Contains(header, []byte("Transfer-Encoding: chunked")) {
				t.Errorf("header %q", header)
			}
			plain, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(text)))
			if err != nil || string(plain) != "0\n1\n2\n" || !bytes.HasSuffix(text, []byte("\r\n0\r\n\r\n")) {
				t.Errorf("%v: %q", err, text)
			}
		})
	}
}

// A reader that resets its HTTP/2 stream ends that one; a connection that
// breaks ends all that it carried.
func TestHTTP2ReaderThatLeavesEndsItsStreamAlone(t *testing.T) {
	for style, run := range map[string]func(*leat.Stream){
		"event": func(s *leat.Stream) {
			s.Every(time.Millisecond, func() error { return s.Send("x") })
		},
		"hold": func(s *leat.Stream) {
			_ = s.Send("x")
			s.Hold()
		},
		"blocking": func(s *leat.Stream) {
			defer s.Close()
			for s.Send("x") == nil { // the reader ends it
			}
		},
	} {
		t.Run(style, func(t *testing.T) {
			const many = 50
			reasons := make(chan error, many)
			srv, url := stream(t, nil, nil, func(s *leat.Stream) {
				s.OnClose(func(err error) { reasons <- err })
				run(s)
			})
			goroutines := runtime.NumGoroutine()
			var conns sync.Map
			tr := &http.Transport{
				Protocols: new(http.Protocols),
				DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
					c, err := new(net.Dialer).DialContext(ctx, network, address)
					if err == nil {
						conns.Store(c, nil)
					}
					return c, err
				},
			}
			tr.Protocols.SetUnencryptedHTTP2(true)
			defer tr.CloseIdleConnections()
			cancels := make([]context.CancelFunc, many)
			bodies := make([]io.ReadCloser, many)
			for i := range many {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/stream", nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := tr.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(resp.Body, make([]byte, 4)); err != nil {
					t.Fatal(err)
				}
				cancels[i], bodies[i] = cancel, resp.Body
			}
			for i := range many / 2 {
				cancels[i]()
				if err := receive(t, "OnClose", reasons); !errors.Is(err, leat.ErrGone) {
					t.Errorf("reason: %v", err)
				}
			}
			if n := srv.Stats().Streams; n != many/2 {
				t.Errorf("%d streams live on, want %d", n, many/2)
			}
			conns.Range(func(c, _ any) bool {
				_ = c.(*net.TCPConn).SetLinger(0)
				_ = c.(*net.TCPConn).Close()
				return true
			})
			for range many / 2 {
				if err := receive(t, "OnClose", reasons); !errors.Is(err, leat.ErrGone) {
					t.Errorf("reason: %v", err)
				}
			}
			for _, b := range bodies {
				_ = b.Close()
			}
			tr.CloseIdleConnections()
			eventually(t, "nothing left", func() bool {
				got := srv.Stats()
				return got.Streams == 0 && got.Connections == 0 && runtime.NumGoroutine() <= goroutines+2
			})
		})
	}
}

// What a stopped reader has not read is lost with Server.Close, and nothing
// waits for it.
func TestServerCloseEndsEveryStreamAtOnce(t *testing.T) {
	for style, run := range map[string]func(*leat.Stream){
		"event": func(s *leat.Stream) {
			s.Every(time.Millisecond, func() error { return s.Send(strings.Repeat("x", 5000)) })
		},
		"blocking": func(s *leat.Stream) {
			defer s.Close()
			for s.Send(strings.Repeat("x", 5000)) == nil { // its end comes from outside
			}
		},
	} {
		t.Run(style, func(t *testing.T) {
			reasons := make(chan error, 10)
			srv, url := stream(t, nil, nil, func(s *leat.Stream) {
				s.OnClose(func(err error) { reasons <- err })
				run(s)
			})
			for range 10 {
				reach(t, url, request)
			}
			eventually(t, "all streams", func() bool { return srv.Stats().Streams == 10 })
			if err := srv.Close(); err != nil {
				t.Error(err)
			}
			for range 10 {
				if err := receive(t, "OnClose", reasons); !errors.Is(err, leat.ErrShutdown) {
					t.Errorf("reason: %v", err)
				}
			}
			eventually(t, "nothing left", func() bool {
				got := srv.Stats()
				return got.Streams == 0 && got.Connections == 0
			})
		})
	}
}
