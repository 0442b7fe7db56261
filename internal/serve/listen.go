package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/leat-dev/leat/internal/metrics"
)

// ListenOptions bound what a listener accepts.
type ListenOptions struct {
	Connections *Gate
	Write       time.Duration // how long a peer may take no byte; 0: for ever
	Counters    *metrics.Counters
	Log         *slog.Logger
}

// A Gate counts the connections of all listeners that share it and lets in no
// more than its limit.
type Gate struct {
	Most int // 0: no limit

	mu       sync.Mutex
	open     map[*Conn]struct{}
	detached int // that somebody else has now
}

// Listen listens on an address of network "tcp" or "unix", for which it takes
// away the socket that a killed server left behind. The listener's Addr says
// where it is, and its String is the URL.
func Listen(ctx context.Context, network, address string, o ListenOptions) (Listener, error) {
	if network == "unix" {
		if err := removeDeadSocket(ctx, address); err != nil {
			return nil, err
		}
	}
	lc := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true}}
	l, err := lc.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	ln := &listener{Listener: l, o: o}
	ln.spare.hold()
	if tcp, ok := l.Addr().(*net.TCPAddr); ok {
		ln.loopback = tcp.IP.IsLoopback()
	}
	return ln, nil
}

// A Listener accepts connections that are all *Conn.
type Listener interface {
	net.Listener
	fmt.Stringer
}

// removeDeadSocket takes away the socket that a server which was killed left
// behind, and nothing else.
func removeDeadSocket(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSocket == 0 {
		return nil // the bind says what is wrong
	}
	if err != nil {
		return err
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err == nil {
		_ = c.Close() // it was opened only to see whether somebody answers
	}
	if err == nil || errors.Is(err, syscall.EAGAIN) || errors.Is(err, fs.ErrPermission) { // EAGAIN: its queue is full
		return fmt.Errorf("listen unix://%s: another server is listening there", path)
	}
	return os.Remove(path)
}

type listener struct {
	net.Listener
	o        ListenOptions
	loopback bool
	spare    spare
}

// String is the URL to reach the listener by on this machine.
func (l *listener) String() string {
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return "unix://" + l.Addr().String()
	}
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(addr.Port))
}

// refusal is the whole answer to a connection over the limit.
const refusal = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 42\r\n\r\n" +
	"too many connections (limits.connections)\n"

// Accept accepts the next connection below the limit. Those beyond it are
// answered 503 and closed.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if exhausted(err) {
			if c = l.acceptLast(err); c == nil {
				continue
			}
			err = nil
		}
		if err != nil {
			return nil, err
		}
		conn := &Conn{Conn: c, listener: l}
		conn.Stall(l.o.Write)
		if l.o.Connections.enter(conn) {
			l.o.Counters.Connections.Add(1)
			return conn, nil
		}
		l.o.Counters.Refused.Add(1)
		refuse(c)
	}
}

// refuse answers and closes. The answer fits into any send buffer, so that
// nothing waits; what the peer has sent by now is taken, lest the close turns
// into a reset that loses the answer.
func refuse(c net.Conn) {
	soon := time.Now().Add(100 * time.Millisecond)
	_ = c.SetDeadline(soon) // a refused connection is owed no more than a try
	_, _ = c.Write([]byte(refusal))
	_ = closeWrite(c)
	go func() {
		var drop [512]byte
		for n := 0; n < 8<<10; {
			k, err := c.Read(drop[:])
			if n += k; err != nil {
				break
			}
		}
		_ = c.Close()
	}()
}

// Left is for who has taken a connection out of its Conn.
func (l *listener) Left() {
	l.o.Connections.leaveDetached()
	l.o.Counters.Connections.Add(-1)
}

func (l *listener) left(c *Conn) {
	if l.o.Connections.leave(c) {
		l.o.Counters.Connections.Add(-1)
	}
}

func (g *Gate) enter(c *Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.Most > 0 && len(g.open)+g.detached >= g.Most {
		return false
	}
	if g.open == nil {
		g.open = map[*Conn]struct{}{}
	}
	g.open[c] = struct{}{}
	return true
}

func (g *Gate) leave(c *Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, in := g.open[c]
	delete(g.open, c)
	return in
}

// detach keeps c in the count, and nothing else of it. It answers false when c
// has left.
func (g *Gate) detach(c *Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, in := g.open[c]
	if in {
		delete(g.open, c)
		g.detached++
	}
	return in
}

func (g *Gate) leaveDetached() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.detached--
}

// CloseAll closes every connection that has not been detached, also those that
// have left net/http.
func (g *Gate) CloseAll() {
	g.mu.Lock()
	open := make([]*Conn, 0, len(g.open))
	for c := range g.open {
		open = append(open, c)
	}
	g.mu.Unlock()
	for _, c := range open {
		_ = c.Close() // they are being thrown away
	}
}
