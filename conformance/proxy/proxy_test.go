package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

const (
	document = "../../docs/streaming.md"
	host     = "live.example.com" // the name in the document
	silence  = 3 * time.Second    // the proxies' idle timeout here
	beat     = silence / 10       // the heartbeat, where there is one
	patience = 20 * time.Second   // until a test gives up
)

// A proxy is one of those that the document configures.
type proxy struct {
	document string // that configures it
	language string // of its block in the document
	program  string
	args     []string // %s is the configuration's file
	// wrap makes a whole configuration of the document's part.
	wrap func(block, dir string) string
	// listen is where the block says its address, and cuts whether it has an
	// idle timeout.
	listen, listenAs string
	cuts             bool
}

var proxies = map[string]proxy{
	"nginx": {
		document: document,
		language: "nginx",
		program:  "nginx",
		args:     []string{"-e", "stderr", "-c", "%s"},
		wrap: func(block, dir string) string {
			return fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr;
				events { worker_connections 64; }
				http {
					access_log off;
					client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
					uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
					%[2]s
				}`, dir, block)
		},
		listen:   "listen 8080",
		listenAs: "listen 127.0.0.1:%s",
		cuts:     true,
	},
	"Caddy": {
		document: document,
		language: "caddy",
		program:  "caddy",
		args:     []string{"run", "--adapter", "caddyfile", "--config", "%s"},
		wrap:     func(block, _ string) string { return "{\n\tadmin off\n}\n" + block },
		listen:   host,
		listenAs: "http://" + host + ":%s",
	},
	"HAProxy": {
		document: document,
		language: "haproxy",
		program:  "haproxy",
		args:     []string{"-db", "-f", "%s"},
		wrap:     func(block, _ string) string { return block },
		listen:   "bind :8080",
		listenAs: "bind 127.0.0.1:%s",
		cuts:     true,
	},
}

var formats = []string{"application/x-ndjson", "text/event-stream"}

func TestEachRecordArrivesBeforeTheNextIsSent(t *testing.T) {
	eachProxyAndFormat(t, func(t *testing.T, p proxy, format string) {
		b := newBench(t, p, leat.StreamOptions{})
		lines, _ := b.open(format)
		begin := time.Now()
		for n := range 20 {
			b.send <- n
			if got := nextRecord(t, lines); got != n {
				t.Fatalf("record %d came as %d", n, got)
			}
		}
		// A proxy that waits a little for more would show here: HAProxy without
		// http-no-delay takes four seconds.
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("20 records took %v", took)
		}
	})
}

func TestHeartbeatsCarryASilentStreamPastTheTimeoutOfTheProxy(t *testing.T) {
	eachProxyAndFormat(t, func(t *testing.T, p proxy, format string) {
		b := newBench(t, p, leat.StreamOptions{Heartbeat: beat})
		lines, _ := b.open(format)
		b.send <- 1
		nextRecord(t, lines)
		for begin := time.Now(); time.Since(begin) < silence*3/2; {
			if !lines.Scan() {
				t.Fatalf("the stream ended after %v: %v", time.Since(begin), lines.Err())
			}
		}
		b.send <- 2
		if got := nextRecord(t, lines); got != 2 {
			t.Errorf("after the silence came %d", got)
		}
	})
}

func TestWithoutHeartbeatsTheProxyEndsASilentStream(t *testing.T) {
	eachProxyAndFormat(t, func(t *testing.T, p proxy, format string) {
		if !p.cuts {
			return
		}
		b := newBench(t, p, leat.StreamOptions{Heartbeat: leat.Never})
		lines, _ := b.open(format)
		b.send <- 1
		nextRecord(t, lines)
		for lines.Scan() { // what is left of the record
		}
		b.ended(t)
	})
}

func TestLeatNoticesThatAReaderBehindTheProxyLeft(t *testing.T) {
	eachProxyAndFormat(t, func(t *testing.T, p proxy, format string) {
		b := newBench(t, p, leat.StreamOptions{Heartbeat: leat.Never})
		lines, leave := b.open(format)
		b.send <- 1
		nextRecord(t, lines)
		leave()
		b.ended(t)
	})
}

func eachProxyAndFormat(t *testing.T, test func(t *testing.T, p proxy, format string)) {
	for name, p := range proxies {
		for _, format := range formats {
			t.Run(name+" "+format, func(t *testing.T) {
				t.Parallel()
				test(t, p, format)
			})
		}
	}
}

// A bench is a proxy with a Leat server behind it, whose one stream sends what
// comes by send.
type bench struct {
	t    *testing.T
	url  string
	send chan int
	done chan error // why the stream ended
}

func newBench(t *testing.T, p proxy, o leat.StreamOptions) *bench {
	b := &bench{t: t, send: make(chan int), done: make(chan error, 1)}

	config, err := leat.Load(write(t, "web.json5", listenAnywhere(t, block(t, document, "json5", host))))
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = slog.New(slog.DiscardHandler)
	srv, err := leat.New(config)
	if err != nil {
		t.Fatal(err)
	}
	srv.HandleFunc("/live/numbers", func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.Records(w, r, &o)
		if err != nil {
			return
		}
		s.OnClose(func(err error) { b.done <- err })
		go func() {
			for {
				select {
				case n := <-b.send:
					s.Send(map[string]int{"n": n})
				case <-s.Done():
					return
				}
			}
		}()
		s.Hold()
	})
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		srv.Run(ctx)
	}()
	t.Cleanup(func() { stop(); <-stopped })

	b.url = "http://" + p.start(t, strings.TrimPrefix(srv.URLs()[0], "http://")) + "/live/numbers"
	return b
}

// open asks for the stream through the proxy, as a reader of that format.
func (b *bench) open(format string) (lines *bufio.Scanner, leave func()) {
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	b.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", b.url, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Host = host
	req.Header.Set("Accept", format)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { res.Body.Close() })
	if got := res.Header.Get("Content-Type"); res.StatusCode != 200 || !strings.HasPrefix(got, format) {
		b.t.Fatalf("%s, %s", res.Status, got)
	}
	return bufio.NewScanner(res.Body), cancel
}

// ended waits until the stream has ended with a reason.
func (b *bench) ended(t *testing.T) {
	t.Helper()
	select {
	case err := <-b.done:
		if err == nil {
			t.Error("the stream ended without a reason")
		}
	case <-time.After(patience):
		t.Error("the stream goes on")
	}
}

// nextRecord skips heartbeats and returns the number in the next record.
func nextRecord(t *testing.T, lines *bufio.Scanner) int {
	t.Helper()
	for lines.Scan() {
		var n int
		if _, err := fmt.Sscanf(strings.TrimPrefix(lines.Text(), "data: "), `{"n":%d}`, &n); err == nil {
			return n
		}
	}
	t.Fatalf("the stream ended: %v", lines.Err())
	return 0
}

// start runs the proxy in front of a server and returns its address.
func (p proxy) start(t *testing.T, server string) string {
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	config := replace(t, block(t, p.document, p.language, ""), "127.0.0.1:4000", server)
	config = replace(t, config, p.listen, fmt.Sprintf(p.listenAs, port))
	if p.cuts {
		config = replace(t, config, "60s", silence.String())
	}
	dir := t.TempDir()
	file := write(t, p.program+".conf", p.wrap(config, dir))

	args := make([]string, len(p.args))
	for i, a := range p.args {
		args[i] = strings.ReplaceAll(a, "%s", file)
	}
	program, err := exec.LookPath(p.program)
	if err != nil {
		program = "/usr/sbin/" + p.program // where Debian has servers
	}
	var said bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; make deps installs it", err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		cmd.Wait()
	}()
	t.Cleanup(func() { cmd.Process.Kill(); <-gone })

	address := "127.0.0.1:" + port
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return address
		}
		select {
		case <-again.C:
		case <-gone:
			t.Fatalf("%s ended:\n%s", p.program, &said)
		}
	}
}

// freeAddress returns an address that nothing listens on.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// block returns the first code block of the document in a language that has
// word in it.
func block(t *testing.T, document, language, word string) string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```").FindAllSubmatch(text, -1) {
		if bytes.Contains(m[1], []byte(word)) {
			return string(m[1])
		}
	}
	t.Fatalf("%s: no %s block with %q", document, language, word)
	return ""
}

func listenAnywhere(t *testing.T, config string) string {
	t.Helper()
	return replace(t, config, "127.0.0.1:4000", "127.0.0.1:0")
}

// replace is strings.ReplaceAll for what must be there.
func replace(t *testing.T, s, old, new string) string {
	t.Helper()
	if !strings.Contains(s, old) {
		t.Fatalf("no %q in\n%s", old, s)
	}
	return strings.ReplaceAll(s, old, new)
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}
