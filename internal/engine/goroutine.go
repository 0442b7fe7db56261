package engine

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/leat-dev/leat/internal/buffer"
)

const (
	// readSize is what an idle connection keeps to be read into.
	readSize = 1 << 10
	// bulkTime is how long a peer that has sent much may pause before the
	// large buffer is taken from it.
	bulkTime = 100 * time.Millisecond
)

// Goroutines is the engine that works everywhere: a goroutine reads each
// connection, and another writes while there is something to write. The zero
// value is ready.
type Goroutines struct{}

// Adopt starts to keep l.
func (Goroutines) Adopt(l Link, pending []byte, h Handler, o Options) Conn {
	c := &goConn{link: l, h: h, o: o}
	if r, ok := l.(io.Reader); ok {
		c.reading = true
		go c.read(r, pending)
	}
	return c
}

type goConn struct {
	link Link
	h    Handler
	o    Options

	calls   sync.Mutex // held during Data, a call and Closed
	signals sync.Mutex // held during Hangup and Alarm

	mu       sync.Mutex
	queue    *buffer.Buffer // nil: nothing waits but what is being written
	waiting  int            // bytes of Sends, those being written included
	big      int            // of them, those of a Send above the budget
	before   int            // of them, those ahead of it
	urged    bool           // Ahead is owed
	writing  bool           // somebody writes, or has promised to
	writer   func()         // write
	pass     bool           // a callback is running
	promise  *time.Timer
	promised bool
	pending  []func(Conn) // of Call
	calling  bool         // somebody makes these calls

	ending     bool
	closed     bool
	announcing sync.WaitGroup // Ending runs, or is about to
	aborting   bool           // Abort is closing the link
	told       bool           // Closed has been called, or is about to be
	reading    bool           // the reader is at work
	lingering  bool           // the read deadline is the end's
	reason     error          // of the end
	alarm      *time.Timer
}

// read hands over what the peer sends until it ends its half, and then waits
// for the end of the connection only as long as it lingers.
func (c *goConn) read(r io.Reader, pending []byte) {
	defer c.readerLeft()
	if len(pending) > 0 {
		c.data(pending)
	}
	small := make([]byte, readSize)
	buf, dropped := small, 0
	var bulk *[bulkSize]byte // buf while much comes
	for {
		n, err := r.Read(buf)
		over := c.over()
		switch {
		case over:
			dropped += n
		case n > 0:
			c.data(buf[:n])
		}
		if bulk != nil && n < len(buf) {
			bulks.Put(bulk)
			bulk, buf = nil, small
			if c.unhurry() && errors.Is(err, os.ErrDeadlineExceeded) {
				continue // it pauses, no more
			}
		}
		switch {
		case over && (err != nil || dropped > lingerBytes):
			return
		case errors.Is(err, io.EOF):
			c.signal(func() { c.h.Hangup(c) })
			return
		case err != nil:
			c.Abort(gone(err))
			return
		case n == len(buf) && c.hurry():
			if bulk == nil {
				bulk = bulks.Get().(*[bulkSize]byte)
				buf = bulk[:]
			}
		}
	}
}

// data hands over what has come, and writes what that sent. While a large
// answer is written the peer is read further: it may have to say that it lives.
func (c *goConn) data(b []byte) {
	c.call(func() { c.h.Data(c, b) })
	c.mu.Lock()
	much := c.waiting > writeSize
	c.mu.Unlock()
	if much {
		c.Flush()
		return
	}
	c.startWrite()
}

type readDeadliner interface{ SetReadDeadline(t time.Time) error }

// hurry has the next read end soon, which goes into a large buffer. It answers
// false where that cannot be.
func (c *goConn) hurry() bool {
	in, ok := c.link.(readDeadliner)
	c.mu.Lock()
	defer c.mu.Unlock()
	return ok && !c.ending && !c.closed && in.SetReadDeadline(time.Now().Add(bulkTime)) == nil
}

// unhurry lets the next read take its time, unless the end has set a time.
func (c *goConn) unhurry() bool {
	in, ok := c.link.(readDeadliner)
	c.mu.Lock()
	defer c.mu.Unlock()
	return ok && (c.lingering || in.SetReadDeadline(time.Time{}) == nil)
}

// readerLeft closes the link of a connection that has ended and was only
// waiting for its peer.
func (c *goConn) readerLeft() {
	c.mu.Lock()
	c.reading = false
	last := c.told
	c.mu.Unlock()
	if last {
		_ = c.link.Close() // the end was told; there is nobody left to tell
	}
}
