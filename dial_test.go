package leat

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat/internal/wire/ws"
)

// A peer is a server that says what a test has it say. It takes one connection
// after the other and closes each when serve has returned.
type peer struct {
	net.Listener
	open sync.WaitGroup
}

// bound is how long a test waits for what must come.
const bound = 30 * time.Second

func newPeer(t *testing.T, serve func(net.Conn)) *peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{Listener: l}
	p.open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(bound))
			p.open.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.open.Wait()
	})
	return p
}

func (p *peer) url(scheme string) string { return scheme + "://" + p.Addr().String() }

// answering is a peer that reads a request, answers, and then waits for the
// client to close.
func answering(t *testing.T, answer func(*http.Request) string) *peer {
	return newPeer(t, func(c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, answer(r))
		closedByClient(t, c)
	})
}

// closedByClient fails a test whose client keeps the connection.
func closedByClient(t *testing.T, c net.Conn) {
	_, err := io.Copy(io.Discard, c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the client keeps the connection")
	}
}

// agree is the answer that agrees, with these lines besides.
func agree(r *http.Request, lines ...string) string {
	lines = append([]string{
		"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Accept: " + ws.AcceptKey(r.Header.Get("Sec-WebSocket-Key")),
	}, lines...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// echoing is a peer that agrees and then sends back what comes.
func echoing(t *testing.T, behind string) *peer {
	return newPeer(t, func(c net.Conn) { echo(c, behind) })
}

func echo(c net.Conn, behind string) {
	in := bufio.NewReader(c)
	r, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	_, _ = io.WriteString(c, agree(r)+behind)
	_, _ = io.Copy(c, in)
}

// certificate is for 127.0.0.1; pool trusts it.
func certificate(t *testing.T) (server *tls.Config, pool *x509.CertPool) {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	t.Cleanup(s.Close)
	pool = x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return &tls.Config{Certificates: s.TLS.Certificates, MinVersion: tls.VersionTLS12}, pool
}

// secure has a peer speak TLS.
func secure(c *tls.Config, serve func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		s := tls.Server(conn, c)
		if s.Handshake() == nil {
			serve(s)
			_ = s.Close()
		}
	}
}

// opened dials what must open.
func opened(t *testing.T, rawURL string, o *DialOptions) (net.Conn, []byte, ws.Agreement) {
	t.Helper()
	if o == nil {
		o = &DialOptions{}
	}
	conn, pending, a, err := dial(t.Context(), rawURL, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(bound))
	return conn, pending, a
}

// refused dials what must not open, and answers the one kind of error there is.
func refused(t *testing.T, ctx context.Context, rawURL string, o *DialOptions) *DialError { //nolint:revive // the test comes first, as everywhere
	t.Helper()
	if o == nil {
		o = &DialOptions{}
	}
	conn, _, _, err := dial(ctx, rawURL, o, nil)
	if conn != nil {
		_ = conn.Close()
		t.Fatal("it opens")
	}
	e, ok := err.(*DialError) //nolint:errorlint // that is what is promised
	if !ok {
		t.Fatalf("%T %v", err, err)
	}
	return e
}

// bounces says whether a text comes back.
func bounces(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	got := make([]byte, len(text))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
		t.Fatalf("%q (%v), want %q", got, err, text)
	}
}

func TestOpeningHandshakeIsThatOfRFC6455Section4_1(t *testing.T) {
	requests := make(chan string, 1)
	p := newPeer(t, func(c net.Conn) {
		var raw strings.Builder
		r, err := http.ReadRequest(bufio.NewReader(io.TeeReader(c, &raw)))
		if err != nil {
			return
		}
		requests <- raw.String()
		_, _ = io.WriteString(c, agree(r, "Sec-WebSocket-Protocol: b", "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover"))
		closedByClient(t, c)
	})
	o := &DialOptions{Header: http.Header{"origin": {"https://example.com"}, "Cookie": {"a=1", "b=2"}}}
	o.Protocols = []string{"a", "b"}
	conn, _, a, err := dial(t.Context(), strings.Replace(p.url("ws"), "//", "//me:p%40ss@", 1)+"/a%2Fb?x=1&y", o, &ws.Deflate{ServerNoContext: true, ClientNoContext: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if a.Protocol != "b" || a.Deflate == nil || !a.Deflate.ServerNoContext {
		t.Errorf("%+v", a)
	}
	head, _, _ := strings.Cut(<-requests, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	if lines[0] != "GET /a%2Fb?x=1&y HTTP/1.1" {
		t.Error(lines[0])
	}
	got := lines[1:]
	key := slices.IndexFunc(got, func(line string) bool { return strings.HasPrefix(line, "Sec-WebSocket-Key: ") })
	if b, err := base64.StdEncoding.DecodeString(got[max(key, 0)][len("Sec-WebSocket-Key: "):]); err != nil || len(b) != 16 {
		t.Errorf("%q (%v)", got[max(key, 0)], err)
	}
	got = slices.Delete(got, key, key+1)
	slices.Sort(got)
	want := []string{
		"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("me:p@ss")),
		"Connection: Upgrade",
		"Cookie: a=1",
		"Cookie: b=2",
		"Host: " + p.Addr().String(),
		"Origin: https://example.com",
		"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
		"Sec-WebSocket-Protocol: a, b",
		"Sec-WebSocket-Version: 13",
		"Upgrade: websocket",
		"User-Agent: leat/" + Version,
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestHostLeavesADefaultPortOutRFC6455Section4_1(t *testing.T) {
	for raw, want := range map[string]string{
		"ws://example.com":         "example.com",
		"ws://example.com:80/":     "example.com",
		"ws://example.com:443/":    "example.com:443",
		"WSS://example.com:443/":   "example.com",
		"wss://example.com:80/":    "example.com:80",
		"ws://[::1]:80/":           "[::1]",
		"ws://[::1]:8080/":         "[::1]:8080",
		"ws://example.com:/chat":   "example.com",
		"ws://me:80@example.com:8": "example.com:8",
	} {
		target, err := parseSocketURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		r, err := openingRequest(target, nil, &ws.Offer{})
		if err != nil || r.Host != want {
			t.Errorf("%s: Host %q (%v), want %q", raw, r.Host, err, want)
		}
	}
}

func TestKeysAreFreshRFC6455Section4_1(t *testing.T) {
	keys := make(chan string, 10)
	p := answering(t, func(r *http.Request) string {
		keys <- r.Header.Get("Sec-WebSocket-Key")
		return agree(r)
	})
	seen := map[string]bool{}
	for range cap(keys) {
		conn, _, _ := opened(t, p.url("ws"), nil)
		_ = conn.Close()
		seen[<-keys] = true
	}
	if len(seen) != cap(keys) {
		t.Errorf("%d keys of %d dials", len(seen), cap(keys))
	}
}

func TestHeaderMayReplaceWhatIsNotTheHandshakes(t *testing.T) {
	seen := make(chan *http.Request, 1)
	p := answering(t, func(r *http.Request) string {
		seen <- r
		return agree(r)
	})
	opened(t, strings.Replace(p.url("ws"), "//", "//me:pass@", 1), &DialOptions{Header: http.Header{
		"host": {"other.example"}, "authorization": {"Bearer x"}, "user-agent": {"mine"},
	}})
	if r := <-seen; r.Host != "other.example" || r.Header.Get("Authorization") != "Bearer x" || r.UserAgent() != "mine" {
		t.Errorf("%s %v", r.Host, r.Header)
	}
}

func TestURLsOfRFC6455Section3AloneAreDialed(t *testing.T) {
	for raw, want := range map[string]string{
		"http://example.com/":           "begins with http://; write ws://",
		"HTTPS://example.com/":          "begins with https://; write wss://",
		"ftp://example.com/":            "must begin with ws:// or wss://",
		"example.com/chat":              "must begin with ws:// or wss://",
		"localhost:4000/chat":           "must begin with ws:// or wss://",
		"":                              "must begin with ws:// or wss://",
		"ws:///chat":                    "names no host",
		"ws:example.com":                "names no host",
		"ws://:80/":                     "names no host",
		"ws://example.com/#x":           "no fragment",
		"ws://example.com/#":            "no fragment",
		"ws://me:secret@example.com:x/": "invalid port",
		"ws://me:secret@example.com/%z": "invalid URL escape",
		"ws://example.com/\n":           "control character",
	} {
		e := refused(t, t.Context(), raw, nil)
		if !strings.Contains(e.Error(), want) || strings.Contains(e.Error(), "secret") || e.Status != 0 {
			t.Errorf("%q: %v, want %q", raw, e, want)
		}
	}
}

func TestHeaderMayNotHoldTheHandshakesOwnFields(t *testing.T) {
	for _, name := range []string{
		"Upgrade", "connection", "Sec-WebSocket-Key", "Sec-Websocket-Version", "sec-websocket-extensions",
		"Sec-WebSocket-Protocol", "Sec-WebSocket-Accept", "Content-Length", "Transfer-Encoding", "Trailer",
	} {
		e := refused(t, t.Context(), "ws://127.0.0.1:1/", &DialOptions{Header: http.Header{name: {"x"}}})
		if !strings.Contains(strings.ToLower(e.Error()), strings.ToLower(name)) {
			t.Errorf("%s: %v", name, e)
		}
	}
	for name, h := range map[string]http.Header{
		"a line end": {"X": {"a\r\nY: b"}}, "a name with a space": {"X Y": {"a"}}, "two hosts": {"Host": {"a", "b"}},
	} {
		p := answering(t, func(*http.Request) string {
			t.Errorf("%s is sent", name)
			return ""
		})
		refused(t, t.Context(), p.url("ws"), &DialOptions{Header: h})
	}
	o := &DialOptions{}
	o.Protocols = []string{"a b"}
	if e := refused(t, t.Context(), "ws://127.0.0.1:1/", o); !strings.Contains(e.Error(), "RFC 6455, 4.1") {
		t.Error(e)
	}
}

func TestAnswersThatRFC6455Section4_1RefusesOpenNothing(t *testing.T) {
	without := func(r *http.Request, field string) string {
		return regexp.MustCompile(`(?m)^`+field+`:.*\r\n`).ReplaceAllString(agree(r), "")
	}
	for name, row := range map[string]struct {
		answer func(*http.Request) string
		status int
		text   string
	}{
		"no Upgrade":       {func(r *http.Request) string { return without(r, "Upgrade") }, 101, "Upgrade: websocket"},
		"another Upgrade":  {func(r *http.Request) string { return strings.Replace(agree(r), ": websocket", ": h2c", 1) }, 101, "Upgrade: websocket"},
		"no Connection":    {func(r *http.Request) string { return without(r, "Connection") }, 101, "Connection: Upgrade"},
		"other Connection": {func(r *http.Request) string { return strings.Replace(agree(r), ": Upgrade", ": close", 1) }, 101, "Connection: Upgrade"},
		"no Accept":        {func(r *http.Request) string { return without(r, "Sec-WebSocket-Accept") }, 101, "Sec-WebSocket-Accept"},
		"another Accept": {func(r *http.Request) string {
			return strings.Replace(agree(r), ws.AcceptKey(r.Header.Get("Sec-WebSocket-Key")), ws.AcceptKey("x"), 1)
		}, 101, "Sec-WebSocket-Accept"},
		"unrequested subprotocol": {func(r *http.Request) string { return agree(r, "Sec-WebSocket-Protocol: chat") }, 101, `subprotocol "chat" was not offered`},
		"unrequested extension":   {func(r *http.Request) string { return agree(r, "Sec-WebSocket-Extensions: permessage-deflate") }, 101, `extension "permessage-deflate" was not offered`},
		"200":                     {answer("200 OK", "Content-Length: 5", "", "hello"), 200, `200 OK; no WebSocket is at this URL; it says "hello"`},
		"204":                     {answer("204 No Content", "", ""), 204, "no WebSocket is at this URL"},
		"a redirect":              {answer("302 Found", "Location: https://other.example/x?y", "Content-Length: 0", "", ""), 302, `redirects are not followed: dial "wss://other.example/x?y"`},
		"a redirect of its own":   {answer("307 Temporary Redirect", "Location: /there", "Content-Length: 0", "", ""), 307, `/there"`},
		"a wrong redirect":        {answer("301 Moved Permanently", "Location: :", "Content-Length: 0", "", ""), 301, `dial ":"`},
		"400":                     {answer("400 Bad Request", "", "what is this?\r\nmore"), 400, `400 Bad Request; it says "what is this?"`},
		"401":                     {answer("401 Unauthorized", `WWW-Authenticate: Basic realm="x"`, "Content-Length: 0", "", ""), 401, `it wants an Authorization ("Basic realm=\"x\"")`},
		"403":                     {answer("403 Forbidden", "", "origin \"x\" may not open a WebSocket here\n"), 403, `it says "origin \"x\" may not open a WebSocket here"`},
		"404 with a page":         {answer("404 Not Found", "", "<!doctype html><p>no"), 404, "the answer is 404 Not Found"},
		"404 with control bytes":  {answer("404 Not Found", "", "a\x1b[31mb"), 404, "the answer is 404 Not Found"},
		"426":                     {answer("426 Upgrade Required", "Sec-WebSocket-Version: 8, 7", "Content-Length: 0", "", ""), 426, `it speaks version "8, 7" of WebSocket, and this is version 13`},
		"503":                     {answer("503 Service Unavailable", "Retry-After: 7", "Content-Length: 0", "", ""), 503, `try again after "7"`},
		"999":                     {answer("999 Odd", "", ""), 999, "the answer is 999"},
		"a chunked refusal":       {answer("400 Bad Request", "Transfer-Encoding: chunked", "", "3\r\nabc\r\n0\r\n\r\n"), 400, `it says "abc"`},
		"103 and then 403":        {answer("103 Early Hints", "Link: </x>", "\r\nHTTP/1.1 403 Forbidden", "Content-Length: 0", "", ""), 403, "403 Forbidden"},
		"no answer":               {func(*http.Request) string { return "" }, 0, "closed the connection without an answer"},
		"half an answer":          {func(*http.Request) string { return "HTTP/1.1 101 Swi" }, 0, "closed the connection without an answer"},
		"no HTTP":                 {func(*http.Request) string { return "SSH-2.0-x\r\n\r\n" }, 0, `malformed HTTP response "SSH-2.0-x"`},
		"a long header":           {func(r *http.Request) string { return agree(r, "X: "+strings.Repeat("x", dialHeader)) }, 0, "exceeded 65536 bytes"},
		"endless early answers":   {func(*http.Request) string { return strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 4000) }, 0, "exceeded 65536 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, func(c net.Conn) {
				r, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				_, _ = io.WriteString(c, row.answer(r))
				if row.status != http.StatusSwitchingProtocols {
					_ = c.(*net.TCPConn).CloseWrite() // which ends a body
				}
				closedByClient(t, c)
			})
			e := refused(t, t.Context(), p.url("ws")+"/chat?token=secret", nil)
			if e.Status != row.status || !strings.Contains(e.Error(), row.text) {
				t.Errorf("%d %v, want %d and %q", e.Status, e, row.status, row.text)
			}
			if want := "leat: dial " + p.url("ws") + "/chat: "; !strings.HasPrefix(e.Error(), want) || strings.Contains(e.Error(), "secret") {
				t.Errorf("%v, want %q", e, want)
			}
			if (e.Header != nil) != (e.Status != 0) {
				t.Errorf("Header %v", e.Header)
			}
			var mistake *ws.HandshakeError
			if errors.As(e, &mistake) != (e.Status == http.StatusSwitchingProtocols) {
				t.Errorf("%#v", e.Err)
			}
		})
	}
}

// answer is one that does not look at the request.
func answer(status string, lines ...string) func(*http.Request) string {
	return func(*http.Request) string { return "HTTP/1.1 " + status + "\r\n" + strings.Join(lines, "\r\n") }
}

func TestSubprotocolMayBeRequired(t *testing.T) {
	p := answering(t, func(r *http.Request) string { return agree(r) })
	o := &DialOptions{}
	o.Protocols, o.RequireProtocol = []string{"chat"}, On
	if e := refused(t, t.Context(), p.url("ws"), o); e.Status != http.StatusSwitchingProtocols || !strings.Contains(e.Error(), "none of the subprotocols") {
		t.Error(e)
	}
	o.RequireProtocol = 0
	if _, _, a := opened(t, p.url("ws"), o); a.Protocol != "" {
		t.Errorf("%+v", a)
	}
}

func TestRefusalKeepsTheBeginningOfItsBody(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 1<<12) // 64 KiB
	p := answering(t, answer("403 Forbidden", "X-Why: so", fmt.Sprintf("Content-Length: %d", len(body)), "", body))
	e := refused(t, t.Context(), p.url("ws"), nil)
	if e.Status != http.StatusForbidden || e.Header.Get("X-Why") != "so" || string(e.Body) != body[:4<<10] {
		t.Errorf("%d %v, %d bytes", e.Status, e.Header, len(e.Body))
	}
}

func TestRefusalDoesNotWaitForABodyThatNeverEnds(t *testing.T) {
	p := answering(t, answer("200 OK", "Content-Type: text/event-stream", "", "data: 1\n\n"))
	began := time.Now()
	e := refused(t, t.Context(), p.url("ws"), nil)
	if e.Status != http.StatusOK || string(e.Body) != "data: 1\n\n" {
		t.Errorf("%v, body %q", e, e.Body)
	}
	if d := time.Since(began); d > bound/2 {
		t.Errorf("it took %v", d)
	}
}

func TestBytesBehindTheAnswerArePending(t *testing.T) {
	server, pool := certificate(t)
	for scheme, wrap := range map[string]func(func(net.Conn)) func(net.Conn){
		"ws":  func(serve func(net.Conn)) func(net.Conn) { return serve },
		"wss": func(serve func(net.Conn)) func(net.Conn) { return secure(server, serve) },
	} {
		for _, size := range []int{0, 1, 100, 4 << 10, 100 << 10} {
			t.Run(fmt.Sprint(scheme, size), func(t *testing.T) {
				behind := strings.Repeat("0123456789", size/10+1)[:size]
				p := newPeer(t, wrap(func(c net.Conn) { echo(c, behind) }))
				conn, pending, _ := opened(t, p.url(scheme), &DialOptions{TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}})
				if size > 0 && size <= 100 && len(pending) == 0 {
					t.Error("nothing is pending") // it comes in one packet with the answer, so net/http has it
				}
				rest := make([]byte, size-len(pending))
				if _, err := io.ReadFull(conn, rest); err != nil {
					t.Fatal(err)
				}
				if string(pending)+string(rest) != behind {
					t.Error("the bytes are others")
				}
				bounces(t, conn, "more")
			})
		}
	}
}

func TestConnectionIsFreeOfTheHandshakesBounds(t *testing.T) {
	p := echoing(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	conn, _, _, err := dial(ctx, p.url("ws"), &DialOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	bounces(t, conn, "before")
	got := make(chan error, 1)
	go func() { // a read that began before the end of ctx
		_, err := io.ReadFull(conn, make([]byte, 5))
		got <- err
	}()
	cancel()
	if _, err := io.WriteString(conn, "after"); err != nil {
		t.Error(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		t.Fatalf("%T has no half", conn)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// stuck answers so far and then no more, until the client closes.
func stuck(t *testing.T, reached chan<- struct{}, bytes string) *peer {
	return newPeer(t, func(c net.Conn) {
		if bytes != "" {
			if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
				return
			}
			_, _ = io.WriteString(c, bytes)
		} else if _, err := c.Read(make([]byte, 1)); err != nil { // of a request or a ClientHello
			return
		}
		reached <- struct{}{}
		closedByClient(t, c)
	})
}

func TestContextBoundsTheWholeHandshake(t *testing.T) {
	for name, c := range map[string]struct{ proxy, target, bytes string }{
		"silent server":                  {"", "ws", ""},
		"half an answer":                 {"", "ws", "HTTP/1.1 101 Switching"},
		"half a header":                  {"", "ws", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"},
		"half a refusal":                 {"", "ws", "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n"},
		"silent TLS":                     {"", "wss", ""},
		"silent proxy":                   {"http", "ws", ""},
		"silent proxy for TLS":           {"http", "wss", ""},
		"half a proxy's answer":          {"http", "ws", "HTTP/1.1 200 O"},
		"a tunnel to silence":            {"http", "ws", "HTTP/1.1 200 OK\r\n\r\n"},
		"a tunnel to silence, for TLS":   {"http", "wss", "HTTP/1.1 200 OK\r\n\r\n"},
		"silent proxy that speaks TLS":   {"https", "ws", ""},
		"silent SOCKS proxy":             {"socks5", "ws", ""},
		"silent SOCKS proxy for TLS too": {"socks5", "wss", ""},
	} {
		t.Run(name, func(t *testing.T) {
			reached := make(chan struct{}, 1)
			p := stuck(t, reached, c.bytes)
			o, target := &DialOptions{}, p.url(c.target)
			if c.proxy != "" {
				proxy, err := url.Parse(p.url(c.proxy))
				if err != nil {
					t.Fatal(err)
				}
				o.Proxy, target = http.ProxyURL(proxy), c.target+"://target.example/"
			}
			why := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			go func() {
				<-reached
				cancel(why)
			}()
			if e := refused(t, ctx, target, o); !errors.Is(e, why) && !errors.Is(e, context.Canceled) || e.Status != 0 {
				t.Errorf("cancelled: %v", e)
			}
			ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer stop()
			if e := refused(t, ctx, target, o); !errors.Is(e, context.DeadlineExceeded) {
				t.Errorf("after the deadline: %v", e)
			}
		})
	}
}

// net/http would log it.
func TestServerThatSpeaksFirstIsHeardAfterTheRequest(t *testing.T) {
	var logged strings.Builder
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	server, pool := certificate(t)
	o := &DialOptions{TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	speaks := func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
		closedByClient(t, c)
	}
	for scheme, p := range map[string]*peer{"ws": newPeer(t, speaks), "wss": newPeer(t, secure(server, speaks))} {
		for range 20 {
			if e := refused(t, t.Context(), p.url(scheme), o); e.Status != http.StatusForbidden {
				t.Fatal(e)
			}
		}
	}
	if logged.Len() > 0 {
		t.Error(logged.String())
	}
}

func TestContextThatIsOverDialsNothing(t *testing.T) {
	p := newPeer(t, func(net.Conn) {})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if e := refused(t, ctx, p.url("ws"), nil); !errors.Is(e, context.Canceled) {
		t.Error(e)
	}
}

func TestHandshakeWithoutADeadlineHas30Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		waits := func(r *http.Request) (*url.URL, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		e := refused(t, t.Context(), "ws://127.0.0.1:1/", &DialOptions{Proxy: waits})
		if d := time.Since(began); d != dialTime || !errors.Is(e, context.DeadlineExceeded) || !strings.Contains(e.Error(), "no handshake in 30s") {
			t.Errorf("after %v: %v", d, e)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began = time.Now()
		if e := refused(t, ctx, "ws://127.0.0.1:1/", &DialOptions{Proxy: waits}); time.Since(began) != time.Hour || strings.Contains(e.Error(), "30s") {
			t.Errorf("after %v: %v", time.Since(began), e)
		}
	})
}

func TestTLSIsCheckedAndConfigured(t *testing.T) {
	server, pool := certificate(t)
	hello := make(chan *tls.ClientHelloInfo, 10)
	server.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		hello <- h
		return nil, nil
	}
	server.NextProtos = []string{"h2"} // it would be chosen if it were offered
	p := newPeer(t, secure(server, func(c net.Conn) { echo(c, "") }))
	trusting := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}
	conn, _, _ := opened(t, p.url("wss"), &DialOptions{TLS: trusting})
	bounces(t, conn, "over TLS")
	if h := <-hello; slices.Contains(h.SupportedProtos, "h2") {
		t.Errorf("%q is offered", h.SupportedProtos)
	}
	if !slices.Equal(trusting.NextProtos, []string{"h2"}) || trusting.ServerName != "" {
		t.Error("the configuration is changed")
	}
	var unknown *tls.CertificateVerificationError
	if e := refused(t, t.Context(), p.url("wss"), nil); !errors.As(e, &unknown) || e.Status != 0 {
		t.Errorf("a certificate of nobody: %v", e)
	}
	trusting.ServerName = "other.test"
	if e := refused(t, t.Context(), p.url("wss"), &DialOptions{TLS: trusting}); !errors.As(e, &unknown) || !strings.Contains(e.Error(), "other.test") {
		t.Errorf("a certificate of others: %v", e)
	}
	plain := newPeer(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4<<10))
		_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		closedByClient(t, c)
	})
	if e := refused(t, t.Context(), plain.url("wss"), nil); !strings.Contains(e.Error(), "write ws://") {
		t.Error(e)
	}
}

func TestServerThatIsNotThereIsNamed(t *testing.T) {
	p := newPeer(t, func(net.Conn) {})
	_ = p.Close()
	var op *net.OpError
	if e := refused(t, t.Context(), p.url("ws"), nil); !errors.As(e, &op) || !strings.Contains(e.Error(), p.Addr().String()) {
		t.Error(e)
	}
}

func TestRefusalsAndSocketsLeaveNothingBehind(t *testing.T) {
	server, pool := certificate(t)
	sound := newPeer(t, secure(server, func(c net.Conn) { echo(c, "x") }))
	sour := answering(t, answer("403 Forbidden", "Content-Length: 2", "", "no"))
	silent := newPeer(t, func(c net.Conn) { closedByClient(t, c) })
	o := &DialOptions{TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	run := func() {
		conn, _, _, err := dial(t.Context(), sound.url("wss"), o, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		refused(t, t.Context(), sound.url("wss"), nil)
		refused(t, t.Context(), sour.url("ws"), nil)
		for _, scheme := range []string{"ws", "wss"} {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
			refused(t, ctx, silent.url(scheme), nil)
			cancel()
		}
	}
	run() // what the first use starts is not a leak
	goroutines := runtime.NumGoroutine()
	for range 20 {
		run()
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(bound); runtime.NumGoroutine() > goroutines+2; <-tick.C {
		if time.Now().After(end) {
			var stacks [64 << 10]byte
			t.Fatalf("%d goroutines were %d:\n%s", runtime.NumGoroutine(), goroutines, stacks[:runtime.Stack(stacks[:], true)])
		}
	}
}
