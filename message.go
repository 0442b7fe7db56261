package leat

import (
	"bytes"

	"github.com/leat-dev/leat/internal/wire/ws"
)

// A MessageType says what a message holds (RFC 6455, 5.6).
type MessageType uint8

// The types of a Message.
const (
	TextMessage   = MessageType(ws.OpText)   // UTF-8
	BinaryMessage = MessageType(ws.OpBinary) // any bytes
	// JSONMessage is a text that is JSON. Only topics tell it from a text.
	JSONMessage = MessageType(ws.OpText) | 1<<4
)

// String is "text", "binary" or "JSON".
func (t MessageType) String() string {
	if t == JSONMessage {
		return "JSON"
	}
	return t.opcode().String()
}

// opcode is that of its frames.
func (t MessageType) opcode() ws.Opcode { return ws.Opcode(t & 15) }

// A Message is what a [Socket] sends and receives: a whole message, or a piece
// of one. The zero Message is a piece without a type: use [Text] or [Binary]
// for whole ones.
type Message struct {
	// Type is the type of the whole message, in each of its pieces.
	Type MessageType
	Data []byte
	// Last says that the message ends with this piece. A whole message is its
	// own last piece.
	Last bool
	// Continuation says that the message began with an earlier piece.
	Continuation bool

	// What follows is for a [Topic]; a Socket ignores it.

	// Event is the message's name, by which readers can choose: at most 256 bytes
	// without line ends; "" for none.
	Event string
	// Key says which value the message is the latest of, for readers that want the
	// latest alone; "" for the topic's one value.
	Key string
	// IdempotencyKey makes a second attempt within two minutes answer as the first
	// has, and publish nothing: at most 1024 bytes; "" for none. Publishers whose
	// tokens have a "sub" have keys of their own.
	IdempotencyKey string

	err error // of JSON
}

// Text is a whole text message. It keeps a text that is bytes.
func Text[T ~string | ~[]byte](text T) Message {
	return Message{Type: TextMessage, Data: []byte(text), Last: true}
}

// Binary is a whole binary message. It keeps b.
func Binary(b []byte) Message { return Message{Type: BinaryMessage, Data: b, Last: true} }

// JSON is a whole text message that holds v as JSON. What cannot be JSON is
// refused by what the message is given to.
func JSON(v any) Message {
	b := getScratch()
	defer b.free()
	err := b.json(v)
	if err != nil {
		return Message{Type: JSONMessage, Last: true, err: err}
	}
	return Message{Type: JSONMessage, Data: bytes.Clone(bytes.TrimSuffix(b.payload(), []byte("\n"))), Last: true}
}

// Rest is what is left to send of m when n of its bytes have been taken.
func (m Message) Rest(n int) Message {
	m.Data = m.Data[n:]
	m.Continuation = m.Continuation || n > 0
	return m
}

// Close codes (RFC 6455, 7.4.1, and the IANA registry that 11.7 founded).
const (
	CloseNormal         = ws.CodeNormal
	CloseGoingAway      = ws.CodeGoingAway
	CloseProtocolError  = ws.CodeProtocol
	CloseUnsupported    = ws.CodeUnsupported
	CloseNoStatus       = ws.CodeNone     // the peer's close had no code; never sent
	CloseAbnormal       = ws.CodeAbnormal // the connection ended without a close; never sent
	CloseInvalid        = ws.CodeInvalid  // text that is not UTF-8, corrupt compressed data
	ClosePolicy         = ws.CodePolicy
	CloseTooBig         = ws.CodeTooBig
	CloseExtension      = ws.CodeExtension
	CloseInternal       = ws.CodeInternal
	CloseServiceRestart = ws.CodeServiceRestart
	CloseTryAgain       = ws.CodeTryAgain
)
