package routers

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"

	"github.com/leat-dev/leat"
)

// three sends three records from a loop.
func three(w http.ResponseWriter, r *http.Request) {
	s, err := leat.NDJSON(w, r, nil)
	if err != nil {
		return
	}
	defer s.Close()
	for i := range 3 {
		_ = s.Send(i)
	}
}

// counting is a function for Every that sends n records, from first on.
func counting(s *leat.Stream, first, n int) func() error {
	next := first
	return func() error {
		if next == first+n {
			return leat.Done
		}
		next++
		return s.Send(next - 1)
	}
}

// handedOver sends three records after a hand-over.
func handedOver(w http.ResponseWriter, r *http.Request) {
	s, err := leat.NDJSON(w, r, nil)
	if err != nil {
		return
	}
	defer s.Close() // the handler has handed over: this ends nothing
	s.Every(time.Millisecond, counting(s, 0, 3))
}

// handedOverLate sends one before the hand-over and two after it.
func handedOverLate(w http.ResponseWriter, r *http.Request) {
	s, err := leat.NDJSON(w, r, nil)
	if err != nil {
		return
	}
	defer s.Close()
	_ = s.Send(0)
	s.Every(time.Millisecond, counting(s, 1, 2))
}

// held is sent to by another goroutine.
func held(w http.ResponseWriter, r *http.Request) {
	s, err := leat.NDJSON(w, r, nil)
	if err != nil {
		return
	}
	go func() {
		defer s.Close()
		for i := range 3 {
			_ = s.Send(i)
		}
	}()
	s.Hold()
}

// byHand is what the streams send, by an ordinary handler.
func byHand(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store, no-transform")
	w.Header().Set("X-Accel-Buffering", "no")
	for i := range 3 {
		fmt.Fprintln(w, i)
		_ = http.NewResponseController(w).Flush()
	}
}

var styles = map[string]http.HandlerFunc{
	"/three": three, "/handedover": handedOver, "/handedoverlate": handedOverLate, "/held": held, "/byhand": byHand,
}

func TestEveryStyleSendsItsRecordsAndEnds(t *testing.T) {
	each(t, styles, func(t *testing.T, address string) {
		clients(t, func(t *testing.T, client *http.Client) {
			for path := range styles {
				resp, err := client.Get("http://" + address + path)
				if err != nil {
					t.Fatal(err)
				}
				if body := bodyOf(t, resp); body != "0\n1\n2\n" {
					t.Errorf("%s: %q", path, body)
				}
			}
		})
	})
}

func TestHeadersAndStatusOfMiddlewareStayToTheByte(t *testing.T) {
	each(t, styles, func(t *testing.T, address string) {
		conn := dial(t, address)
		bodyOf(t, conn.ask(t, "/byhand"))
		want := conn.head()
		if !strings.HasPrefix(want[0], "HTTP/1.1 203 ") || !slices.Contains(want, "x-as-it-is: yes") || !slices.Contains(want, "Transfer-Encoding: chunked") {
			t.Fatalf("the middleware does not do its work: %q", want)
		}
		for path := range styles {
			conn := dial(t, address)
			bodyOf(t, conn.ask(t, path))
			// A stream that begins by a hand-over says how it ends.
			got := slices.DeleteFunc(conn.head(), func(line string) bool {
				return line == "Connection: close" && (path == "/handedover" || path == "/held")
			})
			if !slices.Equal(got, want) {
				t.Errorf("%s:\n%q, want\n%q", path, got, want)
			}
		}
	})
}

func TestHeadersAreTheSameOverHTTP2(t *testing.T) {
	each(t, styles, func(t *testing.T, address string) {
		clients(t, func(t *testing.T, client *http.Client) {
			header := func(path string) string {
				resp, err := client.Get("http://" + address + path)
				if err != nil {
					t.Fatal(err)
				}
				bodyOf(t, resp)
				resp.Header.Del("Date")
				var b bytes.Buffer
				fmt.Fprintln(&b, resp.StatusCode)
				_ = resp.Header.Write(&b)
				return b.String()
			}
			want := header("/byhand")
			for path := range styles {
				if got := header(path); got != want {
					t.Errorf("%s:\n%s, want\n%s", path, got, want)
				}
			}
		})
	})
}

func TestNothingIsWrittenBeforeTheFirstSend(t *testing.T) {
	late := func(hand func(s *leat.Stream)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.NDJSON(w, r, nil)
			if err != nil {
				return
			}
			defer s.Close()
			w.Header().Set("X-Late", "yes") // it would be lost behind the header
			hand(s)
		}
	}
	routes := map[string]http.HandlerFunc{
		"/send": late(func(s *leat.Stream) { _ = s.Send(1) }),
		"/hold": late(func(s *leat.Stream) { s.Every(time.Hour, counting(s, 1, 0)) }),
	}
	each(t, routes, func(t *testing.T, address string) {
		for path := range routes {
			resp := dial(t, address).ask(t, path)
			bodyOf(t, resp)
			if resp.Header.Get("X-Late") != "yes" {
				t.Errorf("%s: %v", path, resp.Header)
			}
		}
	})
}

func TestABlockingStreamLeavesTheConnectionReusable(t *testing.T) {
	each(t, styles, func(t *testing.T, address string) {
		conn := dial(t, address)
		for range 10 {
			resp := conn.ask(t, "/three")
			if body := bodyOf(t, resp); body != "0\n1\n2\n" || resp.Close {
				t.Fatalf("%q, close %t", body, resp.Close)
			}
		}
	})
}

func TestAStreamThatWasHandedOverEndsWithItsLastChunkAndTheConnection(t *testing.T) {
	each(t, styles, func(t *testing.T, address string) {
		// gin refuses the connection after the first byte, and keeps it.
		paths := []string{"/handedover", "/handedoverlate"}
		if strings.Contains(t.Name(), "/gin_") {
			paths = paths[:1]
		}
		for _, path := range paths {
			conn := dial(t, address)
			conn.ask(t, path)
			if _, err := io.Copy(io.Discard, conn.in); err != nil { // a reset would be an error
				t.Errorf("%s: %v", path, err)
			}
			if raw := conn.raw.String(); !strings.HasSuffix(raw, "\r\n0\r\n\r\n") {
				t.Errorf("%s: %q", path, raw)
			}
		}
	})
}

// senders begins goroutines that send what as long as they can, and have ended
// when wait returns.
func senders(s *leat.Stream, what any) (wait func() error) {
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	for range 2 {
		wg.Go(func() {
			for {
				if err := s.Send(what); err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	return func() error {
		wg.Wait()
		return *failed.Load()
	}
}

func TestASenderThatOutlivesItsHandlerNeverWritesIntoAnotherResponse(t *testing.T) {
	waits := make(chan func() error, 1000)
	stray := func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.NDJSON(w, r, nil)
		if err != nil {
			return
		}
		defer s.Close()
		id := r.URL.Query().Get("id")
		waits <- senders(s, "stray "+id)
		for range 3 {
			_ = s.Send("own " + id)
		}
	}
	plain := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "plain "+r.URL.Query().Get("id"))
	}
	each(t, map[string]http.HandlerFunc{"/stray": stray, "/plain": plain}, func(t *testing.T, address string) {
		clients(t, func(t *testing.T, client *http.Client) {
			for i := range 50 {
				checkStray(t, client, fmt.Sprintf("http://%s/stray?id=%d", address, i), i)
				resp, err := client.Get(fmt.Sprintf("http://%s/plain?id=%d", address, i))
				if err != nil {
					t.Fatal(err)
				}
				if body := bodyOf(t, resp); body != fmt.Sprintf("plain %d", i) {
					t.Fatalf("%q in the response behind a stream", body)
				}
				if err := (<-waits)(); !errors.Is(err, leat.ErrClosed) {
					t.Errorf("a sender ended with %v", err)
				}
			}
		})
	})
}

func checkStray(t *testing.T, client *http.Client, url string, id int) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	own, n := 0, 0
	for line := range strings.Lines(bodyOf(t, resp)) {
		n++
		switch line {
		case fmt.Sprintf("\"own %d\"\n", id):
			own++
		case fmt.Sprintf("\"stray %d\"\n", id):
		default:
			t.Fatalf("record %d of %s is %q", n, url, line)
		}
	}
	if own != 3 {
		t.Errorf("%d own records of 3", own)
	}
}

// TestALeatServerEndsTheStreamOfAHandlerThatForgets has the same without Close.
// Echo and gin are left out: they give the writer that the stream holds to
// another request before the server hears that the handler has returned, so
// there only the handler's own Close is in time.
func TestALeatServerEndsTheStreamOfAHandlerThatForgets(t *testing.T) {
	waits := make(chan func() error, 1000)
	routes := map[string]http.HandlerFunc{
		"/stray": func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.NDJSON(w, r, nil)
			if err != nil {
				return
			}
			waits <- senders(s, "stray "+r.URL.Query().Get("id"))
			for range 3 {
				_ = s.Send("own " + r.URL.Query().Get("id"))
			}
		},
	}
	for _, r := range routers[:2] { // net/http and chi
		t.Run(r.name, func(t *testing.T) {
			_, address := onLeat(t, r.build(routes))
			clients(t, func(t *testing.T, client *http.Client) {
				for i := range 50 {
					checkStray(t, client, fmt.Sprintf("http://%s/stray?id=%d", address, i), i)
					if err := (<-waits)(); !errors.Is(err, leat.ErrClosed) {
						t.Errorf("a sender ended with %v", err)
					}
				}
			})
		})
	}
}

type key struct{}

// TestAStreamOutlivesTheContextsThatRoutersRecycle lets many streams live on
// while new requests take over what their handlers left behind.
func TestAStreamOutlivesTheContextsThatRoutersRecycle(t *testing.T) {
	routes := map[string]http.HandlerFunc{
		"/live": func(w http.ResponseWriter, r *http.Request) {
			id := r.URL.Query().Get("id")
			r = r.WithContext(context.WithValue(r.Context(), key{}, id))
			s, err := leat.NDJSON(w, r, nil)
			if err != nil {
				return
			}
			n := 0
			s.Every(time.Millisecond, func() error {
				if n++; n > 20 {
					return leat.Done
				}
				if err := s.Context().Err(); err != nil {
					return err
				}
				return s.Send(s.Context().Value(key{}))
			})
		},
	}
	each(t, routes, func(t *testing.T, address string) {
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				resp, err := http.Get(fmt.Sprintf("http://%s/live?id=%d", address, i))
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if want := strings.Repeat(fmt.Sprintf("\"%d\"\n", i), 20); string(body) != want || err != nil {
					t.Errorf("%q (%v), want %q", body, err, want)
				}
			})
		}
		wg.Wait()
	})
}

func TestTheReaderWhoLeavesEndsTheStream(t *testing.T) {
	ended := make(chan error, 1)
	begin := func(style func(s *leat.Stream)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.NDJSON(w, r, nil)
			if err != nil {
				return
			}
			s.OnClose(func(reason error) { ended <- reason })
			style(s)
		}
	}
	routes := map[string]http.HandlerFunc{
		"/blocking": begin(func(s *leat.Stream) {
			defer s.Close()
			_ = s.Send("first")
			<-s.Done()
		}),
		"/event": begin(func(s *leat.Stream) {
			s.Every(time.Hour, func() error { return s.Send("first") })
		}),
		"/late": begin(func(s *leat.Stream) {
			_ = s.Send("first")
			s.Hold()
		}),
	}
	each(t, routes, func(t *testing.T, address string) {
		clients(t, func(t *testing.T, client *http.Client) {
			for path := range routes {
				resp, err := client.Get("http://" + address + path)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(resp.Body, make([]byte, len(`"first"`)+1)); err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				select {
				case reason := <-ended:
					if !errors.Is(reason, leat.ErrGone) {
						t.Errorf("%s ended with %v", path, reason)
					}
				case <-time.After(20 * time.Second):
					t.Fatalf("%s goes on without a reader", path)
				}
			}
		})
	})
}

// TestACompressorSeesEveryRecord has chi compress what is sent, each record as
// it is sent.
func TestACompressorSeesEveryRecord(t *testing.T) {
	mux := chi.NewRouter()
	mux.Use(chimiddleware.Compress(5, "application/x-ndjson"))
	next := make(chan struct{})
	mux.Get("/event", func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.NDJSON(w, r, nil)
		if err != nil {
			return
		}
		go func() {
			defer s.Close()
			for range next {
				_ = s.Send(strings.Repeat("x", 1000))
			}
		}()
		s.Hold()
	})
	address := onPlain(t, mux)
	conn := dial(t, address)
	if _, err := io.WriteString(conn, "GET /event HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	next <- struct{}{}
	resp, err := http.ReadResponse(conn.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Encoding"); got != "gzip" {
		t.Fatalf("Content-Encoding %q", got)
	}
	in, err := gzip.NewReader(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 1003)
	for range 3 { // each can be read before the next is sent
		if _, err := io.ReadFull(in, line); err != nil || line[1002] != '\n' {
			t.Fatalf("%q (%v)", line, err)
		}
		next <- struct{}{}
	}
	close(next)
	if rest, err := io.ReadAll(in); err != nil || len(rest) != len(line) {
		t.Errorf("%d bytes and %v at the end", len(rest), err)
	}
}
