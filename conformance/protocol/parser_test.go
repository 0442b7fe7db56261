package protocol_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// An event is what the raw peer reads: a whole message, a control frame, or the
// end of TCP.
type event struct {
	op   byte   // 0 for the end
	data string // of a close, its reason
	code int    // of a close; 0 for none

	// Of a message.
	frames int // that it came in
	most   int // bytes of the largest
	zipped bool
}

func (e event) String() string {
	name := map[byte]string{opText: "text", opBinary: "binary", opPing: "ping", opPong: "pong"}[e.op]
	switch {
	case e.op == 0:
		return "the end of TCP"
	case e.op == opClose:
		return fmt.Sprintf("close %d %q", e.code, e.data)
	case len(e.data) > 80:
		return fmt.Sprintf("%s of %d bytes, %q...", name, len(e.data), e.data[:40])
	}
	return fmt.Sprintf("%s %q", name, e.data)
}

// broken is what the other side does wrong, and the rule.
func broken(section, format string, args ...any) error {
	return fmt.Errorf(format+" (RFC 6455, "+section+")", args...)
}

// next answers the next event. An error says what the other side does wrong.
// Control frames inside a message come before it.
func (l *link) next() (event, error) {
	for {
		b0, payload, err := l.readFrame()
		if errors.Is(err, io.EOF) {
			return event{}, nil
		}
		if err != nil {
			return event{}, err
		}
		if l.closed {
			return event{}, broken("5.5.1", "a frame follows its close: %#x", b0)
		}
		if b0&8 != 0 {
			return l.control(b0, payload)
		}
		if err := l.gather(b0, payload); err != nil {
			return event{}, err
		}
		if b0&fin != 0 {
			return l.message()
		}
	}
}

func (l *link) control(b0 byte, payload []byte) (event, error) {
	op := b0 & 15
	switch {
	case b0 != fin|op:
		return event{}, broken("5.5", "a control frame begins with %#x", b0)
	case len(payload) > 125:
		return event{}, broken("5.5", "a control frame has %d bytes", len(payload))
	case op == opPing || op == opPong:
		return event{op: op, data: string(payload)}, nil
	case op != opClose:
		return event{}, broken("5.2", "opcode %d", op)
	}
	l.closed = true
	if len(payload) == 0 {
		return event{op: opClose}, nil
	}
	if len(payload) == 1 {
		return event{}, broken("5.5.1", "a close of one byte")
	}
	code := int(binary.BigEndian.Uint16(payload))
	registered := code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006
	if !registered && (code < 3000 || code > 4999) {
		return event{}, broken("7.4", "close code %d", code)
	}
	if !utf8.Valid(payload[2:]) {
		return event{}, broken("5.5.1", "a reason that is not UTF-8: %q", payload[2:])
	}
	return event{op: opClose, code: code, data: string(payload[2:])}, nil
}

// gather takes a data frame of the message under way.
func (l *link) gather(b0 byte, payload []byte) error {
	op := b0 & 15
	switch {
	case b0&(rsv2|rsv3) != 0:
		return broken("5.2", "a frame begins with %#x", b0)
	case op > opBinary:
		return broken("5.2", "opcode %d", op)
	case op == opMore && l.under.op == 0:
		return broken("5.4", "a continuation of nothing")
	case op != opMore && l.under.op != 0:
		return broken("5.4", "a message inside a message")
	case b0&rsv1 != 0 && (l.zip == nil || op == opMore):
		return broken("5.2", "RSV1 in a frame that begins with %#x", b0)
	}
	if op != opMore {
		l.under = event{op: op, zipped: b0&rsv1 != 0}
		l.parts = nil
	}
	l.under.frames++
	l.under.most = max(l.under.most, len(payload))
	l.parts = append(l.parts, payload)
	return nil
}

func (l *link) message() (event, error) {
	e := l.under
	l.under = event{}
	var b strings.Builder
	for _, p := range l.parts {
		b.Write(p)
	}
	e.data = b.String()
	if e.zipped {
		inflated, err := l.unzip.message(e.data)
		if err != nil {
			return event{}, err
		}
		e.data = inflated
	}
	if e.op == opText && !l.anyText && !utf8.ValidString(e.data) {
		return event{}, broken("8.1", "text that is not UTF-8: %.60q", e.data)
	}
	l.latest = e
	return e, nil
}

// readFrame answers a frame's first byte and its payload, unmasked; io.EOF at
// the end.
func (l *link) readFrame() (b0 byte, payload []byte, err error) {
	var head [2]byte
	if err := l.read(head[:1]); err != nil {
		return 0, nil, err
	}
	if err := inside(l.read(head[1:])); err != nil {
		return 0, nil, err
	}
	masked, n := head[1]&0x80 != 0, uint64(head[1]&0x7f)
	if masked == l.client {
		return 0, nil, broken("5.1", "masked: %t", masked)
	}
	if n >= 126 {
		least, size := uint64(126), 2
		if n == 127 {
			least, size = 1<<16, 8
		}
		var b [8]byte
		if err := inside(l.read(b[8-size:])); err != nil {
			return 0, nil, err
		}
		if n = binary.BigEndian.Uint64(b[:]); n < least || n > 64<<20 {
			return 0, nil, broken("5.2", "a length of %d in %d bytes", n, size)
		}
	}
	var key [4]byte
	if masked {
		if err := inside(l.read(key[:])); err != nil {
			return 0, nil, err
		}
		l.keys = append(l.keys, key)
	}
	payload = make([]byte, n)
	if err := inside(l.read(payload)); err != nil {
		return 0, nil, err
	}
	if masked {
		xor(payload, key)
	}
	return head[0], payload, nil
}

func (l *link) read(b []byte) error {
	_, err := io.ReadFull(l.in, b)
	return err
}

// inside says of an end that it lies inside a frame.
func inside(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("TCP ends inside a frame")
	}
	return err
}
