package engine

import (
	"runtime/debug"
	"time"
)

// Call has fn called; see Conn.
func (c *goConn) Call(fn func(Conn)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.ending {
		return
	}
	c.pending = append(c.pending, fn)
	if !c.calling {
		c.calling = true
		go c.makeCalls()
	}
}

// makeCalls makes the calls that wait, and then writes what they sent.
func (c *goConn) makeCalls() {
	for {
		c.mu.Lock()
		fns := c.pending
		c.pending = nil
		c.calling = len(fns) > 0
		c.mu.Unlock()
		if len(fns) == 0 {
			break
		}
		for _, fn := range fns {
			c.call(func() { fn(c) })
		}
	}
	c.startWrite()
}

// over says whether the end has begun.
func (c *goConn) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed || c.ending
}

// call runs a callback of a connection that has not ended, alone. The caller
// sees to it that what it sent is written.
func (c *goConn) call(fn func()) {
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

// signal runs a callback that comes at once, unless Closed is due.
func (c *goConn) signal(fn func()) {
	c.signals.Lock()
	defer c.signals.Unlock()
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if !closed {
		c.guard(fn)
	}
}

// lastSignal waits for a signal under way. Once closed is set none comes after.
func (c *goConn) lastSignal() {
	c.signals.Lock()
	defer c.signals.Unlock()
}

// guard turns a panic of fn, or a runtime.Goexit, into the end of the
// connection. Who ends its goroutine may have ended the connection in order.
func (c *goConn) guard(fn func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		if v == nil {
			if c.over() {
				return
			}
			v = "runtime.Goexit"
		}
		c.Abort(&PanicError{Value: v, Stack: debug.Stack()})
	}()
	fn()
	returned = true
}

// SetAlarm sets the one alarm; see Conn.
func (c *goConn) SetAlarm(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed || t.IsZero():
		if c.alarm != nil {
			c.alarm.Stop()
		}
	case c.alarm == nil:
		c.alarm = time.AfterFunc(time.Until(t), c.ring)
	default:
		c.alarm.Reset(time.Until(t))
	}
}

func (c *goConn) ring() { c.signal(func() { c.h.Alarm(c) }) }
