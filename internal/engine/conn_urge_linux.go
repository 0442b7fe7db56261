//go:build amd64 || arm64

package engine

import "github.com/leat-dev/leat/internal/buffer"

// Urge has Ahead called; see Conn.
func (c *conn) Urge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.urged = true
		c.wake()
	}
}

// insert puts what is urgent ahead of the first unit of out that is not begun.
func (c *conn) insert() {
	c.urged = false // before the call: one more may come meanwhile
	c.mu.Unlock()
	ahead := buffer.Get(0)
	c.guard(func() { ahead.B = c.h.Ahead(c, ahead.B) })
	c.mu.Lock()
	switch {
	case len(ahead.B) == 0 || c.closed:
		ahead.Free()
		return
	case c.out == nil:
		c.out, c.at = c.queue, 0
		c.queue = nil
	}
	cold := c.rare()
	cold.lead = len(ahead.B)
	if c.out == nil {
		c.out, c.at, cold.leadAt = ahead, 0, 0
		return
	}
	at, begin, edge := int(c.at), 0, 0
	begun := at
	if c.secure != nil {
		begun += c.secure.plain // is encrypted already
	}
	for edge < begun {
		if edge <= at {
			begin = edge
		}
		edge += c.o.unit(c.out.B[edge:])
	}
	if edge == at {
		begin = at
	}
	merged := buffer.Get(len(c.out.B) - begin + len(ahead.B))
	merged.B = append(merged.B, c.out.B[begin:edge]...)
	cold.leadAt = len(merged.B)
	merged.B = append(append(merged.B, ahead.B...), c.out.B[edge:]...)
	c.out.Free()
	ahead.Free()
	c.out, c.at = merged, int32(at-begin)
}
