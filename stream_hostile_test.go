package leat_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
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
	for style, run := range map[string]func(*leat.Stream){
		"event": styles["event"],
		"hold": func(s *leat.Stream) { // what ends before it is not handed over: its connection is kept for another request
			s.Hold()
			go sendThree(s)
		},
	} {
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
