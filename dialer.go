package leat

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
)

// A dialer opens the one connection of a handshake. An http.Transport goes on
// dialing after its request was cancelled, and sends ws requests to a proxy in
// place of having it open a tunnel (RFC 6455, 4.1): so both are done here.
type dialer struct {
	ctx    context.Context // of the handshake
	tunnel *url.URL        // the http or https proxy, nil for none
	socks  *url.URL        // the SOCKS proxy, which net/http talks to itself
	tls    *tls.Config
	stop   func() bool // frees the connection from ctx
}

func newDialer(r *http.Request, o *DialOptions) (*dialer, error) {
	d := &dialer{ctx: r.Context(), tls: o.TLS}
	if d.tls == nil {
		d.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	choose := o.Proxy
	if choose == nil {
		choose = http.ProxyFromEnvironment
	}
	proxy, err := choose(r)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the choice of a proxy: %w", err)
	case proxy == nil:
		return d, nil
	case proxy.Hostname() == "":
		return nil, fmt.Errorf("the proxy %q names no host", proxy.Redacted())
	}
	switch proxy.Scheme {
	case "http", "https":
		d.tunnel = proxy
	case "socks5", "socks5h":
		d.socks = proxy
	default:
		return nil, fmt.Errorf("the proxy %q must begin with http://, https:// or socks5://", proxy.Redacted())
	}
	return d, nil
}

// dial connects to addr, through the tunnel if there is one. It ignores the
// context that net/http has, which is not the handshake's.
func (d *dialer) dial(_ context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.reach(network, addr)
	if err != nil || d.socks != nil {
		return conn, err
	}
	return newGate(conn), nil
}

// dialTLS is dial for wss. With a SOCKS proxy net/http does it.
func (d *dialer) dialTLS(_ context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.reach(network, addr)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if conn, err = d.secure(conn, cmp.Or(d.tls.ServerName, host)); err != nil {
		return nil, err
	}
	return newGate(conn), nil
}

// reach makes the connection to addr, or has the proxy make it.
func (d *dialer) reach(network, addr string) (net.Conn, error) {
	if d.tunnel == nil {
		return d.open(network, addr)
	}
	port := d.tunnel.Port()
	if port == "" {
		port = defaultPort[d.tunnel.Scheme]
	}
	conn, err := d.open(network, net.JoinHostPort(d.tunnel.Hostname(), port))
	if err != nil {
		return nil, d.proxyError(err)
	}
	through, err := d.connect(conn, addr)
	if err != nil {
		_ = conn.Close() // it has failed already
		return nil, d.proxyError(err)
	}
	return through, nil
}

// open makes the TCP connection, which the end of the context closes.
func (d *dialer) open(network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(d.ctx, network, addr)
	if err != nil {
		return nil, err
	}
	d.stop = context.AfterFunc(d.ctx, func() { _ = conn.Close() }) // the one who uses it hears of it
	return conn, nil
}

// secure speaks TLS with who has this name. It names no protocol for ALPN, since
// only HTTP/1.1 has an Upgrade.
func (d *dialer) secure(conn net.Conn, name string) (net.Conn, error) {
	c := d.tls.Clone()
	c.ServerName, c.NextProtos = name, nil
	s := tls.Client(conn, c)
	if err := s.HandshakeContext(d.ctx); err != nil {
		_ = conn.Close() // it has failed already
		return nil, err
	}
	return s, nil
}

// detach takes the connection from the handshake's context; false says that it
// is closed already. It is called after net/http has given the connection out.
func (d *dialer) detach() bool { return d.stop() }

// connect has the proxy open a tunnel (RFC 9110, 9.3.6).
func (d *dialer) connect(conn net.Conn, addr string) (net.Conn, error) {
	if d.tunnel.Scheme == "https" {
		var err error
		if conn, err = d.secure(conn, d.tunnel.Hostname()); err != nil {
			return nil, err
		}
	}
	r := &http.Request{
		Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr,
		Header: http.Header{"User-Agent": {userAgent}},
	}
	if user := d.tunnel.User; user != nil {
		password, _ := user.Password()
		login := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		r.Header.Set("Proxy-Authorization", "Basic "+login)
	}
	if err := r.Write(conn); err != nil {
		return nil, err
	}
	limited := &io.LimitedReader{R: conn, N: dialHeader}
	in := bufio.NewReader(limited)
	resp, err := http.ReadResponse(in, r) //nolint:bodyclose // an agreed tunnel has no body, and the connection of another is closed
	switch {
	case err != nil && limited.N <= 0:
		return nil, fmt.Errorf("its header exceeds %d bytes", dialHeader)
	case err != nil:
		return nil, err
	case resp.StatusCode/100 != 2:
		return nil, refusal(resp, readBody(conn, resp.Body))
	case in.Buffered() > 0:
		return nil, errors.New("it sent something ahead of the server")
	}
	return conn, nil
}

// proxyError says that it is the proxy's.
func (d *dialer) proxyError(err error) error {
	where := d.tunnel.Scheme + "://" + d.tunnel.Host
	var refused *DialError
	if errors.As(err, &refused) {
		refused.Err = fmt.Errorf("the proxy %s: %w", where, refused.Err)
		return refused
	}
	return fmt.Errorf("the proxy %s: %w", where, explain(err, "it", "http"))
}

// A gate holds what a server says back until something has been said to it:
// net/http would log a server that speaks first.
type gate struct {
	net.Conn
	once sync.Once
	open chan struct{}
}

func newGate(c net.Conn) *gate { return &gate{Conn: c, open: make(chan struct{})} }

func (g *gate) pass() { g.once.Do(func() { close(g.open) }) }

func (g *gate) Write(b []byte) (int, error) {
	g.pass()
	return g.Conn.Write(b)
}

func (g *gate) Close() error {
	g.pass()
	return g.Conn.Close()
}

func (g *gate) Read(b []byte) (int, error) {
	<-g.open
	return g.Conn.Read(b)
}
