package engine

import (
	"errors"
	"os"
	"time"

	"github.com/leat-dev/leat/internal/buffer"
)

// writeSize is the most that one write hands to the link, so that a slow peer
// shows its progress and what is urgent has its turn.
const writeSize = 64 << 10

// startWrite writes unless somebody does.
func (c *goConn) startWrite() {
	c.mu.Lock()
	must := c.claim()
	c.writing = c.writing || must
	c.mu.Unlock()
	if must {
		c.write()
	}
}

// write writes until nothing waits. The caller has set writing.
func (c *goConn) write() {
	for {
		out, at := c.batch.out, c.batch.at
		c.batch = batch{}
		if out == nil {
			c.mu.Lock()
			if c.owed && !c.closed && !c.ending && c.queue == nil && !c.urged {
				c.say(0)
				c.mu.Unlock()
				continue // what was offered meanwhile is the batch
			}
			if c.closed || c.queue == nil && !c.urged {
				c.rest()
				return
			}
			out, c.queue = c.queue, nil
			c.mu.Unlock()
		}
		var b []byte
		if out != nil {
			b = out.B
		}
		if err := c.put(b, at); err != nil { // the link may still read the buffer
			c.Abort(err)
			continue
		}
		out.Free()
	}
}

// A batch is what waited at some time, and how much of it is written.
type batch struct {
	out *buffer.Buffer
	at  int
}

// answer writes what waits as far as the system takes it at once, and has a
// writer write the rest, and what others send meanwhile. The caller has set
// writing.
func (c *goConn) answer() {
	c.mu.Lock()
	if out := c.queue; out != nil && c.bare != nil && !c.closed && !c.urged {
		c.queue = nil
		c.mu.Unlock()
		c.writeNow(out)
		c.mu.Lock()
	}
	if c.batch.out == nil && (c.closed || c.queue == nil && !c.urged && !c.owed) {
		c.rest()
		return
	}
	c.startWriter()
	c.mu.Unlock()
}

// writeNow writes what the system takes of out without waiting. What is left is
// the batch.
func (c *goConn) writeNow(out *buffer.Buffer) {
	n := c.bare.writeNow(out.B)
	if n > 0 {
		c.wrote(n)
	}
	if n < len(out.B) {
		c.batch = batch{out, n}
		return
	}
	out.Free()
}

// rest does what follows when the writer has nothing to do. It is called with
// mu held and releases it.
func (c *goConn) rest() {
	c.writing = false
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
	default:
		c.mu.Unlock()
	}
}

// put writes a batch of whole units in slices, of which at bytes are written.
// What is urgent goes ahead of the first unit that is not begun, in one write
// with what follows.
func (c *goConn) put(out []byte, at int) error {
	for edge := 0; ; { // a boundary, not above the next one
		next := out[at:min(at+writeSize, len(out))]
		var ahead *buffer.Buffer
		if c.urgent() {
			for edge < at {
				edge += c.o.unit(out[edge:])
			}
			if edge == at {
				ahead = c.ahead()
				next = next[:min(len(next), max(0, writeSize-len(ahead.B)))]
			} else {
				next = next[:min(len(next), edge-at)]
			}
		}
		b, lead := next, 0
		if ahead != nil {
			lead = len(ahead.B)
			ahead = ahead.Append(next)
			b = ahead.B
		}
		if err := c.hand(b, lead); err != nil { // as in write
			return err
		}
		ahead.Free()
		if at += len(next); at == len(out) {
			return nil
		}
	}
}

// urgent says whether an Ahead is owed.
func (c *goConn) urgent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.urged && !c.closed
}

// ahead collects what is urgent.
func (c *goConn) ahead() *buffer.Buffer {
	c.mu.Lock()
	c.urged = false // before the call: one more may come meanwhile
	c.mu.Unlock()
	b := buffer.Get(0)
	c.guard(func() { b.B = c.h.Ahead(c, b.B) })
	return b
}

// unit is the length of the unit that b begins with.
func (o *Options) unit(b []byte) int {
	if o.Unit != nil {
		if n := o.Unit(b); n > 0 && n < len(b) {
			return n
		}
	}
	return len(b)
}

// hand writes all of b, as long as the peer takes some of it. The first lead
// bytes were not sent by Send.
func (c *goConn) hand(b []byte, lead int) error {
	for len(b) > 0 {
		n, err := c.some(b[:min(len(b), writeSize)])
		b = b[n:]
		c.wrote(max(0, n-lead))
		lead = max(0, lead-n)
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return gone(err)
		case n == 0:
			if n = c.sips(b); n == 0 {
				return ErrStalled
			}
			b = b[n:]
			c.wrote(max(0, n-lead))
			lead = max(0, lead-n)
		}
	}
	return nil
}

// sips writes what the system takes all the same behind a deadline: it tells only
// when it has room for much. A write that takes something need not wait for that.
func (c *goConn) sips(b []byte) int {
	if c.link.SetWriteDeadline(time.Now().Add(time.Millisecond)) != nil {
		return 0
	}
	n, _ := c.link.Write(b) // that it fails again is likely
	return n
}

// some writes b, or as much as the system takes at once.
func (c *goConn) some(b []byte) (int, error) {
	if c.bare != nil {
		if n := c.bare.writeNow(b); n > 0 {
			return n, nil
		}
	}
	if c.o.Stall > 0 {
		if err := c.link.SetWriteDeadline(time.Now().Add(c.o.Stall)); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return 0, err
		}
	}
	return c.link.Write(b)
}

// wrote notes and says that the link has taken n bytes of the queue.
func (c *goConn) wrote(n int) {
	c.mu.Lock()
	if n = c.take(n); n > 0 {
		c.say(n)
	}
	c.mu.Unlock()
}

// say is called with mu held, and lets go of it meanwhile. Who writes does nothing
// else until Wrote has returned.
func (c *goConn) say(n int) {
	left := c.waiting
	if left == 0 {
		c.owed, c.open = false, true
	}
	c.mu.Unlock()
	c.guard(func() { c.h.Wrote(c, n, left) })
	c.mu.Lock()
	c.open = false
}
