package protocol_test

import (
	"encoding/binary"
	"strings"
)

// The first byte of a frame (RFC 6455, 5.2).
const (
	fin  = 0x80
	rsv1 = 0x40
	rsv2 = 0x20
	rsv3 = 0x10

	opMore   = 0x0
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xa
)

// A piece is something that the raw peer writes.
type piece interface {
	append(l *link, b []byte) []byte
}

// raw is bytes as they are.
type raw string

func (r raw) append(_ *link, b []byte) []byte { return append(b, r...) }

// A frame has its length in the shortest form and is masked by a client.
type frame struct {
	b0      byte
	payload string
	flip    bool // masked by a server, unmasked by a client
}

func (f frame) append(l *link, b []byte) []byte {
	b = append(b, f.b0)
	mask := byte(0)
	if l.client != f.flip {
		mask = 0x80
	}
	switch n := len(f.payload); {
	case n < 126:
		b = append(b, mask|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), uint64(n))
	}
	return l.appendPayload(b, f.payload, mask != 0)
}

// A head is the beginning of a frame with its length written out, and a payload
// of whatever size behind it. A client masks it by zeros, so that raw bytes may
// follow.
type head struct {
	b0, length byte
	extended   string
	payload    string
}

func (h head) append(l *link, b []byte) []byte {
	if l.client {
		h.length |= 0x80
	}
	b = append(append(b, h.b0, h.length), h.extended...)
	if l.client {
		b = append(b, 0, 0, 0, 0)
	}
	return append(b, h.payload...)
}

// appendPayload masks as plainly as RFC 6455, 5.3, says it.
func (l *link) appendPayload(b []byte, payload string, masked bool) []byte {
	if !masked {
		return append(b, payload...)
	}
	key := l.newKey()
	b = append(b, key[:]...)
	at := len(b)
	b = append(b, payload...)
	xor(b[at:], key)
	return b
}

func xor(b []byte, key [4]byte) {
	for i := range b {
		b[i] ^= key[i&3]
	}
}

// fragments is a message in frames of size bytes.
type fragments struct {
	b0      byte // the first frame's, without fin
	payload string
	size    int
}

func (f fragments) append(l *link, b []byte) []byte {
	b0, rest := f.b0, f.payload
	for len(rest) > f.size {
		b = frame{b0: b0, payload: rest[:f.size]}.append(l, b)
		b0, rest = opMore, rest[f.size:]
	}
	return frame{b0: fin | b0, payload: rest}.append(l, b)
}

// A zipped message is compressed as agreed, and comes in frames of size bytes; 0:
// in one.
type zipped struct {
	op      byte
	payload string
	size    int
	open    bool // the message goes on
}

func (z zipped) append(l *link, b []byte) []byte {
	packed := l.zip.message(z.payload)
	if z.open {
		return frame{b0: rsv1 | z.op, payload: packed}.append(l, b)
	}
	if z.size == 0 {
		z.size = len(packed) + 1
	}
	return fragments{z.op | rsv1, packed, z.size}.append(l, b)
}

func text(p string) piece   { return frame{b0: fin | opText, payload: p} }
func binry(p string) piece  { return frame{b0: fin | opBinary, payload: p} }
func ping(p string) piece   { return frame{b0: fin | opPing, payload: p} }
func pong(p string) piece   { return frame{b0: fin | opPong, payload: p} }
func first(p string) piece  { return frame{b0: opText, payload: p} }
func middle(p string) piece { return frame{b0: opMore, payload: p} }
func last(p string) piece   { return frame{b0: fin | opMore, payload: p} }

// closing is a close frame.
func closing(code int, reason string) piece {
	return frame{b0: fin | opClose, payload: string([]byte{byte(code >> 8), byte(code)}) + reason}
}

// pattern is n bytes of text that do not repeat soon.
func pattern(n int) string { return patternText[:n] }

var patternText = func() string {
	const most = 16<<20 + 1
	var b strings.Builder
	b.Grow(most + 64)
	for i := 0; b.Len() < most; i++ {
		b.WriteString("BAsd7&jh23 ")
		b.WriteString(strings.Repeat(string(rune('a'+i%26)), i%29))
		b.WriteByte(byte('0' + i%10))
	}
	return b.String()
}()
