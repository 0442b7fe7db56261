package protocol_test

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// A verdict is what the bytes of one direction mean: what is echoed, which pings
// are answered, and with which code the other side closes; 0: the bytes end
// before that.
type verdict struct {
	echoes []event
	pongs  []string
	code   int
	unsure bool // the RFCs leave it open what the bytes mean
}

// A judge reads bytes as slowly and plainly as the RFCs have it: it is told all of
// them at once, and looks at a compressed message from its beginning each time.
type judge struct {
	b      []byte
	masked bool // the bytes are a client's
	limit  int
	unzip  *unzipper
	verdict

	message event
	gone    bool // the bytes are at their end
}

// errShort says that data ends before it is whole.
var errShort = errors.New("cut")

// read judges everything.
func (j *judge) read() verdict {
	for !j.gone && j.code == 0 && !j.unsure {
		j.frame()
	}
	return j.verdict
}

// take takes n bytes, or what is there.
func (j *judge) take(n int) []byte {
	if n > len(j.b) {
		n, j.gone = len(j.b), true
	}
	b := j.b[:n]
	j.b = j.b[n:]
	return b
}

// fail closes with the code, unless something before did.
func (j *judge) fail(code int, when bool) bool {
	if when && j.code == 0 {
		j.code = code
	}
	return j.code != 0
}

func (j *judge) frame() {
	first := j.take(1)
	if j.gone {
		return
	}
	b0 := first[0]
	op, control, under := b0&15, b0&8 != 0, j.message.op != 0
	j.fail(1002, b0&(rsv2|rsv3) != 0)                                         // 5.2
	j.fail(1002, b0&rsv1 != 0 && (j.unzip == nil || control || op == opMore)) // 5.2; 7692, 6
	j.fail(1002, op > opBinary && op < opClose || op > opPong)                // 5.2
	j.fail(1002, control && b0&fin == 0)                                      // 5.5
	if j.fail(1002, !control && (op == opMore) != under) {                    // 5.4
		return
	}
	second := j.take(1)
	if j.gone || j.fail(1002, (second[0]&0x80 != 0) != j.masked) || j.fail(1002, control && second[0]&0x7f > 125) { // 5.1, 5.5
		return
	}
	n, ok := j.length(second[0] & 0x7f)
	if !ok {
		return
	}
	if !control {
		if op != opMore {
			j.message = event{op: op, zipped: b0&rsv1 != 0}
		}
		if !j.message.zipped && j.fail(1009, n > uint64(j.limit-len(j.message.data))) { // 7.4.1
			return
		}
		if j.message.zipped && n > uint64(j.limit) {
			j.unsure = true // how much compressed data is too much is for each to say
			return
		}
	}
	var key [4]byte
	if j.masked {
		if copy(key[:], j.take(4)); j.gone {
			return
		}
	}
	payload := append([]byte(nil), j.take(int(n))...)
	xor(payload, key)
	switch {
	case !control:
		j.data(string(payload), b0&fin != 0)
	case !j.gone:
		j.control(op, payload)
	}
}

// length reads the rest of a length, in its shortest form (5.2).
func (j *judge) length(short byte) (uint64, bool) {
	if short < 126 {
		return uint64(short), true
	}
	least, size := uint64(126), 2
	if short == 127 {
		least, size = 1<<16, 8
	}
	var b [8]byte
	copy(b[8-size:], j.take(size))
	if j.gone {
		// The first byte of eight may show it already.
		if size == 8 {
			j.unsure = true
		}
		return 0, false
	}
	n := binary.BigEndian.Uint64(b[:])
	return n, !j.fail(1002, n < least || n > 1<<63-1)
}

func (j *judge) control(op byte, payload []byte) {
	switch op {
	case opPing:
		j.pongs = append(j.pongs, string(payload))
	case opClose: // 5.5.1, 7.4
		code := 1005
		if len(payload) > 1 {
			code = int(binary.BigEndian.Uint16(payload))
		}
		j.fail(1002, len(payload) == 1)
		j.fail(1002, len(payload) > 1 && !mayBeSent(code))
		j.fail(1007, len(payload) > 1 && !utf8.Valid(payload[2:]))
		j.fail(code, true)
	}
}

func mayBeSent(code int) bool {
	return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
}

// data takes a part of a frame, which is all of it unless the bytes end.
func (j *judge) data(payload string, last bool) {
	m := &j.message
	m.data += payload
	text, last := m.data, last && !j.gone
	var err error
	if m.zipped {
		text, err = j.unzip.peek(m.data, last)
	}
	if errors.Is(err, errOpen) {
		j.unsure = true
		return
	}
	// What comes first counts: text that is wrong, a byte too many, or data that
	// cannot be inflated further.
	if j.fail(1007, m.op == opText && wrongAt(text[:min(len(text), j.limit)]) > 0) || // 8.1
		j.fail(1009, len(text) > j.limit) || // 7.4.1
		j.fail(1007, err != nil && (last || !errors.Is(err, errShort))) || // 7692, 7.2.2
		j.fail(1007, m.op == opText && last && !utf8.ValidString(text)) { // 8.1
		return
	}
	if last {
		j.echoes = append(j.echoes, event{op: m.op, data: text})
		if m.zipped {
			j.unzip.keepFrom(text)
		}
		*m = event{}
	}
}

// peek inflates what there is of a message. It is errShort when that is not whole.
func (u *unzipper) peek(s string, whole bool) (string, error) {
	if whole && s == "" {
		return "", nil // such as zlib makes of an empty message behind another
	}
	if whole {
		s += "\x00\x00\xff\xff"
	}
	if !u.keep {
		u.past = nil
	}
	in := bitReader{s: s}
	out := append([]byte(nil), u.past...)
	for in.at < len(in.s) || in.have > 2 {
		var err error
		out, err = in.block(out, 1<<u.bits)
		switch {
		case in.odd:
			err = errOpen
		case in.bad:
			err = errShort
		}
		if err != nil {
			return string(out[len(u.past):]), err
		}
	}
	if whole && !in.end { // no sender ends a message so (7692, 7.2.1), but it inflates
		return string(out[len(u.past):]), errOpen
	}
	return string(out[len(u.past):]), nil
}

// keepFrom keeps what the next message may refer to.
func (u *unzipper) keepFrom(message string) {
	all := append(u.past, message...)
	u.past = append([]byte(nil), all[max(0, len(all)-1<<u.bits):]...)
}
