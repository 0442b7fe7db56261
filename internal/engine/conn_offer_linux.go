//go:build amd64 || arm64

package engine

import (
	"golang.org/x/sys/unix"

	"github.com/leat-dev/leat/internal/buffer"
)

// offers is what there is to know for those who offer.
type offers uint8

const (
	// Somebody has offered in vain, and waits for Wrote.
	offersOwed offers = 1 << iota
	// Wrote is being told that nothing waits. Who writes does nothing else until it
	// has returned, so that others may, with mu held.
	offersOpen
	// None are taken any more.
	offersClosed
)

// Offer writes units that others hold, too; see Conn.
//
// It keeps mu while it writes, which saves to look at what has come meanwhile:
// nothing has, and nobody has closed the descriptor.
func (c *conn) Offer(joined []byte, units [][]byte) (taken int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed || c.ending || c.offers&offersClosed != 0 || len(units) == 0:
		return 0
	case c.writing && c.offers&offersOpen == 0 || c.blocked || c.urged || c.out != nil || c.queue != nil:
	case c.secure == nil:
		taken = c.offer(joined, units)
	case c.secure.waits():
	case c.writing: // who tells writes it, too
		_, taken = c.lend(joined, units)
	default:
		taken = c.offerSecure(joined, units)
	}
	if taken < len(units) {
		c.offers |= offersOwed
	}
	return taken
}

// CloseOffers has none taken any more; see Conn.
func (c *conn) CloseOffers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offers = c.offers&^offersOwed | offersClosed
}

// offer writes units as far as the system takes them at once. Nothing waits.
func (c *conn) offer(joined []byte, units [][]byte) (taken int) {
	b := joined
	if len(units) == 1 {
		b = units[0]
	}
	n, e := transmit(c.fd, b)
	c.loop.Load().counts.writes.Add(1)
	switch {
	case e == unix.EAGAIN:
		n = 0
	case e != 0:
		go c.Abort(gone(&errnoError{"write", e})) // who offers is not called back
		return 0
	case n == len(b):
		return len(units)
	}
	c.blocked = true
	taken, at := cut(units, n)
	if at > 0 {
		c.out, c.at = buffer.Shared(units[taken]), int32(at)
		c.waiting += int32(len(units[taken]) - at)
		taken++
	} else {
		c.at = queued(c.fd) // see drains
	}
	c.listen()
	if c.o.Stall > 0 {
		c.stall()
	}
	return taken
}

// drains says whether the peer has taken something since an offer was cut between
// two units: nothing is begun that could be tried. Until then at is what the
// system held for it.
func (c *conn) drains() bool {
	before := c.at
	c.at = queued(c.fd)
	if c.at >= before {
		return false
	}
	c.stall()
	return true
}

// lend has some of the units written next, and answers how much that is.
func (c *conn) lend(joined []byte, units [][]byte) (n, taken int) {
	b, taken := handful(joined, units)
	n = len(b.B)
	if n > 0 {
		c.out, c.at = b, 0
		c.waiting += int32(n)
	}
	return n, taken
}

// offerSecure encrypts units and writes them as far as the system takes them at
// once. What is encrypted is taken.
func (c *conn) offerSecure(joined []byte, units [][]byte) (taken int) {
	c.writing = true
	for {
		n, some := c.lend(joined, units[taken:])
		for c.out != nil && !c.blocked && !c.closed {
			if _, _, err := c.push(writeMost); err != nil {
				go c.Abort(err) // as in offer
				break
			}
		}
		taken += some
		if taken == len(units) || c.out != nil || c.queue != nil || c.blocked || c.urged || c.ending || c.closed || c.secure.waits() {
			break
		}
		joined = joined[n:]
	}
	c.writing = false
	if c.closed {
		c.post() // it has waited for this
		return taken
	}
	c.listen()
	if c.queue != nil || c.urged || c.ending || c.offers&offersOwed != 0 || c.secure.waits() { // as in direct
		c.wake()
	}
	return taken
}
