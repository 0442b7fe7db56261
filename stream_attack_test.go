package leat_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat"
)

func TestAStreamThatAStoppingServerRefusesLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, err := leat.New(&leat.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		srv.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			if _, err := leat.NDJSON(w, r, nil); !errors.Is(err, leat.ErrShutdown) {
				t.Errorf("got %v", err)
			}
		})
		rec := httptest.NewRecorder()
		srv.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		if rec.Code != http.StatusServiceUnavailable {
			t.Errorf("status %d", rec.Code)
		}
		time.Sleep(time.Hour) //nolint:forbidigo // in the bubble: every timeout has come
		if got := rec.Body.String(); strings.Count(got, "\n") != 1 {
			t.Errorf("got %q", got)
		}
	})
}

func TestSetIntervalWithoutEveryDoesNothing(t *testing.T) {
	for style, hold := range holds {
		t.Run(style, func(t *testing.T) {
			inTime(t, func(w http.ResponseWriter, r *http.Request) {
				s, err := leat.NDJSON(w, r, &leat.StreamOptions{Heartbeat: leat.Never, Inactivity: leat.Never, Request: 10 * time.Second})
				if err != nil {
					return
				}
				s.SetInterval(time.Second)
				hold(s)
			}, func(at func() time.Duration, body *bufio.Reader) {
				rest, err := io.ReadAll(body)
				if string(rest) != "\"first\"\n" || err != nil || at() != 10*time.Second {
					t.Errorf("got %q %v at %v", rest, err, at())
				}
			})
		})
	}
}

// A slowFlusher is a response whose Flush takes its time.
type slowFlusher struct {
	*httptest.ResponseRecorder
	takes time.Duration
}

func (w slowFlusher) FlushError() error {
	time.Sleep(w.takes) //nolint:forbidigo // in a bubble
	return nil
}

func TestEveryCallsNothingBeforeTheHandOverIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		began := time.Now()
		first := time.Duration(0)
		w := slowFlusher{httptest.NewRecorder(), 10 * time.Second}
		s, err := leat.NDJSON(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil), &leat.StreamOptions{Heartbeat: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		s.Every(time.Second, func() error {
			first = time.Since(began)
			return leat.Done
		})
		if first != 10*time.Second {
			t.Errorf("called after %v", first)
		}
	})
}

// A lateFlusher takes deadlines, and does not hold to them.
type lateFlusher struct{ slowFlusher }

func (lateFlusher) SetWriteDeadline(time.Time) error { return nil }

// What has taken longer than timeouts.write ends the stream, also where it succeeds
// then.
func TestAWriteThatComesBackBehindItsDeadlineEndsTheStream(t *testing.T) {
	for style, run := range map[string]func(*leat.Stream) error{
		"blocking": func(s *leat.Stream) error { return s.Send("late") },
		"event": func(s *leat.Stream) error {
			n := 0
			s.Every(time.Second, func() error {
				if n++; n > 3 {
					return leat.Done
				}
				return s.Send("late")
			})
			return s.Err()
		},
	} {
		t.Run(style, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := lateFlusher{slowFlusher{httptest.NewRecorder(), 2 * time.Minute}}
				s, err := leat.NDJSON(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if err := run(s); !errors.Is(err, leat.ErrStalled) {
					t.Errorf("%v, want %v", err, leat.ErrStalled)
				}
				if !errors.Is(s.Err(), leat.ErrStalled) {
					t.Errorf("the stream ends with %v", s.Err())
				}
			})
		})
	}
}

// A keeper is a response whose Write fails while somebody still reads the
// bytes, as a write to an HTTP/2 stream that was reset does.
type keeper struct {
	*httptest.ResponseRecorder
	kept []byte
}

func (w *keeper) Write(b []byte) (int, error) {
	w.kept = b
	return 0, errors.New("reset")
}

func TestARecordWhoseWriteFailedIsNotWrittenOver(t *testing.T) {
	for range 20 {
		w := &keeper{ResponseRecorder: httptest.NewRecorder()}
		for _, response := range []http.ResponseWriter{w, httptest.NewRecorder()} {
			s, err := leat.NDJSON(response, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), nil)
			if err != nil {
				t.Fatal(err)
			}
			text := "mine"
			if response != w {
				text = "secret"
			}
			if err := s.Send(text); (err != nil) != (response == w) {
				t.Fatal(err)
			}
			_ = s.Close() // a write that failed has ended it
		}
		if string(w.kept) != "\"mine\"\n" {
			t.Fatalf("the bytes have become %q", w.kept)
		}
	}
}

// A stuckWriter is a response whose Write takes nothing until it is released.
type stuckWriter struct {
	*httptest.ResponseRecorder
	stuck, release chan struct{}
}

func (w stuckWriter) Write(b []byte) (int, error) {
	close(w.stuck)
	<-w.release
	return w.ResponseRecorder.Write(b)
}

func TestNeitherOnCloseNorShutdownWaitsForASenderThatIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, err := leat.New(&leat.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		w := stuckWriter{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
		told := make(chan error, 1)
		srv.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.NDJSON(w, r, nil)
			if err != nil {
				return
			}
			s.OnClose(func(error) { told <- s.Send("too late") })
			_ = s.Send("first") // the end is not this call's
		})
		go srv.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		<-w.stuck
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-told; !errors.Is(err, leat.ErrClosed) {
			t.Errorf("Send answers %v", err)
		}
		close(w.release)
	})
}

func TestShutdownWaitsForASlowOnCloseOnlyAsLongAsItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, err := leat.New(&leat.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		began, slept := make(chan struct{}), make(chan struct{})
		srv.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.NDJSON(w, r, nil)
			if err != nil {
				return
			}
			s.OnClose(func(error) { <-slept })
			close(began)
			<-s.Done()
		})
		go srv.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		<-began
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		asked := time.Now()
		_ = srv.Shutdown(ctx) // the stream has ended, its OnClose has not
		if took := time.Since(asked); took > time.Second {
			t.Errorf("took %v", took)
		}
		close(slept)
		synctest.Wait()
	})
}
