package leat_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing/fstest"
	"time"

	"github.com/leat-dev/leat"
)

// A server of its own listens where its configuration says; Run serves until
// its context is done.
func ExampleServer() {
	srv, err := leat.New(&leat.Config{Listen: []string{"http://127.0.0.1:0"}})
	if err != nil {
		panic(err)
	}
	srv.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "hello")
	})
	if err := srv.Listen(); err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- srv.Run(ctx) }()

	fmt.Print(text(srv.URLs()[0] + "/hello"))
	stop()
	fmt.Println(<-ended)
	// Output:
	// hello
	// <nil>
}

// In the blocking style the handler sends in a loop, and the stream ends with
// it.
func ExampleStream() {
	handler := func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.NDJSON(w, r, nil)
		if err != nil {
			return // already answered
		}
		defer s.Close()
		for n := range 3 {
			if err := s.Send(n); err != nil {
				return // the reader has left
			}
		}
	}
	server := httptest.NewServer(http.HandlerFunc(handler))
	defer server.Close()
	fmt.Print(text(server.URL))
	// Output:
	// 0
	// 1
	// 2
}

// In the event style the handler hands the stream over and returns.
func ExampleStream_Every() {
	handler := func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.NDJSON(w, r, nil)
		if err != nil {
			return
		}
		n := 0
		s.Every(10*time.Millisecond, func() error {
			n++
			if n > 3 {
				return leat.Done
			}
			return s.Send(map[string]int{"step": n})
		})
	}
	server := httptest.NewServer(http.HandlerFunc(handler))
	defer server.Close()
	res, err := http.Get(server.URL)
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	for record, err := range leat.ReadRecords(res.Body) {
		fmt.Println(string(record), err)
	}
	// Output:
	// {"step":1} <nil>
	// {"step":2} <nil>
	// {"step":3} <nil>
}

// Event names what an EventSource listens for, and the id that it comes back
// with.
func ExampleEvent() {
	handler := func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.SSE(w, r, nil)
		if err != nil {
			return
		}
		defer s.Close()
		s.SendEvent(leat.Event{ID: "41", Name: "price", Data: map[string]float64{"EUR": 1.5}})
		s.SendEvent(leat.Event{Data: "two\nlines"})
	}
	server := httptest.NewServer(http.HandlerFunc(handler))
	defer server.Close()
	res, err := http.Get(server.URL)
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	for event, err := range leat.ReadEvents(res.Body) {
		fmt.Printf("%s %s %q %v\n", event.ID, event.Name, event.Text(), err)
	}
	// Output:
	// 41 price "{\"EUR\":1.5}" <nil>
	// 41  "two\nlines" <nil>
}

// A stream may differ from what its route says.
func ExampleStreamOptions() {
	options := &leat.StreamOptions{
		Heartbeat: 10 * time.Second,
		Request:   50 * time.Millisecond, // its whole life
	}
	reason := make(chan error, 1)
	handler := func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.NDJSON(w, r, options)
		if err != nil {
			return
		}
		s.OnClose(func(err error) { reason <- err })
		s.Hold()
	}
	server := httptest.NewServer(http.HandlerFunc(handler))
	defer server.Close()
	text(server.URL)

	var timeout *leat.TimeoutError
	fmt.Println(errors.As(<-reason, &timeout))
	// Output: true
}

// SlowEnd gives up a reader that is too slow; without it Send says so each
// time, and the stream lives on.
func ExampleSlowPolicy() {
	options := &leat.StreamOptions{Queue: 1 << 10, Slow: leat.SlowEnd}
	reason := make(chan error, 1)
	handler := func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.NDJSON(w, r, options)
		if err != nil {
			return
		}
		s.OnClose(func(err error) { reason <- err })
		s.Every(time.Millisecond, func() error {
			for s.Send(strings.Repeat("x", 1000)) == nil { // faster than anyone reads
			}
			return nil
		})
	}
	server := httptest.NewServer(http.HandlerFunc(handler))
	defer server.Close()
	text(server.URL)
	fmt.Println(errors.Is(<-reason, leat.ErrSlowReader))
	// Output: true
}

// TimeoutError says which of the configuration's keys ended a stream.
func ExampleTimeoutError() {
	var err error = &leat.TimeoutError{Key: "timeouts.request"}

	var timeout *leat.TimeoutError
	if errors.As(err, &timeout) {
		fmt.Println(timeout.Key)
	}
	// Output: timeouts.request
}

// A Config is a web.json5 in Go.
func ExampleConfig() {
	pages := fstest.MapFS{"index.html": {Data: []byte("<h1>Leat</h1>\n")}}
	srv, err := leat.New(&leat.Config{
		FS:      pages,
		Headers: map[string]string{"X-Content-Type-Options": "nosniff"},
		Routes: []leat.Route{
			{Match: "/api/", Handler: "action"},
			{}, // everything else is a file
		},
	})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(srv)
	defer server.Close()
	fmt.Print(text(server.URL + "/"))
	// Output: <h1>Leat</h1>
}

// The first route that matches answers. A route may name its action by a part
// of the URL.
func ExampleRoute() {
	srv, err := leat.New(&leat.Config{Routes: []leat.Route{
		{Match: "/do/{verb}", Handler: "action", Action: "{verb}", Methods: []string{"GET"}},
		{Match: "/old", Redirect: "/do/wave"},
	}})
	if err != nil {
		panic(err)
	}
	srv.Action("wave", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s, by %s\n", r.PathValue("verb"), r.URL.Path)
	}))
	server := httptest.NewServer(srv)
	defer server.Close()
	fmt.Print(text(server.URL + "/old"))
	fmt.Print(text(server.URL + "/do/jump"))
	// Output:
	// wave, by /do/wave
	// 404 Not Found
}

// Redirects come before the routes.
func ExampleRedirect() {
	srv, err := leat.New(&leat.Config{
		FS:        fstest.MapFS{"new.txt": {Data: []byte("here\n")}},
		Redirects: []leat.Redirect{{From: "/old.txt", To: "/new.txt", Status: http.StatusMovedPermanently}},
	})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(srv)
	defer server.Close()
	fmt.Print(text(server.URL + "/old.txt"))
	// Output: here
}

// Cache says how long browsers may keep a route's files.
func ExampleCache() {
	srv, err := leat.New(&leat.Config{
		FS: fstest.MapFS{"logo.svg": {Data: []byte("<svg/>")}},
		Routes: []leat.Route{{
			Cache: leat.Cache{MaxAge: 24 * time.Hour, Extensions: []string{"svg", "png"}},
		}},
	})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(srv)
	defer server.Close()
	res, err := http.Get(server.URL + "/logo.svg")
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	fmt.Println(res.Header.Get("Cache-Control"))
	// Output: max-age=86400
}

// A limit has an answer of its own.
func ExampleLimits() {
	srv, err := leat.New(&leat.Config{Limits: leat.Limits{
		Body:        10,
		Connections: leat.Unlimited,
	}})
	if err != nil {
		panic(err)
	}
	srv.HandleFunc("POST /note", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	})
	server := httptest.NewServer(srv)
	defer server.Close()
	res, err := http.Post(server.URL+"/note", "text/plain", strings.NewReader("more than ten bytes"))
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	fmt.Println(res.Status)
	// Output: 413 Request Entity Too Large
}

// A zero timeout is the default, and Never none.
func ExampleTimeouts() {
	srv, err := leat.New(&leat.Config{Timeouts: leat.Timeouts{
		Request: 50 * time.Millisecond,
		Write:   leat.Never,
	}})
	if err != nil {
		panic(err)
	}
	srv.HandleFunc("/wait", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	server := httptest.NewServer(srv)
	defer server.Close()
	fmt.Print(text(server.URL + "/wait"))
	// Output: 503 Service Unavailable
}

// Stats count what a server does.
func ExampleStats() {
	srv, err := leat.New(nil)
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(srv)
	defer server.Close()
	text(server.URL + "/nothing")
	text(server.URL + "/nowhere")
	stats := srv.Stats()
	fmt.Println(stats.Requests, stats.Streams)
	// Output: 2 0
}

// Load finds all mistakes of a file, and what would be right.
func ExampleConfigError() {
	dir, err := os.MkdirTemp("", "leat")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "web.json5")
	mistaken := "{ web: {\n  listn: ['http://127.0.0.1:4000'],\n  limits: { queue: '64 kilo' },\n} }"
	if err := os.WriteFile(file, []byte(mistaken), 0o600); err != nil {
		panic(err)
	}

	_, err = leat.Load(file)
	mistakes := err.(interface{ Unwrap() []error }).Unwrap()
	for _, mistake := range mistakes {
		var e *leat.ConfigError
		if errors.As(mistake, &e) {
			fmt.Printf("line %d, %s: %s; %s\n", e.Line, e.Path, e.Problem, e.Hint)
		}
	}
	// Output:
	// line 2, listn: unknown key; write listen
	// line 3, limits.queue: "64 kilo" is not a size; write 64KB or 65536
}

// text returns the body of a good answer, and the status of another.
func text(url string) string {
	res, err := http.Get(url)
	if err != nil {
		return err.Error() + "\n"
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return res.Status + "\n"
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error() + "\n"
	}
	return string(body)
}
