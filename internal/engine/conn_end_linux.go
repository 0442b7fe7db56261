//go:build amd64 || arm64

package engine

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// An errnoError is what the system said of a call.
type errnoError struct {
	call  string
	errno syscall.Errno
}

func (e *errnoError) Error() string { return e.call + ": " + e.errno.Error() }
func (e *errnoError) Unwrap() error { return e.errno }

// Timeout says whether the kernel has given the peer up.
func (e *errnoError) Timeout() bool { return e.errno.Timeout() && e.errno != unix.EAGAIN }

// End begins an orderly end; see Conn.
func (c *conn) End(last []byte, reason error) {
	c.mu.Lock()
	if c.closed || c.ending {
		c.mu.Unlock()
		return
	}
	c.begin(reason)
	if c.out == nil && c.queue == nil && c.secure == nil {
		c.blocked = false // what offers wait for is no matter any more
	}
	if len(last) > 0 {
		c.queue = c.queue.Append(last)
	}
	if !c.pass {
		c.post()
	}
	c.mu.Unlock()
	c.announce(reason)
}

// begin notes that the end has begun, and why. It is called with mu held.
func (c *conn) begin(reason error) {
	c.ending = true
	c.signals++
	cold := c.rare()
	cold.reason, cold.calls, cold.called, cold.first = reason, nil, 0, nil
}

// announce calls Ending. Who has called begin does so next, without mu.
func (c *conn) announce(reason error) {
	c.guard(func() { c.h.Ending(c, reason) })
	c.signaled()
}

// Abort closes at once; see Conn.
func (c *conn) Abort(reason error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	first := !c.ending
	if first {
		c.begin(reason)
	} else if cold := c.rare(); cold.reason == nil {
		cold.reason = reason // the end was orderly, but did not come about
	}
	c.closed = true
	c.post()
	c.mu.Unlock()
	if first {
		c.announce(reason)
	}
}

// fails is Abort for a connection that could not be taken in: nobody knows it
// yet.
func (c *conn) fails(err error) {
	c.closed, c.ending, c.shut, c.fate = true, true, true, fateForgotten
	c.alarm, c.own = never, never
	_ = unix.Close(int(c.fd)) // it has not been used
	if c.owner != nil {
		c.owner.Left()
	}
	go func() {
		c.guard(func() { c.h.Ending(c, err) })
		c.guard(func() { c.h.Closed(c, err) })
	}()
}

// finish ends our half of a connection that has nothing more to say. It is called
// with mu held.
func (c *conn) finish() {
	c.closed = true // nobody ends it once more
	c.lingering = !c.eof && unix.Shutdown(int(c.fd), unix.SHUT_WR) == nil
	if c.lingering {
		c.set(&c.own, clock()+lingerTime)
	}
	c.post()
}

// late is what follows when the peer seems to have taken nothing for too long, or
// has not closed.
func (c *conn) late() {
	c.mu.Lock()
	c.lingering = false
	stalled := !c.closed && c.blocked && !c.sips()
	if c.closed || !c.blocked {
		c.post()
	}
	c.mu.Unlock()
	if stalled {
		c.Abort(ErrStalled)
	}
}

// sips says whether the system takes something all the same: it tells only when it
// has room for much. It is called with mu held.
func (c *conn) sips() bool {
	switch {
	case c.writing:
		return true // and so starts the time anew
	case c.out == nil && c.secure == nil:
		return c.drains()
	}
	c.writing, c.blocked = true, false
	n, _ := c.put(writeMost)
	c.writing = false
	c.listen()
	return n > 0
}

// close closes the descriptor of a connection that has ended, unless its peer may
// yet say something, and tells the handler. It is called with mu held and
// releases it.
func (r *runner) close(c *conn) bool {
	if c.writing {
		c.mu.Unlock() // who writes posts it once more
		return true
	}
	if !c.lingering && !c.shut {
		c.shut = true
		c.leave()
	}
	if c.busy || c.signals > 0 || c.fate != fateOpen {
		if c.fate == fateTold && c.shut && !c.busy {
			c.fate = fateForgotten
			r.l.open.Add(-1)
		}
		c.mu.Unlock()
		return true
	}
	c.fate, c.busy = fateTold, true
	c.out.Free()
	c.queue.Free()
	c.out, c.queue = nil, nil
	if c.secure != nil {
		c.secure.free()
	}
	c.mu.Unlock()
	return r.do(c, jobClosed, nil)
}

// leave gives up what the system and the loop hold for c. It is called with mu
// held.
func (c *conn) leave() {
	l := c.lockAlarms()
	l.wheel.remove(&c.timer)
	c.alarm, c.own = never, never
	l.alarms.Unlock()
	_ = l.control(unix.EPOLL_CTL_DEL, c) // a child being started may hold it open
	l.mu.Lock()
	l.release(c.slot)
	l.mu.Unlock()
	_ = unix.Close(int(c.fd)) // it has ended
	if c.owner != nil {
		c.owner.Left()
	}
}
