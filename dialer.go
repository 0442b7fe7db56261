package leat

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// A dialer opens the one connection of a handshake. An http.Transport goes on
// dialing after its request was cancelled: so it is done here.
type dialer struct {
	ctx  context.Context // of the handshake
	tls  *tls.Config
	stop func() bool // frees the connection from ctx
}

func newDialer(r *http.Request, o *DialOptions) *dialer {
	d := &dialer{ctx: r.Context(), tls: o.TLS}
	if d.tls == nil {
		d.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return d
}

// dial connects to addr. It ignores the context that net/http has, which is not
// the handshake's.
func (d *dialer) dial(_ context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.open(network, addr)
	if err != nil {
		return nil, err
	}
	return newGate(conn), nil
}

// dialTLS is dial for wss.
func (d *dialer) dialTLS(_ context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.open(network, addr)
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
