package engine

import (
	"errors"
	"time"
)

// End begins an orderly end; see Conn.
func (c *goConn) End(last []byte, reason error) {
	c.mu.Lock()
	if c.closed || c.ending {
		c.mu.Unlock()
		return
	}
	c.finish(reason)
	c.ending = true
	if len(last) > 0 {
		c.queue = c.queue.Append(last)
	}
	if !c.writing {
		c.startWriter()
	}
	c.mu.Unlock()
	c.announce(reason)
}

// announce calls Ending. Who has called finish does so next, without mu.
func (c *goConn) announce(reason error) {
	defer c.announcing.Done()
	c.guard(func() { c.h.Ending(c, reason) })
}

// Abort closes at once; see Conn.
func (c *goConn) Abort(reason error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	first := !c.ending
	if first {
		c.finish(reason)
	} else if c.reason == nil {
		c.reason = reason // the end was orderly, but did not come about
	}
	c.closed, c.aborting = true, true
	c.mu.Unlock()
	if first {
		c.announce(reason)
	}
	_ = c.link.Close() // the connection has failed; its close can say nothing new
	c.mu.Lock()
	c.aborting = false
	last := !c.writing
	c.mu.Unlock()
	if last {
		c.tell()
	}
}

// finish notes why the connection ends. It is called with mu held.
func (c *goConn) finish(reason error) {
	c.reason = reason
	c.announcing.Add(1)
	c.pending = nil
	c.breakPromise()
}

// halfClose ends our half; the reader waits for the other one, within bounds.
func (c *goConn) halfClose() {
	half, ok := c.link.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || !c.linger() {
		_ = c.link.Close() // an orderly end that cannot be made is an end all the same
	}
}

// linger bounds how long the peer is read. It answers false where nobody reads.
func (c *goConn) linger() bool {
	in, ok := c.link.(readDeadliner)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lingering = ok && c.reading && in.SetReadDeadline(time.Now().Add(lingerTime)) == nil
	return c.lingering
}

// tell calls Closed once no other callback is running. The writer has left.
func (c *goConn) tell() {
	c.mu.Lock()
	first := !c.told
	c.told = true
	reading, reason := c.reading, c.reason
	c.queue.Free()
	c.queue = nil
	if c.alarm != nil {
		c.alarm.Stop()
	}
	c.mu.Unlock()
	if !first {
		return
	}
	if !reading {
		_ = c.link.Close() // closing twice does no harm; leaving it open would
	}
	go func() {
		c.calls.Lock()
		defer c.calls.Unlock()
		c.lastSignal()
		c.announcing.Wait()
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
