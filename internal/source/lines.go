package source

import "bytes"

// A cutter gives the lines of what is written to it. It keeps max bytes and one
// more at the most; a \r that may yet belong to the end is that one.
type cutter struct {
	max  int
	line func(b []byte)
	long func(begin []byte) // a line has more than max bytes; once for each

	part []byte // of a line without an end so far
	over bool   // that line is too long: what comes of it is left out
}

// Write cuts b. It takes all and keeps nothing of b.
func (c *cutter) Write(b []byte) (int, error) {
	n := len(b)
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			c.keep(b)
			return n, nil
		}
		c.end(b[:i])
		b = b[i+1:]
	}
}

// Flush makes a line of what has no end: none will come.
func (c *cutter) Flush() {
	if c.over || len(c.part) > 0 {
		c.end(nil)
	}
}

// keep keeps b, the part of a line.
func (c *cutter) keep(b []byte) {
	if c.over {
		return
	}
	room := c.max + 1 - len(c.part)
	if len(b) <= room {
		c.part = append(c.part, b...)
		return
	}
	c.part = append(c.part, b[:room]...)
	c.long(c.part)
	c.part, c.over = c.part[:0], true
}

// end makes a line of what is kept and b.
func (c *cutter) end(b []byte) {
	if len(c.part) > 0 || c.over || len(b) > c.max+1 {
		c.keep(b)
		b = c.part
	}
	whole := !c.over
	c.over = false
	if whole {
		if b = bytes.TrimSuffix(b, []byte("\r")); len(b) > c.max {
			c.long(b)
		} else {
			c.line(b)
		}
	}
	c.part = c.part[:0]
	if cap(c.part) > keptPart {
		c.part = nil // one long line does not cost its memory for ever
	}
}

const keptPart = 64 << 10
