//go:build amd64 || arm64

package engine

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/leat-dev/leat/internal/buffer"
)

// writeMost is the most that is written for one connection before others have
// their turn.
const writeMost = 256 << 10

// Send queues b; see Conn.
func (c *conn) Send(b []byte) error {
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
func (c *conn) SendBehind(head Head, b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(int(head.N) + len(b)); err != nil {
		return err
	}
	c.queue = c.queue.Append(head.B[:head.N], b)
	c.wake()
	return nil
}

// SendParts writes what the system takes at once, where nothing else waits, and
// queues the rest; see Conn.
func (c *conn) SendParts(parts [][]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := size(parts)
	if err := c.admit(n); err != nil {
		return err
	}
	if n >= directLeast && c.secure == nil && !c.writing && !c.blocked && !c.urged && c.out == nil && c.queue == nil {
		c.direct(parts, n)
		return nil
	}
	c.queue = c.queue.Append(parts...)
	c.wake()
	return nil
}

// directLeast is from where it costs less to write at once than to copy first.
const directLeast = 16 << 10

// direct writes the parts, of n bytes, as far as the system takes them at once.
// Out is the rest then, from where a unit begins.
func (c *conn) direct(parts [][]byte, n int) {
	c.writing = true
	c.mu.Unlock()
	whole := c.o.SendBuffer > 0 && n > 2*c.o.SendBuffer
	if whole {
		queueUpTo(c.fd, n)
	}
	sent, e := gather(c.fd, parts)
	if whole {
		queueUpTo(c.fd, c.o.SendBuffer)
	}
	c.loop.Load().counts.writes.Add(1)
	c.mu.Lock()
	switch {
	case c.closed:
	case e != 0 && e != unix.EAGAIN:
		c.mu.Unlock()
		c.Abort(gone(&errnoError{"write", e}))
		c.mu.Lock()
	default:
		c.wrote(parts, n, max(0, sent))
	}
	c.writing = false
	if c.closed {
		c.post() // it has waited for this
		return
	}
	c.listen()
	if c.out != nil || c.queue != nil || c.urged || c.ending || c.offers&offersOwed != 0 { // the rest, and what has come meanwhile
		c.wake()
	}
}

// wrote notes what direct has written.
func (c *conn) wrote(parts [][]byte, n, sent int) {
	if sent < n {
		rest, at := parts, sent
		if c.o.Unit != nil {
			rest, at = begun(parts, sent)
		}
		c.out, c.at = c.out.Append(rest...), int32(at)
		c.blocked = len(parts) <= gatherMost // else it may take more
	}
	if c.blocked && c.o.Stall > 0 {
		c.stall()
	}
	if c.take(int32(sent)); sent > 0 {
		c.tell(int32(sent))
	}
}

// begun is the parts without the units that are sent as a whole, and how much is
// sent of the rest.
func begun(parts [][]byte, sent int) (rest [][]byte, at int) {
	for len(parts) > 1 {
		unit := len(parts[0]) + len(parts[1])
		if unit > sent {
			break
		}
		parts, sent = parts[2:], sent-unit
	}
	return parts, sent
}

// tell says that n bytes are written. It lets go of mu meanwhile.
func (c *conn) tell(n int32) {
	left := int(c.waiting)
	if left == 0 {
		c.offers = c.offers&offersClosed | offersOpen
	}
	c.mu.Unlock()
	c.guard(func() { c.h.Wrote(c, int(n), left) })
	c.mu.Lock()
	c.offers &^= offersOpen
}

// Give queues b; see Conn.
func (c *conn) Give(b *buffer.Buffer, heldBack bool) error {
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

// admit counts n bytes among those that wait, or says why they may not. It is
// called with mu held, as all that follows but Room, Fits, Urge and Flush.
func (c *conn) admit(n int) error {
	switch {
	case c.closed || c.ending:
		return ErrClosed
	case n > max(c.o.Budget, c.o.Most):
		return ErrTooLarge
	case !c.fits(n):
		return ErrFull
	}
	if n > c.o.Budget {
		c.rare().above = surplus{n, int(c.waiting)}
	}
	c.waiting += int32(n)
	return nil
}

// Room answers what the budget has left; see Conn.
func (c *conn) Room() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.ending {
		return 0
	}
	return c.o.room(int(c.waiting), c.above())
}

// Fits says whether n bytes would be taken; see Conn.
func (c *conn) Fits(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closed && !c.ending && c.fits(n)
}

// above is what waits of a Send above the budget.
func (c *conn) above() surplus {
	if c.cold == nil {
		return surplus{}
	}
	return c.cold.above
}

func (c *conn) fits(n int) bool {
	return n <= waitMost-int(c.waiting) && c.o.fits(n, int(c.waiting), c.above())
}

// waitMost is what may wait in all, whatever the budget: with the last bytes of
// an end, and what is urgent, an int32 still counts it.
const waitMost = math.MaxInt32 - 1<<20

// wake sees to it that somebody writes: who runs the callback, who writes
// already, or the loop.
func (c *conn) wake() {
	if !c.pass && !c.writing && !c.blocked {
		c.post()
	}
}

// take notes that the system has taken n bytes of Sends.
func (c *conn) take(n int32) {
	c.waiting -= n
	if c.cold != nil {
		c.cold.above.take(int(n))
	}
}

// Flush writes what a callback has sent; see Conn.
func (c *conn) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.write(); c.closed {
		c.post()
	}
}

// write writes what waits as far as the system takes it at once, unless somebody
// does. It lets go of mu while it writes, and while it tells the handler.
func (c *conn) write() {
	if c.writing || c.closed || c.blocked {
		return
	}
	c.writing = true
	for left := writeMost; c.more(); {
		if left <= 0 {
			c.post() // behind the others
			break
		}
		n, ok := c.put(left)
		if left -= n; !ok {
			break
		}
	}
	c.writing = false
	c.listen()
	if c.ending && !c.closed && c.out == nil && c.queue == nil && (c.secure == nil || c.secure.done()) {
		c.finish()
	}
}

// more says whether there is something to write, and the system may take it. Who
// has offered in vain has his turn when there is nothing.
func (c *conn) more() bool {
	for !c.next() {
		if c.offers&offersOwed == 0 || c.closed || c.ending {
			return false
		}
		if c.tell(0); c.blocked {
			return false
		}
	}
	return !c.closed
}

// next sees to it that out is what goes out next; false: there is nothing. What
// comes while Ahead is asked counts, too: nobody else sees to it.
func (c *conn) next() bool {
	for {
		if c.out == nil {
			c.out, c.queue, c.at = c.queue, nil, 0
		}
		if !c.urged || c.closed || c.cold != nil && c.cold.lead > 0 {
			break
		}
		c.insert()
	}
	if c.out != nil || c.secure == nil {
		return c.out != nil
	}
	return c.secure.waits() || c.ending && c.secure.shut()
}

// put makes one write of at most so many bytes, and tells the handler. It answers
// false where no other should follow.
func (c *conn) put(most int) (n int, ok bool) {
	n, sent, err := c.push(most)
	if err != nil {
		c.mu.Unlock()
		c.Abort(err)
		c.mu.Lock()
	}
	if c.closed {
		return 0, false
	}
	if sent > 0 {
		c.tell(sent)
	}
	return n, !c.blocked
}

// push makes one write of at most so many bytes, and answers how many the system
// has taken, and how many of Sends are done with them. With an error the
// connection is to end.
func (c *conn) push(most int) (n int, sent int32, err error) {
	var b []byte
	if c.out != nil {
		b = c.out.B[c.at:]
		b = b[:min(len(b), most)]
	}
	c.mu.Unlock()
	if c.secure != nil {
		if b, err = c.secure.next(b); err != nil {
			c.mu.Lock()
			return 0, 0, err
		}
	}
	n, e := transmit(c.fd, b)
	c.loop.Load().counts.writes.Add(1)
	c.mu.Lock()
	switch {
	case c.closed:
		return 0, 0, nil
	case e == unix.EAGAIN:
		n = 0
	case e != 0:
		return 0, 0, gone(&errnoError{"write", e})
	}
	c.blocked = n < len(b)
	done := n
	if c.secure != nil {
		done = c.secure.wrote(n)
	}
	sent = c.sent(int32(done))
	if c.blocked && c.o.Stall > 0 {
		c.stall()
	}
	return n, sent, nil
}

// sent notes that n bytes of out are written, and answers how many of them Send
// was given.
func (c *conn) sent(n int32) int32 {
	if c.out == nil || n == 0 && int(c.at) < len(c.out.B) {
		return 0
	}
	from := c.at
	c.at += n
	if int(c.at) == len(c.out.B) {
		c.out.Free()
		c.out = nil
	}
	if cold := c.cold; cold != nil && cold.lead > 0 {
		to := int(c.at)
		ahead := max(0, min(to, cold.leadAt+cold.lead)-max(int(from), cold.leadAt))
		if to >= cold.leadAt+cold.lead {
			cold.lead = 0
		}
		n -= int32(ahead)
	}
	n = min(n, c.waiting) // the last bytes of an end were not sent
	c.take(n)
	return n
}

// stall starts the time anew that the peer has to take something, or ends it.
func (c *conn) stall() {
	if c.blocked {
		c.set(&c.own, clock()+c.o.Stall)
	} else {
		c.set(&c.own, 0)
	}
}
