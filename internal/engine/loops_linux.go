//go:build amd64 || arm64

package engine

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Loops is the event-driven engine. Each of its loops waits for all of its
// connections at once; one that is idle is a small struct, without a goroutine
// and without a buffer. How many loops there are NewLoops is told. See DESIGN.md.
type Loops struct {
	wrapped  func(Link)
	once     sync.Once // of wrapped
	fallback Goroutines
	loops    []*loop
	next     atomic.Uint32
	watch    watch
	trim     trimmer
}

// New answers the engine of this system. It keeps a connection that is a bare
// socket of TCP or unix by events, with a loop for each processor that Go uses
// (GOMAXPROCS), and any other by goroutines. wrapped, which may be nil, is told
// the first of those that are net.Conns all the same.
func New(wrapped func(Link)) Engine { return NewLoops(runtime.GOMAXPROCS(0), wrapped) }

// NewLoops is New with so many loops.
func NewLoops(n int, wrapped func(Link)) *Loops {
	e := &Loops{wrapped: wrapped}
	for range n {
		e.loops = append(e.loops, &loop{e: e})
	}
	return e
}

// Adopt keeps l. Its descriptor becomes the engine's own, so that Go's poller
// is not woken for it as well.
func (e *Loops) Adopt(l Link, pending []byte, h Handler, o *Options) Conn {
	to := e.place()
	fd, owner, ok := e.take(l, to)
	if !ok {
		return e.fallback.Adopt(l, pending, h, o)
	}
	c := &conn{h: h, o: o, owner: owner, fd: int32(fd)}
	c.loop.Store(to)
	if t, wire := secureOf(l); wire != nil {
		c.secure = newSecure(t, wire)
	}
	first := len(pending) > 0 || c.secure != nil // crypto/tls may have read ahead
	if first {
		c.rare().first = append([]byte{}, pending...)
	}
	if err := to.enter(c); err != nil {
		c.fails(err)
	}
	e.trim.begin(e)
	if first {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.post()
	}
	return c
}

// take takes the descriptor out of a link, for a loop; false: it has none that
// could be taken.
func (e *Loops) take(l Link, to *loop) (fd int, owner Owner, ok bool) {
	bare, isConn := l.(net.Conn)
	if _, wire := secureOf(l); wire != nil {
		bare = wire.Under()
	}
	detacher, isDetacher := bare.(Detacher)
	if isDetacher {
		bare = detacher.Bare()
	}
	from := socketOf(bare)
	if from == nil {
		if isConn && e.wrapped != nil {
			e.once.Do(func() { e.wrapped(l) })
		}
		return 0, nil, false
	}
	err := to.ready()
	if err == nil {
		fd, err = duplicate(from)
	}
	if err != nil { // there is no descriptor left for a moment
		return 0, nil, false
	}
	if isDetacher {
		owner = detacher.Detach()
	}
	_ = bare.Close() // the duplicate keeps the connection
	return fd, owner, true
}

func duplicate(c syscall.Conn) (fd int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	if failed := raw.Control(func(from uintptr) { fd, err = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 0) }); failed != nil {
		return 0, failed
	}
	return fd, err
}

// Close aborts all that the engine keeps by events.
func (e *Loops) Close() {
	for _, l := range e.loops {
		for _, c := range l.all() {
			c.Abort(ErrClosed)
			c.mu.Lock()
			c.lingering = false
			c.post()
			c.mu.Unlock()
		}
	}
}

// Counts are what an engine has done so far.
type Counts struct {
	Polls     int64 // calls of epoll_wait
	Wakes     int64 // of them, those behind a wait
	Reads     int64 // that brought something
	ReadBytes int64
	Writes    int64
	Callbacks int64 // Data, calls and Closed
	Away      int64 // of them, those on a goroutine of their own
	Handovers int64 // callbacks whose loop went on without them
	Moved     int64 // connections that another loop has taken over
}

// Counts answers the counts as they stand.
func (e *Loops) Counts() Counts {
	var n Counts
	for _, l := range e.loops {
		s := &l.counts
		n.Polls += s.polls.Load()
		n.Wakes += s.wakes.Load()
		n.Reads += s.reads.Load()
		n.ReadBytes += s.readBytes.Load()
		n.Writes += s.writes.Load()
		n.Callbacks += s.callbacks.Load()
		n.Away += s.away.Load()
		n.Handovers += s.handovers.Load()
		n.Moved += s.moved.Load()
	}
	return n
}

type counts struct {
	polls, wakes, reads, readBytes, writes, callbacks, away, handovers, moved atomic.Int64
}
