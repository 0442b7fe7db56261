package engine

import (
	"time"

	"github.com/leat-dev/leat/internal/buffer"
)

// passTime is how long what a callback sends may wait for more from the same
// callback.
const passTime = time.Millisecond

// Send queues b; see Conn.
func (c *goConn) Send(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(len(b)); err != nil || len(b) == 0 {
		return err
	}
	c.queue = c.queue.Append(b)
	c.wake()
	return nil
}

// SendBehind queues a head and b; see Conn.
func (c *goConn) SendBehind(head Head, b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(int(head.N) + len(b)); err != nil {
		return err
	}
	c.queue = c.queue.Append(head.B[:head.N], b)
	c.wake()
	return nil
}

// SendParts queues all parts; see Conn.
func (c *goConn) SendParts(parts [][]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := size(parts)
	if err := c.admit(n); err != nil {
		return err
	}
	c.queue = c.queue.Append(parts...)
	c.wake()
	return nil
}

func size(parts [][]byte) int {
	n := 0
	for _, b := range parts {
		n += len(b)
	}
	return n
}

// Give queues b; see Conn.
func (c *goConn) Give(b *buffer.Buffer, heldBack bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(len(b.B)); err != nil {
		return err
	}
	if c.queue == nil && len(b.B) > 0 {
		c.queue = b
	} else {
		c.queue = c.queue.Append(b.B)
		b.Free()
	}
	if c.queue != nil && !heldBack {
		c.wake()
	}
	return nil
}

// admit counts n bytes among those that wait, or says why they may not.
func (c *goConn) admit(n int) error {
	switch {
	case c.closed || c.ending:
		return ErrClosed
	case n > max(c.o.Budget, c.o.Most):
		return ErrTooLarge
	case !c.o.fits(n, c.waiting, c.above):
		return ErrFull
	}
	if n > c.o.Budget {
		c.above = surplus{n, c.waiting}
	}
	c.waiting += n
	return nil
}

// Room answers what the budget has left; see Conn.
func (c *goConn) Room() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.ending {
		return 0
	}
	return c.o.room(c.waiting, c.above)
}

// Fits says whether n bytes would be taken; see Conn.
func (c *goConn) Fits(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closed && !c.ending && c.o.fits(n, c.waiting, c.above)
}

// wake sees to it that somebody writes. It is called with mu held, as all that
// follows but Urge and Flush.
func (c *goConn) wake() {
	switch {
	case c.writing:
	case !c.pass:
		c.startWriter()
	case c.promise == nil:
		c.promise, c.promised = time.AfterFunc(passTime, c.startWrite), true
	case !c.promised:
		c.promise.Reset(passTime)
		c.promised = true
	}
}

// startWriter has a goroutine write.
func (c *goConn) startWriter() {
	c.writing = true
	if c.writer == nil {
		c.writer = c.write // once: a go statement with a receiver allocates
	}
	go c.writer()
}

// claim answers whether somebody must write whom the caller has to start.
func (c *goConn) claim() bool {
	c.breakPromise()
	if c.writing || c.queue == nil && !c.urged || c.closed {
		return false
	}
	return true
}

func (c *goConn) breakPromise() {
	if c.promised {
		c.promise.Stop()
		c.promised = false
	}
}

// take notes that the link has taken n bytes, and answers how many of them
// were sent, which the last bytes of an end were not.
func (c *goConn) take(n int) int {
	n = min(n, c.waiting)
	c.waiting -= n
	c.above.take(n)
	return n
}

// Urge has Ahead called; see Conn.
func (c *goConn) Urge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.urged = true
		c.wake()
	}
}

// Flush writes what a callback has sent; see Conn.
func (c *goConn) Flush() {
	c.mu.Lock()
	must := c.claim()
	c.writing = c.writing || must
	c.mu.Unlock()
	if must {
		c.answer()
	}
}
