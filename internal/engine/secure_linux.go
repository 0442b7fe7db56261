//go:build amd64 || arm64

package engine

import (
	"crypto/tls"
	"errors"
	"io"
	"sync"

	"github.com/leat-dev/leat/internal/buffer"
)

// A secure is what a connection of TLS has beside the others: crypto/tls itself,
// fed with what has come, and what it wants to be written.
type secure struct {
	tls  *tls.Conn
	feed feed

	mu     sync.Mutex
	cipher *buffer.Buffer // nil: nothing waits

	// Of who writes.
	writes *buffer.Buffer // is being written; nil: nothing
	at     int            // bytes of it that are
	plain  int            // bytes of out that it holds
	closed bool           // close_notify is in it, or before
}

// secureOf answers the connection of the system beneath a tls.Conn, nil for one
// that no Wire is under.
func secureOf(l Link) (*tls.Conn, *Wire) {
	t, ok := l.(*tls.Conn)
	if !ok {
		return nil, nil
	}
	w, ok := t.NetConn().(*Wire)
	if !ok || !t.ConnectionState().HandshakeComplete {
		return nil, nil
	}
	return t, w
}

func newSecure(t *tls.Conn, w *Wire) *secure {
	s := &secure{tls: t}
	s.feed.out = s.write
	w.take(&s.feed)
	return s
}

// write is where crypto/tls writes to.
func (s *secure) write(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cipher = s.cipher.Grow(len(b))
	s.cipher.B = append(s.cipher.B, b...)
}

// waits says whether something waits to be written.
func (s *secure) waits() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cipher != nil || s.writes != nil
}

// next answers what is to be written. Some of the plain bytes are encrypted when
// nothing else waits: what is encrypted must go.
func (s *secure) next(plain []byte) ([]byte, error) {
	if s.writes == nil {
		if !s.waits() && len(plain) > 0 {
			plain = plain[:min(len(plain), secureMost)]
			if _, err := s.tls.Write(plain); err != nil {
				return nil, err
			}
			s.plain = len(plain)
		}
		s.mu.Lock()
		s.writes, s.cipher, s.at = s.cipher, nil, 0
		s.mu.Unlock()
	}
	if s.writes == nil {
		return nil, nil
	}
	return s.writes.B[s.at:], nil
}

// secureMost is how much is encrypted at a time: four records.
const secureMost = 64 << 10

// wrote notes that n bytes are written, and answers how many plain ones are done
// with them.
func (s *secure) wrote(n int) (plain int) {
	if s.at += n; s.writes == nil || s.at < len(s.writes.B) {
		return 0
	}
	s.writes.Free()
	plain, s.writes, s.plain = s.plain, nil, 0
	return plain
}

// shut has close_notify follow. It answers false when it has been there.
func (s *secure) shut() bool {
	if s.closed {
		return false
	}
	s.closed = true
	return s.tls.CloseWrite() == nil
}

// done says whether everything is written, close_notify too.
func (s *secure) done() bool { return s.closed && !s.waits() }

// free gives back what nobody will write.
func (s *secure) free() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cipher.Free()
	s.writes.Free()
	s.cipher, s.writes = nil, nil
}

// decrypt hands on what the bytes that have come hold. Nil: what crypto/tls had
// read ahead.
func (c *conn) decrypt(b []byte) {
	s := c.secure
	s.feed.in = b
	plain := buffer.Get(recordMost)
	defer plain.Free()
	for {
		n, err := s.tls.Read(plain.B[:recordMost])
		if n > 0 && !c.over() {
			c.h.Data(c, plain.B[:n])
		}
		switch {
		case err == nil:
		case errors.Is(err, hungry{}):
			return
		case errors.Is(err, io.EOF):
			c.hangs()
			return
		default:
			c.Abort(gone(err))
			return
		}
	}
}

// recordMost is the most that one record holds (RFC 8446, 5.1).
const recordMost = 16 << 10
