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
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/leat-dev/leat"
)

// dial opens a plain connection to a server, for what no client would send.
func dial(t *testing.T, url string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second)) // so that a wrong server does not hang the test
	return c
}

// exchange sends raw bytes and reads answers until the server closes.
func exchange(t *testing.T, url, raw string) string {
	t.Helper()
	c := dial(t, url)
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("after %q: %v", b, err)
	}
	return string(b)
}

func status(t *testing.T, method, url string, header ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	noRedirect := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := noRedirect.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, resp.Header, body(t, resp)
}

func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// A journal is a log that tests read and wait on.
type journal struct {
	mu    sync.Mutex
	lines []map[string]any
	more  chan struct{}
}

func newJournal() *journal { return &journal{more: make(chan struct{}, 1000)} }

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(j, nil)) }

func (j *journal) Write(b []byte) (int, error) {
	line := map[string]any{}
	if err := json.Unmarshal(b, &line); err != nil {
		return 0, err
	}
	j.mu.Lock()
	j.lines = append(j.lines, line)
	j.mu.Unlock()
	j.more <- struct{}{}
	return len(b), nil
}

// wait waits for a line with these fields.
func (j *journal) wait(t *testing.T, fields map[string]any) map[string]any {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		j.mu.Lock()
		for _, line := range j.lines {
			match := true
			for key, want := range fields {
				match = match && fmt.Sprint(line[key]) == fmt.Sprint(want)
			}
			if match {
				j.mu.Unlock()
				return line
			}
		}
		lines := fmt.Sprint(j.lines)
		j.mu.Unlock()
		select {
		case <-j.more:
		case <-timeout:
			t.Fatalf("no line with %v in %v", fields, lines)
		}
	}
}

func TestRoutesLeadToActionsFilesAndRedirects(t *testing.T) {
	c := &leat.Config{
		FS: fstest.MapFS{"index.html": {Data: []byte("home")}, "api/x": {Data: []byte("a file")}, "old/a": {Data: []byte("old")}},
		Routes: []leat.Route{
			{Match: "/api/", Handler: "action", Headers: map[string]string{"X-Route": "api"}},
			{Match: "/named/{what}", Methods: []string{"get"}, Handler: "action", Action: "{what}"},
			{Match: `^/v(\d+)/`, Handler: "action", Action: "v$1"},
			{Match: "/go", Redirect: "/elsewhere"},
			{Match: "/trim/", Trim: "/trim"},
			{Match: "/trimmed/", Handler: "action", Trim: "/trimmed", Action: "path"},
			{},
		},
		Redirects: []leat.Redirect{{From: "/moved", To: "/there", Status: 308}},
		Headers:   map[string]string{"X-All": "yes"},
	}
	_, url := start(t, c, func(s *leat.Server) {
		s.Handle("/api/x", say("handled"))
		s.Handle("POST /api/post", say("posted"))
		s.Handle("/own", say("own"))
		s.Action("hello", say("hello"))
		s.Action("v2", say("second"))
		s.Action("/api/url", say("by url"))
		s.Action("path", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) }))
	})
	for _, row := range []struct {
		method, path string
		status       int
		body         string
		header       string
	}{
		{"GET", "/", 200, "home", "X-All: yes"},
		{"GET", "/api/x", 200, "handled", "X-Route: api"},
		{"GET", "/api/none", 404, "no action for this URL\n", ""},
		{"GET", "/api/url", 200, "by url", ""},
		{"POST", "/api/post", 200, "posted", ""},
		{"GET", "/api/post", 405, "", "Allow: POST"},
		{"DELETE", "/api/x", 405, "", "Allow: GET, HEAD, OPTIONS, POST"},
		{"OPTIONS", "/api/x", 204, "", "Allow: GET, HEAD, OPTIONS, POST"},
		{"HEAD", "/api/x", 200, "", ""},
		{"GET", "/own", 200, "own", ""},
		{"PUT", "/own", 200, "own", ""},
		{"GET", "/named/hello", 200, "hello", ""},
		{"POST", "/named/hello", 405, "", "Allow: GET, HEAD, OPTIONS"},
		{"GET", "/named/nobody", 404, "no action of that name\n", ""},
		{"GET", "/v2/x", 200, "second", ""},
		{"GET", "/go", 302, "", "Location: /elsewhere"},
		{"GET", "/moved?q=1", 308, "", "Location: /there"},
		{"GET", "/trim/index.html", 200, "home", ""},
		{"GET", "/trimmed/deep", 200, "/deep", ""},
		{"GET", "/a/../api/./x", 200, "handled", ""},
		{"GET", "//api//x", 200, "handled", ""},
		{"GET", "/none", 404, "", ""},
		{"POST", "/", 405, "", "Allow: GET, HEAD, OPTIONS"},
		{"OPTIONS", "/", 204, "", "Allow: GET, HEAD, OPTIONS"},
	} {
		code, header, text := status(t, row.method, url+row.path)
		if code != row.status || row.body != "" && text != row.body {
			t.Errorf("%s %s: %d %q, want %d %q", row.method, row.path, code, text, row.status, row.body)
		}
		if name, want, ok := strings.Cut(row.header, ": "); ok && header.Get(name) != want {
			t.Errorf("%s %s: %s: %q, want %q", row.method, row.path, name, header.Get(name), want)
		}
	}
}

func TestWithoutRoutesActionsComeBeforeFiles(t *testing.T) {
	c := &leat.Config{FS: fstest.MapFS{"index.html": {Data: []byte("home")}, "x": {Data: []byte("file")}}}
	_, url := start(t, c, func(s *leat.Server) {
		s.Handle("GET /x", say("handled"))
		s.Action("/y", say("action"))
	})
	for path, want := range map[string]string{"/": "home", "/x": "handled", "/y": "action"} {
		if _, _, got := status(t, "GET", url+path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if code, _, _ := status(t, "GET", url+"/none"); code != 404 {
		t.Errorf("status %d", code)
	}
}

func TestALoopbackListenerAnswersOnlyItsOwnNames(t *testing.T) {
	_, url := start(t, &leat.Config{Name: "box.example", Hosts: []string{"other.example"}}, func(s *leat.Server) {
		s.Handle("/", say("ok"))
	})
	for host, want := range map[string]int{
		"localhost": 200, "127.0.0.1:4000": 200, "[::1]:80": 200, "[::1]": 200, "LOCALHOST:1": 200,
		"box.example": 200, "other.example:9": 200, "evil.example": 421, "localhost.evil.example": 421, "127.0.0.1.evil": 421,
	} {
		if code, _, _ := status(t, "GET", url, "Host", host); code != want {
			t.Errorf("Host %s: %d, want %d", host, code, want)
		}
	}
}

func TestAPageOfAnotherOriginChangesNothing(t *testing.T) {
	_, url := start(t, nil, func(s *leat.Server) { s.Handle("/", say("ok")) })
	for _, row := range []struct {
		method string
		header []string
		want   int
	}{
		{"POST", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"POST", []string{"Origin", "https://evil.example"}, 403},
		{"POST", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"POST", nil, 200},
		{"GET", []string{"Sec-Fetch-Site", "cross-site"}, 200},
	} {
		if code, _, _ := status(t, row.method, url, row.header...); code != row.want {
			t.Errorf("%s %v: %d, want %d", row.method, row.header, code, row.want)
		}
	}
}

func TestEveryLimitHasItsAnswer(t *testing.T) {
	j := newJournal()
	c := &leat.Config{
		Logger:   j.logger(),
		Limits:   leat.Limits{Header: 8 << 10, Body: 100, Requests: 2},
		Timeouts: leat.Timeouts{Parse: 100 * time.Millisecond, Inactivity: 100 * time.Millisecond, Request: 200 * time.Millisecond},
	}
	srv, url := start(t, c, func(s *leat.Server) {
		s.HandleFunc("/read", func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				http.Error(w, "the handler's own words", http.StatusTeapot)
			}
		})
		s.Handle("/blind", say("did not look"))
		s.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	})
	for name, row := range map[string]struct{ raw, want, text string }{
		"limits.header":      {"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 9<<10) + "\r\n\r\n", "HTTP/1.1 431 ", ""},
		"limits.body, told":  {"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 101\r\n\r\n", "HTTP/1.1 413 ", "limits.body"},
		"and unread":         {"POST /blind HTTP/1.1\r\nHost: localhost\r\nContent-Length: 101\r\n\r\n", "HTTP/1.1 413 ", "limits.body"},
		"limits.body, found": {"POST /read HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nC8\r\n" + strings.Repeat("x", 200) + "\r\n0\r\n\r\n", "HTTP/1.1 413 ", "limits.body"},
		"timeouts.parse":     {"GET / HTTP/1.1\r\nHost: loc", "HTTP/1.1 408 ", "timeouts.parse"},
		"timeouts.inactivity": {
			"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nsome", "HTTP/1.1 408 ", "timeouts.inactivity",
		},
		"timeouts.request": {"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 503 ", "timeouts.request"},
	} {
		got := exchange(t, url, row.raw)
		if !strings.HasPrefix(got, row.want) || !strings.Contains(got, row.text) {
			t.Errorf("%s: %q", name, got)
		}
		if !strings.Contains(got, "Connection: close") {
			t.Errorf("%s: the connection is not closed: %q", name, got)
		}
	}
	for _, status := range []int{431, 408} {
		j.wait(t, map[string]any{"msg": "bad request", "status": status})
	}
	if got := exchange(t, url, "nonsense, nonsense\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
		t.Errorf("nonsense: %q", got)
	}
	j.wait(t, map[string]any{"msg": "bad request", "status": 400})
	// net/http waits for the rest of what might be HTTP/2's preface, and would
	// answer once more.
	if got := exchange(t, url, "short\r\n\r\n"); strings.Count(got, "HTTP/1.1") != 1 {
		t.Errorf("short: %q", got)
	}
	if n := srv.Stats().BadRequests; n != 4 {
		t.Errorf("%d bad requests", n)
	}
	// limits.requests: the second answer on a connection is its last.
	get := "GET /blind HTTP/1.1\r\nHost: localhost\r\n\r\n"
	if got := exchange(t, url, get+get+get); strings.Count(got, "HTTP/1.1 200") != 2 || strings.Count(got, "Connection: close") != 1 {
		t.Errorf("limits.requests: %q", got)
	}
	// An idle connection is closed after timeouts.inactivity, without a word.
	if got := exchange(t, url, get); strings.Count(got, "HTTP/1.1") != 1 {
		t.Errorf("idle: %q", got)
	}
	// One that never says anything is closed after timeouts.parse.
	if got := exchange(t, url, ""); got != "" {
		t.Errorf("mute: %q", got)
	}
}

func TestConnectionsBeyondTheLimitAreAnswered503(t *testing.T) {
	srv, url := start(t, &leat.Config{Limits: leat.Limits{Connections: 2}}, func(s *leat.Server) {
		s.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.NDJSON(w, r, nil)
			if err != nil {
				return
			}
			s.Every(time.Hour, func() error { return s.Send("here") })
		})
	})
	get := "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
	held := []net.Conn{dial(t, url), dial(t, url)}
	for _, c := range held {
		if _, err := io.WriteString(c, get); err != nil {
			t.Fatal(err)
		}
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			t.Fatal(err)
		}
	}
	got := exchange(t, url, get)
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(got)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || !strings.Contains(body(t, resp), "limits.connections") {
		t.Errorf("%q", got)
	}
	if st := srv.Stats(); st.Refused != 1 || st.Connections != 2 || st.Streams != 2 {
		t.Errorf("%+v", st)
	}
	// An adopted connection counts until it has ended, and no longer.
	_ = held[0].Close()
	for srv.Stats().Connections != 1 {
		<-time.After(time.Millisecond)
	}
	c := dial(t, url)
	if _, err := io.WriteString(c, get); err != nil {
		t.Fatal(err)
	}
	if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != 200 {
		t.Errorf("%v %v", resp, err)
	}
}

func TestAPanicIs500AndTheServerLives(t *testing.T) {
	j := newJournal()
	srv, url := start(t, &leat.Config{Logger: j.logger()}, func(s *leat.Server) {
		s.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("oh no") })
		s.HandleFunc("/late", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "some")
			_ = http.NewResponseController(w).Flush()
			panic("too late")
		})
		s.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.NDJSON(w, r, nil)
			if err != nil {
				return
			}
			s.Every(time.Second, func() error { panic("in a stream") })
		})
		s.Handle("/ok", say("ok"))
	})
	if code, _, _ := status(t, "GET", url+"/panic"); code != 500 {
		t.Errorf("status %d", code)
	}
	for _, path := range []string{"/late", "/stream"} {
		resp := get(t, url+path)
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%s: the reader does not see that something is missing", path)
		}
	}
	if _, _, got := status(t, "GET", url+"/ok"); got != "ok" {
		t.Errorf("got %q", got)
	}
	for _, value := range []string{"oh no", "too late", "in a stream"} {
		if line := j.wait(t, map[string]any{"msg": "panic", "value": value}); !strings.Contains(fmt.Sprint(line["stack"]), "server_test.go") {
			t.Errorf("no stack: %v", line)
		}
	}
	j.wait(t, map[string]any{"msg": "request", "path": "/panic", "status": 500, "end": "panic"})
	j.wait(t, map[string]any{"msg": "request", "path": "/late", "end": "panic"})
	j.wait(t, map[string]any{"msg": "request", "path": "/stream", "end": "panic"})
	if n := srv.Stats().Panics; n != 3 {
		t.Errorf("%d panics", n)
	}
}

func TestTheLogHasALineForEachRequest(t *testing.T) {
	j := newJournal()
	_, url := start(t, &leat.Config{Logger: j.logger()}, func(s *leat.Server) {
		s.Handle("/hello", say("hello"))
		s.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.NDJSON(w, r, nil)
			if err != nil {
				return
			}
			s.Every(time.Millisecond, func() error {
				_ = s.Send(1)
				return leat.Done
			})
		})
	})
	_, _, _ = status(t, "GET", url+"/hello?secret=1")
	line := j.wait(t, map[string]any{"msg": "request", "path": "/hello", "method": "GET", "status": 200, "bytes": 5, "end": "done"})
	if fmt.Sprint(line["duration"]) == "" || strings.Contains(fmt.Sprint(line), "secret") {
		t.Errorf("%v", line)
	}
	_, _, _ = status(t, "GET", url+"/stream")
	j.wait(t, map[string]any{"msg": "request", "path": "/stream", "status": 200, "end": "done"})
}

func TestAServerDrainsInGoodOrder(t *testing.T) {
	began := make(chan struct{}, 4)
	srv, err := leat.New(&leat.Config{Listen: []string{"http://127.0.0.1:0"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv.HandleFunc("/event", func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.NDJSON(w, r, nil)
		if err != nil {
			return
		}
		s.Every(time.Hour, func() error {
			defer func() { began <- struct{}{} }()
			return s.Send("first")
		})
	})
	srv.HandleFunc("/blocking", func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.NDJSON(w, r, nil)
		if err != nil {
			return
		}
		defer s.Close()
		_ = s.Send("first")
		began <- struct{}{}
		<-s.Context().Done()
	})
	srv.HandleFunc("/flushing", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "\"first\"\n")
		_ = http.NewResponseController(w).Flush()
		began <- struct{}{}
		<-r.Context().Done()
		_, _ = io.WriteString(w, "\"last\"\n")
	})
	srv.HandleFunc("/ordinary", func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-time.After(300 * time.Millisecond): // is not cut
			_, _ = io.WriteString(w, "whole")
		}
	})
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- srv.Run(ctx) }()
	bodies := make(chan string, 4)
	for _, path := range []string{"/event", "/blocking", "/flushing", "/ordinary"} {
		go func() {
			resp, err := http.Get(srv.URLs()[0] + path)
			if err != nil {
				bodies <- err.Error()
				return
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			bodies <- fmt.Sprintf("%s: %s %v", path, bytes.ReplaceAll(b, []byte("\n"), []byte(" ")), err)
		}()
	}
	for range 4 {
		<-began
	}
	stop()
	got := map[string]bool{}
	for range 4 {
		got[<-bodies] = true
	}
	for _, want := range []string{"/event: \"first\"  <nil>", "/blocking: \"first\"  <nil>", "/flushing: \"first\" \"last\"  <nil>", "/ordinary: whole <nil>"} {
		if !got[want] {
			t.Errorf("missing %q in %v", want, got)
		}
	}
	if err := <-ran; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestAUnixSocketIsServedAndADeadOneReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leat.sock")
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = dead.Close()
	srv, err := leat.New(&leat.Config{Listen: []string{"unix://" + path}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.SSE(w, r, nil)
		if err != nil {
			return
		}
		s.Every(time.Hour, func() error {
			_ = s.Send("over unix")
			return leat.Done
		})
	})
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- srv.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	resp, err := client.Get("http://any.name/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := body(t, resp); got != "data: \"over unix\"\n\n" {
		t.Errorf("got %q", got)
	}
	if other, err := leat.New(&leat.Config{Listen: []string{"unix://" + path}}); err != nil || other.Listen() == nil {
		t.Error("a socket that is in use was taken away")
	}
	stop()
	if err := <-ran; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays behind: %v", err)
	}
}

func TestAnOrdinaryHandlerThatFlushesIsAStream(t *testing.T) {
	j := newJournal()
	gone := make(chan struct{})
	srv, url := start(t, &leat.Config{Logger: j.logger(), Timeouts: leat.Timeouts{Write: 100 * time.Millisecond}}, func(s *leat.Server) {
		s.HandleFunc("/gone", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			close(gone)
		})
		s.HandleFunc("/stalled", func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
				_ = rc.Flush()
			}
		})
	})
	c := dial(t, url)
	_, _ = io.WriteString(c, "GET /gone HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
		t.Fatal(err)
	}
	if n := srv.Stats().Streams; n != 1 {
		t.Errorf("%d streams", n)
	}
	_ = c.Close()
	<-gone
	j.wait(t, map[string]any{"path": "/gone", "end": "reader gone"})
	c = dial(t, url)
	_, _ = io.WriteString(c, "GET /stalled HTTP/1.1\r\nHost: localhost\r\n\r\n")
	j.wait(t, map[string]any{"path": "/stalled", "end": "timeouts.write"})
	if st := srv.Stats(); st.StreamsEnded["timeouts.write"] != 1 || st.StreamsEnded["reader gone"] != 1 {
		t.Errorf("%+v", st)
	}
}

func TestAMountedServerEndsItsStreamsAtShutdown(t *testing.T) {
	srv, err := leat.New(&leat.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.NDJSON(w, r, nil)
		if err != nil {
			return
		}
		s.Every(time.Hour, func() error { return s.Send(1) })
	})
	ts := httptest.NewServer(srv)
	defer ts.Close()
	ts.Config.RegisterOnShutdown(func() { _ = srv.Shutdown(context.Background()) })
	resp := get(t, ts.URL)
	if _, err := io.ReadFull(resp.Body, make([]byte, len("1\n"))); err != nil {
		t.Fatal(err)
	}
	if err := ts.Config.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := body(t, resp); got != "" { // the end, and no error
		t.Errorf("got %q", got)
	}
}

func TestAnActionThatNoRouteReachesIsAWarning(t *testing.T) {
	j := newJournal()
	c := &leat.Config{Logger: j.logger(), Routes: []leat.Route{
		{Match: "/api/", Handler: "action"}, {Match: "/x", Handler: "action", Action: "nobody"}, {},
	}}
	srv, _ := start(t, c, func(s *leat.Server) {
		s.Action("lost", say(""))
		s.Action("/elsewhere/x", say(""))
		s.Action("/api/found", say(""))
		s.Handle("GET /files/{name}", say(""))
	})
	j.wait(t, map[string]any{"level": "WARN", "action": "lost", "add to routes": "{ match: '/lost', handler: 'action', action: 'lost' }"})
	j.wait(t, map[string]any{"level": "WARN", "action": "/elsewhere/x", "add to routes": "{ match: '/elsewhere/x', handler: 'action' }"})
	j.wait(t, map[string]any{"level": "WARN", "action": "nobody"})
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, line := range j.lines {
		if a := fmt.Sprint(line["action"]); a == "/api/found" || strings.Contains(a, "files") {
			t.Errorf("%v", line)
		}
	}
	if !srv.Routed("/api/x") || srv.Routed("/x") || srv.Routed("/files/x") {
		t.Error("Routed")
	}
}
