package enginetest

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/engine"
)

// A gate holds each write of a link until it is let through.
type gate struct {
	*net.TCPConn
	t     *testing.T
	begun chan int
	pass  chan struct{}
	once  sync.Once
	free  chan struct{}
}

// hold is adopt with a gate.
func (p *peer) hold(t *testing.T, e engine.Engine, o *engine.Options) *gate {
	t.Helper()
	near, far := connect(t)
	g := &gate{TCPConn: near, t: t, begun: make(chan int), pass: make(chan struct{}), free: make(chan struct{})}
	p.over(t, e, g, far, o)
	return g
}

func (g *gate) Write(b []byte) (int, error) {
	select {
	case g.begun <- len(b):
	case <-g.free:
	}
	select {
	case <-g.pass:
	case <-g.free:
	}
	return g.TCPConn.Write(b)
}

func (g *gate) Close() error {
	g.open()
	return g.TCPConn.Close()
}

// await waits for a write to begin and answers its size.
func (g *gate) await() int {
	g.t.Helper()
	return await(g.t, "a write", g.begun)
}

// let lets the write through that has begun, open all from now on.
func (g *gate) let()  { g.pass <- struct{}{} }
func (g *gate) open() { g.once.Do(func() { close(g.free) }) }

// drain reads the far end to its end, beside the test.
func (p *peer) drain() {
	go func() { _, _ = io.Copy(io.Discard, p.far) }() // whatever comes
}

// A counter counts the writes of a link.
type counter struct {
	*net.TCPConn
	writes atomic.Int32
}

func (c *counter) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.TCPConn.Write(b)
}

// A closer tells when a link is closed.
type closer struct {
	*net.TCPConn
	once   sync.Once
	closed chan struct{}
}

func (c *closer) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.TCPConn.Close()
}

// A keeper is a link whose write fails while somebody still reads the bytes,
// as a write to an HTTP/2 stream that was reset does.
type keeper struct{ kept chan []byte }

func (k *keeper) Write(b []byte) (int, error) {
	k.kept <- b
	return 0, errors.New("reset")
}

func (k *keeper) Close() error                     { return nil }
func (k *keeper) SetWriteDeadline(time.Time) error { return nil }
