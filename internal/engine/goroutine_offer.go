package engine

import "github.com/leat-dev/leat/internal/buffer"

// Offer writes units that others hold, too; see Conn.
func (c *goConn) Offer(joined []byte, units [][]byte) (taken int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed || c.ending || len(units) == 0:
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
	c.lend(units[taken], at)
	return taken + 1
}

// lend has a writer write b from at on, before anything else.
func (c *goConn) lend(b []byte, at int) {
	c.batch = batch{buffer.Shared(b), at}
	c.waiting += len(b) - at
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

// handful is as many units as make a record of TLS, or one, in one piece.
func handful(joined []byte, units [][]byte) (b []byte, n int) {
	size := 0
	for n < len(units) && (n == 0 || size+len(units[n]) <= handfulMost) {
		size += len(units[n])
		n++
	}
	if n == 1 {
		return units[0], 1
	}
	return joined[:size], n
}

const handfulMost = 16 << 10
