package leat

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// tunnel is a proxy that opens every way to one server, whatever name it is
// asked for.
func tunnel(to net.Addr, asked chan<- *http.Request) func(net.Conn) {
	return func(c net.Conn) {
		in := bufio.NewReader(c)
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		asked <- r
		out, err := net.Dial("tcp", to.String())
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
		splice(c, in, out)
	}
}

// splice carries bytes both ways until one side has ended.
func splice(c net.Conn, in io.Reader, out net.Conn) {
	go func() {
		_, _ = io.Copy(out, in)
		_ = out.Close()
	}()
	_, _ = io.Copy(c, out)
	_ = c.Close()
}

// by is the choice of one proxy.
func by(t *testing.T, p *peer, scheme, user string) func(*http.Request) (*url.URL, error) {
	t.Helper()
	u, err := url.Parse(scheme + "://" + user + p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return http.ProxyURL(u)
}

func TestProxyOpensATunnelRFC6455Section4_1(t *testing.T) {
	server, pool := certificate(t)
	trusting := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	seen := make(chan string, 1)
	serve := func(c net.Conn) {
		var raw strings.Builder
		in := bufio.NewReader(io.TeeReader(c, &raw))
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		seen <- raw.String()
		_, _ = io.WriteString(c, agree(r)+"behind")
		_, _ = io.Copy(c, in)
	}
	servers := map[string]*peer{"ws": newPeer(t, serve), "wss": newPeer(t, secure(server, serve))}
	for _, proxy := range []string{"http", "https"} {
		for _, target := range []string{"ws", "wss"} {
			t.Run(proxy+" "+target, func(t *testing.T) {
				asked := make(chan *http.Request, 1)
				run := tunnel(servers[target].Addr(), asked)
				if proxy == "https" {
					run = secure(server, run)
				}
				p := newPeer(t, run)
				// example.com is in the certificate, and in no name service that this proxy would ask.
				conn, pending, _ := opened(t, target+"://example.com/chat", &DialOptions{Proxy: by(t, p, proxy, "me:p%3Ass@"), TLS: trusting})
				r := <-asked
				port := map[string]string{"ws": "80", "wss": "443"}[target]
				if r.Method != http.MethodConnect || r.Host != "example.com:"+port || r.UserAgent() != userAgent {
					t.Errorf("%s %s %v", r.Method, r.Host, r.Header)
				}
				if got := r.Header.Get("Proxy-Authorization"); got != "Basic bWU6cDpzcw==" { // me:p:ss
					t.Errorf("Proxy-Authorization %q", got)
				}
				if raw := <-seen; !strings.HasPrefix(raw, "GET /chat HTTP/1.1\r\nHost: example.com\r\n") || strings.Contains(raw, "Proxy-") {
					t.Errorf("the server is asked %q", raw)
				}
				if rest, err := io.ReadAll(io.LimitReader(conn, int64(len("behind")-len(pending)))); string(pending)+string(rest) != "behind" {
					t.Errorf("%q and %q (%v)", pending, rest, err)
				}
				bounces(t, conn, "through the tunnel")
			})
		}
	}
}

func TestProxyMaySpeakSOCKS5(t *testing.T) {
	server, pool := certificate(t)
	serve := func(c net.Conn) { echo(c, "") }
	for scheme, to := range map[string]*peer{"ws": newPeer(t, serve), "wss": newPeer(t, secure(server, serve))} {
		asked := make(chan string, 1)
		p := newPeer(t, func(c net.Conn) {
			in := bufio.NewReader(c)
			read := func(n int) string {
				b := make([]byte, n)
				_, _ = io.ReadFull(in, b)
				return string(b)
			}
			read(int(read(2)[1]))                // the methods that are offered (RFC 1928, 3)
			_, _ = io.WriteString(c, "\x05\x02") // user and password (RFC 1929)
			user := read(int(read(2)[1]))
			password := read(int(read(1)[0]))
			_, _ = io.WriteString(c, "\x01\x00")
			host := read(int(read(5)[4])) // a name (RFC 1928, 4)
			read(2)
			asked <- user + " " + password + " " + host
			_, _ = io.WriteString(c, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
			out, err := net.Dial("tcp", to.Addr().String())
			if err != nil {
				return
			}
			splice(c, in, out)
		})
		conn, _, _ := opened(t, scheme+"://example.com/", &DialOptions{
			Proxy: by(t, p, "socks5", "me:secret@"), TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		})
		if got := <-asked; got != "me secret example.com" {
			t.Errorf("asked for %q", got)
		}
		bounces(t, conn, "through SOCKS")
	}
	p := newPeer(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 3)) })
	if e := refused(t, t.Context(), "ws://example.com/", &DialOptions{Proxy: by(t, p, "socks5", "")}); !strings.Contains(e.Error(), "the proxy: socks connect") {
		t.Error(e)
	}
}

func TestProxyThatRefusesIsNamed(t *testing.T) {
	for name, row := range map[string]struct {
		answer string
		status int
		text   string
	}{
		"login":           {"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 3\r\n\r\nwho", 407, `it wants user and password in the proxy's URL; it says "who"`},
		"no way":          {"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", 502, "502 Bad Gateway"},
		"an endless body": {"HTTP/1.1 403 Forbidden\r\n\r\nno", 403, `it says "no"`},
		"early bytes":     {"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101", 0, "ahead of the server"},
		"no HTTP":         {"SSH-2.0-x\r\n\r\n", 0, "malformed HTTP"},
		"a long header":   {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", dialHeader) + "\r\n\r\n", 0, "exceeds 65536 bytes"},
		"nothing":         {"", 0, "closed the connection without an answer"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, func(c net.Conn) {
				if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
					return
				}
				if row.answer != "" {
					_, _ = io.WriteString(c, row.answer)
					closedByClient(t, c)
				}
			})
			for _, target := range []string{"ws", "wss"} {
				e := refused(t, t.Context(), target+"://example.com/", &DialOptions{Proxy: by(t, p, "http", "me:secret@")})
				want := "leat: dial " + target + "://example.com/: the proxy http://" + p.Addr().String() + ": "
				if e.Status != row.status || !strings.HasPrefix(e.Error(), want) || !strings.Contains(e.Error(), row.text) || strings.Contains(e.Error(), "secret") {
					t.Errorf("%d %v, want %q and %q", e.Status, e, want, row.text)
				}
			}
		})
	}
}

func TestProxyThatIsWrongIsRefused(t *testing.T) {
	for raw, want := range map[string]string{
		"ftp://me:secret@proxy.example": "must begin with http://, https:// or socks5://",
		"http://me:secret@/":            "names no host",
		"proxy.example:80":              "names no host",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		e := refused(t, t.Context(), "ws://example.com/", &DialOptions{Proxy: http.ProxyURL(u)})
		if !strings.Contains(e.Error(), want) || strings.Contains(e.Error(), "secret") {
			t.Errorf("%s: %v", raw, e)
		}
	}
	why := errors.New("no choice")
	choose := func(*http.Request) (*url.URL, error) { return nil, why }
	if e := refused(t, t.Context(), "ws://example.com/", &DialOptions{Proxy: choose}); !errors.Is(e, why) {
		t.Error(e)
	}
	gone := newPeer(t, func(net.Conn) {})
	_ = gone.Close()
	if e := refused(t, t.Context(), "ws://example.com/", &DialOptions{Proxy: by(t, gone, "http", "")}); !strings.Contains(e.Error(), "the proxy http://"+gone.Addr().String()+": ") {
		t.Error(e)
	}
}

func TestProxyWithoutTLSIsTold(t *testing.T) {
	p := newPeer(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4<<10))
		_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		closedByClient(t, c)
	})
	if e := refused(t, t.Context(), "ws://example.com/", &DialOptions{Proxy: by(t, p, "https", "")}); !strings.Contains(e.Error(), "write http://") {
		t.Error(e)
	}
}

func TestProxyIsChosenByTheURLAsHTTPHasIt(t *testing.T) {
	stop := errors.New("enough")
	for raw, want := range map[string]string{
		"ws://me@example.com/a?b": "http://example.com/a?b",
		"wss://example.com:444/":  "https://example.com:444/",
	} {
		choose := func(r *http.Request) (*url.URL, error) {
			if got := r.URL.String(); got != want {
				t.Errorf("%s is %s, want %s", raw, got, want)
			}
			return nil, stop
		}
		refused(t, t.Context(), raw, &DialOptions{Proxy: choose})
	}
}

func TestProxyIsAskedForTheNameThatTheNetworkKnows(t *testing.T) {
	for host, want := range map[string]string{"bücher.example": "xn--bcher-kva.example:80", "[::1]:8080": "[::1]:8080"} {
		asked := make(chan *http.Request, 1)
		p := newPeer(t, tunnel(echoing(t, "").Addr(), asked))
		opened(t, "ws://"+host, &DialOptions{Proxy: by(t, p, "http", "")})
		if r := <-asked; r.Host != want {
			t.Errorf("%s: asked for %s, want %s", host, r.Host, want)
		}
	}
}

func TestDefaultProxyPassesThisMachineBy(t *testing.T) {
	p := echoing(t, "")
	conn, _, _, err := dial(t.Context(), p.url("ws"), &DialOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	bounces(t, conn, "direct")
}
