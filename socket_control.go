package leat

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"github.com/leat-dev/leat/internal/engine"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// Ping sends a ping, ahead of what waits. Its payload has at most 125 bytes; the
// pong that answers it goes to the Pong callback. ErrSlowReader refuses it when
// some pings wait already.
func (s *Socket) Ping(payload []byte) error {
	if len(payload) > ws.MaxControl {
		return fmt.Errorf("%w: a ping has at most %d bytes, this one %d", ErrTooLarge, ws.MaxControl, len(payload))
	}
	return s.ping(payload)
}

func (s *Socket) ping(payload []byte) error {
	h := s.masked(ws.Header{Fin: true, Opcode: ws.OpPing})
	return s.urge(func(u *urgent) error {
		if len(u.pings)+len(payload)+ws.MaxHeader > pingsMost {
			return ErrSlowReader
		}
		u.pings = ws.AppendFrame(u.pings, h, payload)
		return nil
	})
}

// pong answers a ping.
func (s *Socket) pong(payload []byte) {
	h := s.masked(ws.Header{Fin: true, Opcode: ws.OpPong})
	_ = s.urge(func(u *urgent) error {
		if u.count++; u.count <= pongsMost {
			u.last = len(u.pongs)
		}
		u.pongs = ws.AppendFrame(u.pongs[:u.last], h, payload)
		return nil
	}) // it is refused behind a close, which a pong need not follow
}

// urge sends what add puts into it, unless a close has been sent: nothing comes
// behind that (RFC 6455, 5.5.1).
func (s *Socket) urge(add func(u *urgent) error) error {
	s.mu.Lock() // Open may come before adopt has returned
	defer s.mu.Unlock()
	if s.state != socketOpen {
		return ErrClosed
	}
	if s.urgent == nil {
		s.urgent = &urgent{}
	}
	if err := add(s.urgent); err != nil {
		return err
	}
	s.conn.Urge()
	return nil
}

// masked is h with a fresh key on a client (RFC 6455, 5.3).
func (s *Socket) masked(h ws.Header) ws.Header {
	if s.o.client {
		h.Masked = true
		_, _ = rand.Read(h.Key[:]) // it never fails
	}
	return h
}

// urgent is what goes out ahead of what waits: pings, and the answers to the
// peer's.
type urgent struct {
	pongs []byte // frames
	last  int    // where the last of them begins
	count int    // of the pings that they answer
	pings []byte // frames
}

// pingsMost is how many bytes of pings may wait, and pongsMost how many pongs.
// Beyond that only the peer's latest ping is answered, and any of those before
// need not be (RFC 6455, 5.5.3).
const (
	pingsMost = 4 * (ws.MaxControl + ws.MaxHeader)
	pongsMost = 16
)

// Ahead appends what goes out ahead.
func (l *line) Ahead(_ engine.Conn, dst []byte) []byte {
	s := (*Socket)(l)
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.urgent; u != nil {
		dst = append(append(dst, u.pongs...), u.pings...)
		s.urgent = nil
	}
	return dst
}

// frameLength is the length of the frame that b begins with.
func frameLength(b []byte) int {
	head, length := 2, int(b[1]&0x7f)
	switch length {
	case 126:
		head, length = 4, int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		head, length = 10, int(binary.BigEndian.Uint64(b[2:]))
	}
	if b[1]&0x80 != 0 {
		head += len(ws.Key{})
	}
	return head + length
}
