package leat_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// A stream that begins while its server stops either lives properly or is
// refused properly. Nothing rings for it later.
func TestStreamsThatBeginWhileTheServerStops(t *testing.T) {
	for range 8 {
		srv, err := leat.New(&leat.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		srv.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.NDJSON(w, r, &leat.StreamOptions{Heartbeat: time.Millisecond, Inactivity: 10 * time.Millisecond, Request: 10 * time.Millisecond})
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
