package leat_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat"
)

// A pipeListener accepts connections without a network, so that a test may own
// the time.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// inTime runs a handler in a bubble of its own time, and answers what a reader
// gets: each read with the time since the start. The handler's stream must end.
func inTime(t *testing.T, h http.HandlerFunc, read func(at func() time.Duration, body *bufio.Reader)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		hs := &http.Server{Handler: h}
		go func() { _ = hs.Serve(l) }()
		near, far := net.Pipe()
		l.conns <- near
		if _, err := io.WriteString(far, "GET / HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 41\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		resp, err := http.ReadResponse(bufio.NewReader(far), nil)
		if err != nil {
			t.Fatal(err)
		}
		read(func() time.Duration { return time.Since(began) }, bufio.NewReader(resp.Body))
		_ = far.Close()
		_ = hs.Close()
		synctest.Wait()
		time.Sleep(time.Minute) //nolint:forbidigo // in the bubble: whatever still waits comes to its end
	})
}

// both styles hold a stream open that sends nothing.
var holds = map[string]func(s *leat.Stream){
	"blocking": func(s *leat.Stream) {
		defer s.Close()
		_ = s.Send("first")
		<-s.Done()
	},
	"event": func(s *leat.Stream) {
		_ = s.Send("first")
		s.Hold()
	},
}

func line(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	s, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("after %q: %v", s, err)
	}
	return s
}

func TestAHeartbeatComesWhenNothingWasSent(t *testing.T) {
	for style, hold := range holds {
		t.Run(style, func(t *testing.T) {
			inTime(t, func(w http.ResponseWriter, r *http.Request) {
				s, err := leat.NDJSON(w, r, &leat.StreamOptions{Inactivity: leat.Never, Request: 100 * time.Second})
				if err != nil {
					return
				}
				hold(s)
			}, func(at func() time.Duration, body *bufio.Reader) {
				if got := line(t, body); got != "\"first\"\n" {
					t.Errorf("got %q", got)
				}
				last := at()
				for range 3 {
					if got := line(t, body); got != "\n" { // readers skip it
						t.Errorf("got %q", got)
					}
					if gap := at() - last; gap < 20*time.Second || gap > 25*time.Second {
						t.Errorf("after %v", gap)
					}
					last = at()
				}
				rest, err := io.ReadAll(body)
				if err != nil || strings.Trim(string(rest), "\n") != "" || at() != 100*time.Second {
					t.Errorf("rest %q %v at %v", rest, err, at())
				}
			})
		})
	}
}

func TestAHeartbeatInSSEIsAComment(t *testing.T) {
	inTime(t, func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.SSE(w, r, &leat.StreamOptions{Heartbeat: time.Second, Request: 1500 * time.Millisecond})
		if err != nil {
			return
		}
		s.Hold()
	}, func(_ func() time.Duration, body *bufio.Reader) {
		if rest, err := io.ReadAll(body); !strings.HasPrefix(string(rest), ":\n\n") || err != nil {
			t.Errorf("got %q %v", rest, err)
		}
	})
}

func TestTimeoutsEndAStreamCleanlyAndByName(t *testing.T) {
	for style, hold := range holds {
		for key, row := range map[string]struct {
			o  leat.StreamOptions
			do func(*leat.Stream)
			at time.Duration
		}{
			"timeouts.request":    {leat.StreamOptions{Request: 3 * time.Second}, nil, 3 * time.Second},
			"timeouts.inactivity": {leat.StreamOptions{Inactivity: 2 * time.Second, Heartbeat: leat.Never}, nil, 2 * time.Second},
			"timeouts.request extended": {leat.StreamOptions{Request: 3 * time.Second}, func(s *leat.Stream) {
				s.ExtendTimeout(4 * time.Second)
			}, 7 * time.Second},
			"timeouts.inactivity extended": {leat.StreamOptions{Inactivity: 2 * time.Second, Heartbeat: leat.Never}, func(s *leat.Stream) {
				s.ExtendTimeout(4 * time.Second)
			}, 6 * time.Second},
			"timeouts.request updated": {leat.StreamOptions{Request: 3 * time.Second}, func(s *leat.Stream) {
				time.AfterFunc(2*time.Second, s.UpdateDeadline)
			}, 5 * time.Second},
			"timeouts.inactivity updated": {leat.StreamOptions{Inactivity: 3 * time.Second, Heartbeat: leat.Never}, func(s *leat.Stream) {
				time.AfterFunc(2*time.Second, s.UpdateDeadline)
			}, 5 * time.Second},
			"timeouts.inactivity renewed by sending": {leat.StreamOptions{Inactivity: 3 * time.Second, Heartbeat: leat.Never}, func(s *leat.Stream) {
				time.AfterFunc(2*time.Second, func() { _ = s.Comment("") })
			}, 5 * time.Second},
		} {
			t.Run(style+" "+key, func(t *testing.T) {
				var reason error
				inTime(t, func(w http.ResponseWriter, r *http.Request) {
					s, err := leat.NDJSON(w, r, &row.o)
					if err != nil {
						return
					}
					s.OnClose(func(err error) { reason = err })
					if row.do != nil {
						row.do(s)
					}
					hold(s)
				}, func(at func() time.Duration, body *bufio.Reader) {
					if rest, err := io.ReadAll(body); !strings.HasPrefix(string(rest), "\"first\"\n") || err != nil {
						t.Errorf("rest %q, %v", rest, err)
					}
					if at() != row.at {
						t.Errorf("ended after %v, want %v", at(), row.at)
					}
				})
				name, _, _ := strings.Cut(key, " ")
				var timeout *leat.TimeoutError
				if !errors.As(reason, &timeout) || timeout.Key != name {
					t.Errorf("reason %v", reason)
				}
			})
		}
	}
}

func TestEveryCallsAtOnceThenEachIntervalAndSkipsWhatItMissed(t *testing.T) {
	inTime(t, func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.NDJSON(w, r, nil)
		if err != nil {
			return
		}
		began, n := time.Now(), 0
		s.Every(time.Second, func() error {
			_ = s.Send(time.Since(began).Milliseconds())
			switch n++; n {
			case 3:
				time.Sleep(2500 * time.Millisecond) //nolint:forbidigo // in the bubble: a slow function
			case 5:
				s.SetInterval(100 * time.Millisecond)
			case 7:
				return leat.Done
			}
			return nil
		})
	}, func(_ func() time.Duration, body *bufio.Reader) {
		rest, err := io.ReadAll(body)
		if want := "0\n1000\n2000\n5000\n6000\n6100\n6200\n"; string(rest) != want || err != nil {
			t.Errorf("got %q %v", rest, err)
		}
	})
}

func TestAnErrorOfEveryEndsTheStreamAndIsItsReason(t *testing.T) {
	why := errors.New("the source is gone")
	var reason, cause error
	inTime(t, func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.NDJSON(w, r, nil)
		if err != nil {
			return
		}
		s.OnClose(func(err error) {
			reason, cause = err, context.Cause(s.Context())
			if err := s.Send("late"); !errors.Is(err, leat.ErrClosed) {
				t.Errorf("Send: %v", err)
			}
		})
		s.Every(time.Second, func() error {
			_ = s.Send(1)
			return why
		})
	}, func(_ func() time.Duration, body *bufio.Reader) {
		if rest, err := io.ReadAll(body); err == nil {
			t.Errorf("the reader does not see that something is missing: %q", rest)
		}
	})
	if !errors.Is(reason, why) || !errors.Is(cause, why) {
		t.Errorf("reason %v, cause %v", reason, cause)
	}
}

func TestAReaderThatTakesNothingEndsTheStream(t *testing.T) {
	for style := range holds {
		t.Run(style, func(t *testing.T) {
			var reason error
			var after time.Duration
			inTime(t, func(w http.ResponseWriter, r *http.Request) {
				s, err := leat.NDJSON(w, r, nil)
				if err != nil {
					return
				}
				began := time.Now()
				ended := make(chan struct{})
				s.OnClose(func(err error) { reason, after = err, time.Since(began); close(ended) })
				if style == "event" {
					s.Every(time.Second, func() error { return s.Send("tick") })
					return
				}
				defer s.Close()
				for s.Send("tick") == nil {
				}
				<-ended
			}, func(_ func() time.Duration, _ *bufio.Reader) {
				time.Sleep(2 * time.Minute) //nolint:forbidigo // in the bubble: a reader that does not read
			})
			if !errors.Is(reason, leat.ErrStalled) || after < 30*time.Second || after > 32*time.Second {
				t.Errorf("reason %v after %v", reason, after)
			}
		})
	}
}

func TestASlowReaderIsRefusedRecordsOrEndedAsTheOptionsSay(t *testing.T) {
	for policy, name := range map[leat.SlowPolicy]string{leat.SlowError: "error", leat.SlowEnd: "end"} {
		t.Run(name, func(t *testing.T) {
			var reason error
			refused := 0
			inTime(t, func(w http.ResponseWriter, r *http.Request) {
				s, err := leat.NDJSON(w, r, &leat.StreamOptions{Queue: 100, Slow: policy, Request: 20 * time.Second})
				if err != nil {
					return
				}
				s.OnClose(func(err error) { reason = err })
				s.Every(time.Second, func() error {
					err := s.Send(strings.Repeat("x", 40))
					if errors.Is(err, leat.ErrSlowReader) {
						refused++
					}
					return err
				})
			}, func(_ func() time.Duration, body *bufio.Reader) {
				time.Sleep(10 * time.Second) //nolint:forbidigo // in the bubble: a slow reader
				_, _ = io.ReadAll(body)
			})
			var timeout *leat.TimeoutError
			switch {
			case policy == leat.SlowError && (refused < 5 || !errors.As(reason, &timeout)):
				t.Errorf("%d refused, reason %v: the stream must live on", refused, reason)
			case policy == leat.SlowEnd && (refused != 1 || !errors.Is(reason, leat.ErrSlowReader)):
				t.Errorf("%d refused, reason %v", refused, reason)
			}
		})
	}
}

func TestARecordAboveTheWholeQueueIsRefusedAsSuch(t *testing.T) {
	inTime(t, func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.NDJSON(w, r, &leat.StreamOptions{Queue: 100})
		if err != nil {
			return
		}
		s.Every(time.Second, func() error {
			if err := s.Send(strings.Repeat("x", 100)); !errors.Is(err, leat.ErrTooLarge) || !strings.Contains(err.Error(), "100 allowed") {
				t.Errorf("Send: %v", err)
			}
			return leat.Done
		})
	}, func(_ func() time.Duration, body *bufio.Reader) {
		if rest, err := io.ReadAll(body); len(rest) > 0 || err != nil {
			t.Errorf("%q %v", rest, err)
		}
	})
}
