package load

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Opcodes of frames (RFC 6455, 5.2).
const (
	opContinuation byte = 0
	opText         byte = 1
	opBinary       byte = 2
	opClose        byte = 8
	opPing         byte = 9
	opPong         byte = 10
)

// key is the one masking key in use. It is not zero, so that a server has to
// unmask.
var key = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// appendFrame appends a client's frame; first is its first byte.
func appendFrame(dst []byte, first byte, payload []byte) []byte {
	dst = append(dst, first)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	dst = append(dst, key[:]...)
	at := len(dst)
	dst = append(dst, payload...)
	for i := range payload {
		dst[at+i] ^= key[i&3]
	}
	return dst
}

// A piece is part of a message's payload.
type piece struct {
	data       []byte
	offset     int
	last       bool
	compressed bool
}

// A parser reads a server's frames as they come: a payload is handed on in
// pieces and never gathered.
type parser struct {
	head    [10]byte
	have    int // bytes of head
	inFrame bool
	left    int // bytes of the frame that are still to come
	opcode  byte
	fin     bool

	inMessage  bool
	compressed bool
	offset     int // bytes of the message that were handed on
	control    []byte
}

// feed takes what was read. It hands on pieces and answers pings by pong.
func (p *parser) feed(b []byte, data func(piece) error, pong func([]byte)) error {
	for {
		if !p.inFrame {
			n, ok := p.header(b)
			b = b[n:]
			if !ok {
				return nil
			}
			if err := p.enter(); err != nil {
				return err
			}
		}
		n := min(p.left, len(b))
		p.left -= n
		end := p.left == 0
		if err := p.payload(b[:n], end, data, pong); err != nil {
			return err
		}
		b = b[n:]
		if !end {
			return nil
		}
		p.inFrame, p.have = false, 0
	}
}

// header takes what of b belongs to a header, and says whether it is complete.
func (p *parser) header(b []byte) (taken int, complete bool) {
	need := 2
	for {
		n := copy(p.head[p.have:need], b[taken:])
		p.have, taken = p.have+n, taken+n
		if p.have < need {
			return taken, false
		}
		size := 2
		switch p.head[1] & 127 {
		case 126:
			size = 4
		case 127:
			size = 10
		}
		if need == size {
			return taken, true
		}
		need = size
	}
}

func (p *parser) enter() error {
	p.opcode, p.fin = p.head[0]&15, p.head[0]&0x80 != 0
	if p.head[1]&0x80 != 0 {
		return errors.New("a masked frame from the server")
	}
	switch n := p.head[1] & 127; n {
	case 126:
		p.left = int(binary.BigEndian.Uint16(p.head[2:]))
	case 127:
		p.left = int(binary.BigEndian.Uint64(p.head[2:]))
	default:
		p.left = int(n)
	}
	p.inFrame = true
	if p.opcode >= opClose {
		return nil
	}
	if (p.opcode == opContinuation) != p.inMessage {
		return fmt.Errorf("opcode %d out of place", p.opcode)
	}
	if p.opcode != opContinuation {
		p.compressed = p.head[0]&0x40 != 0
	}
	p.inMessage = true
	return nil
}

func (p *parser) payload(b []byte, end bool, data func(piece) error, pong func([]byte)) error {
	if p.opcode >= opClose {
		p.control = append(p.control, b...)
		if !end {
			return nil
		}
		defer func() { p.control = p.control[:0] }()
		switch p.opcode {
		case opClose:
			return fmt.Errorf("the server closed: %q", p.control)
		case opPing:
			pong(p.control)
		}
		return nil
	}
	last := end && p.fin
	if len(b) == 0 && !last {
		return nil
	}
	if err := data(piece{b, p.offset, last, p.compressed}); err != nil {
		return err
	}
	p.offset += len(b)
	if last {
		p.offset, p.inMessage = 0, false
	}
	return nil
}
