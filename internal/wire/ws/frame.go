// Package ws turns WebSocket frames and handshakes into bytes and values and
// back, as RFC 6455 and RFC 7692 define them.
//
// [Reader] takes the bytes of a connection in whatever cuts they come and
// answers [Event] values; [Assembler] makes messages of them. AppendHeader,
// AppendFrame and AppendClose write frames. [Policy] decides about an opening
// handshake on the server's side, [Offer] makes and checks one on the client's.
package ws

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// An Opcode says what a frame carries (RFC 6455, 5.2).
type Opcode uint8

// The opcodes of RFC 6455, 11.8.
const (
	OpContinuation Opcode = 0
	OpText         Opcode = 1
	OpBinary       Opcode = 2
	OpClose        Opcode = 8
	OpPing         Opcode = 9
	OpPong         Opcode = 10
)

// Control tells Close, Ping, Pong and the opcodes reserved for their like from
// those of data.
func (o Opcode) Control() bool { return o&8 != 0 }

func (o Opcode) known() bool { return o <= OpBinary || o >= OpClose && o <= OpPong }

// String answers the word of RFC 6455 for the opcode.
func (o Opcode) String() string {
	switch o {
	case OpContinuation:
		return "continuation"
	case OpText:
		return "text"
	case OpBinary:
		return "binary"
	case OpClose:
		return "close"
	case OpPing:
		return "ping"
	case OpPong:
		return "pong"
	default:
		return "reserved"
	}
}

// Close codes (RFC 6455, 7.4.1, and the IANA registry that 11.7 founded).
// CodeNone, CodeAbnormal and CodeTLS are words for an application only: they
// are never sent.
const (
	CodeNormal         = 1000
	CodeGoingAway      = 1001
	CodeProtocol       = 1002
	CodeUnsupported    = 1003 // a type of data that is not taken
	CodeNone           = 1005 // the peer's close had no code
	CodeAbnormal       = 1006 // the connection ended without a close
	CodeInvalid        = 1007 // the data is not what its type promises
	CodePolicy         = 1008
	CodeTooBig         = 1009
	CodeExtension      = 1010 // the server did not grant what the client needs
	CodeInternal       = 1011
	CodeServiceRestart = 1012
	CodeTryAgain       = 1013
	CodeBadGateway     = 1014
	CodeTLS            = 1015 // the TLS handshake failed
)

// CodeSendable says whether a close frame may carry the code: 1000 to 1003 and
// 1007 to 1014, 3000 to 3999 (registered) and 4000 to 4999 (private).
func CodeSendable(code int) bool {
	return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
}

// Bounds that RFC 6455 sets.
const (
	MaxControl = 125 // bytes of a control frame's payload (5.5)
	MaxReason  = 123 // bytes of a close's reason
	MaxHeader  = 14  // bytes of a frame's header
)

// A Header is what stands before a frame's payload.
type Header struct {
	Fin    bool // the last frame of its message
	RSV1   bool // the message is compressed (RFC 7692, 6)
	Masked bool // every frame of a client is, no frame of a server
	Opcode Opcode
	Key    Key   // of a masked frame
	Length int64 // of the payload, in bytes
}

// AppendHeader appends the header in its shortest form (RFC 6455, 5.2). A
// negative length is taken as 0.
func AppendHeader(dst []byte, h Header) []byte {
	b0 := byte(h.Opcode & 15)
	if h.Fin {
		b0 |= 0x80
	}
	if h.RSV1 {
		b0 |= 0x40
	}
	var b1 byte
	if h.Masked {
		b1 = 0x80
	}
	switch n := max(h.Length, 0); {
	case n <= 125:
		dst = append(dst, b0, b1|byte(n))
	case n <= 0xffff:
		dst = append(dst, b0, b1|126, byte(n>>8), byte(n))
	default:
		dst = append(dst, b0, b1|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	if h.Masked {
		dst = append(dst, h.Key[:]...)
	}
	return dst
}

// AppendFrame appends a whole frame. The header's length is that of the
// payload, whatever h says; a masked payload is masked in dst, not in place.
func AppendFrame(dst []byte, h Header, payload []byte) []byte {
	h.Length = int64(len(payload))
	dst = AppendHeader(dst, h)
	start := len(dst)
	dst = append(dst, payload...)
	if h.Masked {
		Mask(dst[start:], h.Key)
	}
	return dst
}

// AppendClose appends a close frame; of h it takes Masked and Key. The reason is
// cut at a character to what a close frame holds, and made valid UTF-8. Code 0,
// CodeNone and every other code that may not be sent make a close without code
// and reason (RFC 6455, 5.5.1 and 7.4.1).
func AppendClose(dst []byte, h Header, code int, reason string) []byte {
	var buf [MaxControl]byte
	payload := buf[:0]
	if CodeSendable(code) {
		payload = binary.BigEndian.AppendUint16(payload, uint16(code))
		payload = append(payload, CutReason(reason)...)
	}
	return AppendFrame(dst, Header{Fin: true, Opcode: OpClose, Masked: h.Masked, Key: h.Key}, payload)
}

// CutReason returns as much of a close's reason as a frame holds, cut at a
// character, with every byte that is not UTF-8 replaced by U+FFFD.
func CutReason(reason string) string {
	// A byte becomes three at most, and what lies behind is cut anyway.
	if !utf8.ValidString(reason) {
		reason = strings.ToValidUTF8(reason[:min(len(reason), MaxReason+utf8.UTFMax)], "\uFFFD")
	}
	if len(reason) <= MaxReason {
		return reason
	}
	n := MaxReason
	for !utf8.RuneStart(reason[n]) {
		n--
	}
	return reason[:n]
}

// ParseClose reads the payload of a close frame (RFC 6455, 5.5.1): CodeNone when
// it is empty. The reason is part of b. What breaks a rule is a *[ProtocolError];
// a Reader has checked the payloads that it answers.
func ParseClose(b []byte) (code int, reason []byte, err error) {
	if err := checkClose(b); err != nil {
		return 0, nil, err
	}
	if len(b) == 0 {
		return CodeNone, nil, nil
	}
	return int(binary.BigEndian.Uint16(b)), b[2:], nil
}

func checkClose(b []byte) *ProtocolError {
	if len(b) == 0 {
		return nil
	}
	if len(b) == 1 {
		return violation(CodeProtocol, "5.5.1", "the close frame holds one byte; a code has two")
	}
	if code := int(binary.BigEndian.Uint16(b)); !CodeSendable(code) {
		return violation(CodeProtocol, "7.4", "close code %d may not be sent", code)
	}
	if !utf8.Valid(b[2:]) {
		return violation(CodeInvalid, "5.5.1", "the close frame's reason is not UTF-8")
	}
	return nil
}
