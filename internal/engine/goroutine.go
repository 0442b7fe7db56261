package engine

import (
	"errors"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// passTime is how long what a callback sends may wait for more from the
	// same callback.
	passTime = time.Millisecond
	// writeSize is the most that one write hands to the link, so that a slow
	// peer shows its progress.
	writeSize = 64 << 10
	readSize  = 1 << 10
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

	calls sync.Mutex // held during a callback

	mu       sync.Mutex
	queue    []byte // waits
	flight   int    // bytes being written
	writing  bool   // somebody writes, or has promised to
	pass     bool   // a callback is running
	promise  *time.Timer
	refused  bool // Writable is owed
	ending   bool
	closed   bool
	aborting bool  // Abort is closing the link
	told     bool  // Closed has been called, or is about to be
	reading  bool  // the reader is at work
	reason   error // of the end
	alarm    *time.Timer
}

// Send queues b; see Conn.
func (c *goConn) Send(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed || c.ending:
		return ErrClosed
	case len(b) > c.o.Budget:
		return ErrTooLarge
	case len(c.queue)+c.flight+len(b) > c.o.Budget:
		c.refused = true
		return ErrFull
	}
	c.enqueue(b)
	return nil
}

// enqueue appends b and sees to it that somebody writes. It is called with mu
// held.
func (c *goConn) enqueue(b []byte) {
	if c.queue == nil {
		c.queue = getBuffer()
	}
	c.queue = append(c.queue, b...)
	switch {
	case c.writing:
	case !c.pass:
		c.writing = true
		go c.write()
	case c.promise == nil:
		c.promise = time.AfterFunc(passTime, c.startWrite)
	}
}

// startWrite writes unless somebody does.
func (c *goConn) startWrite() {
	c.mu.Lock()
	if c.promise != nil {
		c.promise.Stop()
		c.promise = nil
	}
	if c.writing || len(c.queue) == 0 && !c.ending || c.closed {
		c.mu.Unlock()
		return
	}
	c.writing = true
	c.mu.Unlock()
	c.write()
}

// write writes until nothing waits. The caller has set writing.
func (c *goConn) write() {
	for {
		c.mu.Lock()
		if c.closed || len(c.queue) == 0 {
			c.writing = false
			c.wrote()
			return
		}
		out := c.queue
		c.queue, c.flight = nil, len(out)
		c.mu.Unlock()

		err := c.put(out)
		c.mu.Lock()
		c.flight = 0
		c.mu.Unlock()
		if err != nil { // the link may still read the buffer
			c.Abort(err)
			continue
		}
		putBuffer(out)
	}
}

// wrote does what follows when the writer rests. It is called with mu held and
// releases it.
func (c *goConn) wrote() {
	switch {
	case c.closed:
		last := !c.aborting
		c.mu.Unlock()
		if last { // the link is not used any more
			c.tell()
		}
	case c.ending:
		c.closed = true // nobody ends it once more
		c.mu.Unlock()
		c.halfClose()
		c.tell()
	case c.refused:
		c.refused = false
		c.mu.Unlock()
		go c.call(func() { c.h.Writable(c) })
	default:
		c.mu.Unlock()
	}
}

// put writes all of b, as long as the peer takes some of it.
func (c *goConn) put(b []byte) error {
	for len(b) > 0 {
		if c.o.Stall > 0 {
			if err := c.link.SetWriteDeadline(time.Now().Add(c.o.Stall)); err != nil && !errors.Is(err, errors.ErrUnsupported) {
				return gone(err)
			}
		}
		n, err := c.link.Write(b[:min(len(b), writeSize)])
		b = b[n:]
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return gone(err)
		case n == 0:
			return ErrStalled
		}
	}
	return nil
}

// read hands over what the peer sends until it ends its half, and then waits
// for the end of the connection only as long as it lingers.
func (c *goConn) read(r io.Reader, pending []byte) {
	defer c.readerLeft()
	if len(pending) > 0 {
		c.call(func() { c.h.Data(c, pending) })
	}
	buf := make([]byte, readSize)
	dropped := 0
	for {
		n, err := r.Read(buf)
		c.mu.Lock()
		over := c.ending || c.closed
		c.mu.Unlock()
		switch {
		case over:
			dropped += n
		case n > 0:
			c.call(func() { c.h.Data(c, buf[:n]) })
		}
		switch {
		case over && (err != nil || dropped > lingerBytes):
			return
		case errors.Is(err, io.EOF):
			c.h.Hangup(c)
			return
		case err != nil:
			c.Abort(gone(err))
			return
		}
	}
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

// halfClose ends our half; the reader waits for the other one, within bounds.
func (c *goConn) halfClose() {
	half, ok := c.link.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		_ = c.link.Close() // an orderly end that cannot be made is an end all the same
		return
	}
	c.mu.Lock()
	reading := c.reading
	c.mu.Unlock()
	in, ok := c.link.(interface{ SetReadDeadline(t time.Time) error })
	if !reading || !ok || in.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		_ = c.link.Close() // as above
	}
}

// SetAlarm sets the one alarm; see Conn.
func (c *goConn) SetAlarm(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed || c.ending || t.IsZero():
		if c.alarm != nil {
			c.alarm.Stop()
		}
	case c.alarm == nil:
		c.alarm = time.AfterFunc(time.Until(t), c.ring)
	default:
		c.alarm.Reset(time.Until(t))
	}
}

func (c *goConn) ring() { c.call(func() { c.h.Alarm(c) }) }

// call runs a callback of a connection that has not ended, alone, and then
// writes what it sent.
func (c *goConn) call(fn func()) {
	defer c.startWrite()
	c.calls.Lock()
	defer c.calls.Unlock()
	c.mu.Lock()
	over := c.closed || c.ending
	c.pass = !over
	c.mu.Unlock()
	if over {
		return
	}
	defer func() {
		c.mu.Lock()
		c.pass = false
		c.mu.Unlock()
	}()
	c.guard(fn)
}

// guard turns a panic of fn, or a runtime.Goexit, into the end of the
// connection.
func (c *goConn) guard(fn func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		if v == nil {
			v = "runtime.Goexit"
		}
		c.Abort(&PanicError{Value: v, Stack: debug.Stack()})
	}()
	fn()
	returned = true
}

// End begins an orderly end; see Conn.
func (c *goConn) End(last []byte, reason error) {
	c.mu.Lock()
	if c.closed || c.ending {
		c.mu.Unlock()
		return
	}
	c.finish(reason)
	c.ending = true
	c.queue = append(c.queue, last...)
	start := !c.writing
	c.writing = true
	c.mu.Unlock()
	if start {
		go c.write()
	}
}

// Abort closes at once; see Conn.
func (c *goConn) Abort(reason error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	if !c.ending {
		c.finish(reason)
	} else if c.reason == nil && !c.told {
		c.reason = reason // the end was orderly, but did not come about
	}
	c.closed, c.aborting = true, true
	c.mu.Unlock()
	_ = c.link.Close() // the connection has failed; its close can say nothing new
	c.mu.Lock()
	c.aborting = false
	last := !c.writing
	c.mu.Unlock()
	if last {
		c.tell()
	}
}

// finish notes why the connection ends and stops its timers. It is called with
// mu held.
func (c *goConn) finish(reason error) {
	c.reason = reason
	if c.alarm != nil {
		c.alarm.Stop()
	}
	if c.promise != nil {
		c.promise.Stop()
		c.promise = nil
	}
}

// tell calls Closed once no other callback is running. The writer has left.
func (c *goConn) tell() {
	c.mu.Lock()
	first := !c.told
	c.told = true
	reading, closed, reason := c.reading, c.closed, c.reason
	putBuffer(c.queue)
	c.queue = nil
	c.mu.Unlock()
	if !first {
		return
	}
	if closed && !reading {
		_ = c.link.Close() // closing twice does no harm; leaving it open would
	}
	go func() {
		c.calls.Lock()
		defer c.calls.Unlock()
		c.guard(func() { c.h.Closed(c, reason) })
	}()
}

// gone is err as the reason of an end: the peer's leaving has many names. A
// timeout is our deadline's, or the kernel's that got no acknowledgement.
func gone(err error) error {
	var t interface{ Timeout() bool }
	if errors.As(err, &t) && t.Timeout() {
		return ErrStalled
	}
	return &goneError{err}
}

// A goneError is ErrGone with what the system said.
type goneError struct{ err error }

func (e *goneError) Error() string        { return ErrGone.Error() + ": " + e.err.Error() }
func (e *goneError) Is(target error) bool { return target == ErrGone }
func (e *goneError) Unwrap() error        { return e.err }
