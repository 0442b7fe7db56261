package engine

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

const (
	// readSize is what an idle connection keeps to be read into.
	readSize = 1 << 10
	// bulkSize is what is read at once of a peer that sends much.
	bulkSize = 64 << 10
	// bulkTime is how long such a peer may pause before the large buffer is
	// taken from it.
	bulkTime = 100 * time.Millisecond
)

var bulks = sync.Pool{New: func() any { return new([bulkSize]byte) }}

// A paced source reads a link that waits for bytes in its Read, and so has to be
// given memory before there are any: little, and much while much comes.
type paced struct {
	c     *goConn
	r     io.Reader
	small []byte
	bulk  *[bulkSize]byte // while much comes
	n     int             // of the last read
}

func (p *paced) buf() []byte {
	if p.bulk != nil {
		return p.bulk[:]
	}
	return p.small
}

func (p *paced) next() ([]byte, error) {
	n, err := p.r.Read(p.buf())
	if p.bulk != nil && n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && p.calm() {
		n, err = p.r.Read(p.buf()) // it has paused, no more
	}
	p.n = n
	return p.buf()[:n], err
}

// free sees to the memory for the next read.
func (p *paced) free() {
	switch {
	case p.n < len(p.buf()):
		p.calm()
	case p.hurry() && p.bulk == nil:
		p.bulk = bulks.Get().(*[bulkSize]byte)
	}
}

// hurry has the next read end soon, which goes into a large buffer. It answers
// false where that cannot be.
func (p *paced) hurry() bool {
	c := p.c
	in, ok := c.link.(readDeadliner)
	c.mu.Lock()
	defer c.mu.Unlock()
	return ok && !c.ending && !c.closed && in.SetReadDeadline(time.Now().Add(bulkTime)) == nil
}

// calm gives the large buffer back and lets the next read take its time, unless
// the end has set one.
func (p *paced) calm() bool {
	if p.bulk == nil {
		return false
	}
	bulks.Put(p.bulk)
	p.bulk = nil
	c := p.c
	in, ok := c.link.(readDeadliner)
	c.mu.Lock()
	defer c.mu.Unlock()
	return ok && (c.lingering || in.SetReadDeadline(time.Time{}) == nil)
}

type readDeadliner interface{ SetReadDeadline(t time.Time) error }
