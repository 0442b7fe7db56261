package engine

import "github.com/leat-dev/leat/internal/buffer"

// Offer writes units that others hold, too; see Conn.
func (c *goConn) Offer(joined []byte, units [][]byte) (taken int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed || c.ending || c.noOffers || len(units) == 0:
		return 0
	case c.writing && !c.open || c.urged || c.queue != nil || c.batch.out != nil:
	case c.bare != nil:
		taken = c.offer(joined, units)
	default: // its Write may take its time
		b, some := handful(joined, units)
		c.lend(b, 0)
		taken = some
	}
	c.owed = c.owed || taken < len(units)
	return taken
}

// CloseOffers has none taken any more; see Conn.
func (c *goConn) CloseOffers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owed, c.noOffers = false, true
}

// offer writes units as far as the system takes them at once. The next one is
// taken, too: a writer waits with it for room.
func (c *goConn) offer(joined []byte, units [][]byte) (taken int) {
	b := joined
	if len(units) == 1 {
		b = units[0]
	}
	n := c.bare.writeNow(b)
	if n == len(b) {
		return len(units)
	}
	taken, at := cut(units, n)
	c.lend(buffer.Shared(units[taken]), at)
	return taken + 1
}

// lend has a writer write b from at on, before anything else.
func (c *goConn) lend(b *buffer.Buffer, at int) {
	c.batch = batch{b, at}
	c.waiting += len(b.B) - at
	if !c.writing {
		c.startWriter()
	}
}

// cut is where the first n bytes of units end: behind so many of them, and so
// far in the next one.
func cut(units [][]byte, n int) (whole, at int) {
	for whole < len(units) && len(units[whole]) <= n {
		n -= len(units[whole])
		whole++
	}
	return whole, n
}

// handful is as many units as make a record of TLS, or one, in one piece. Several
// are copied: who waits with a part of joined would hold all of it.
func handful(joined []byte, units [][]byte) (b *buffer.Buffer, n int) {
	size := 0
	for n < len(units) && (n == 0 || size+len(units[n]) <= handfulMost) {
		size += len(units[n])
		n++
	}
	if n == 1 {
		return buffer.Shared(units[0]), 1
	}
	b = buffer.Get(size)
	b.B = append(b.B, joined[:size]...)
	return b, n
}

const handfulMost = 16 << 10
