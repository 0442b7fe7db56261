package leat

import "github.com/leat-dev/leat/internal/wire/ws"

// A MessageType says what a message holds (RFC 6455, 5.6).
type MessageType uint8

// The types of a Message.
const (
	TextMessage   = MessageType(ws.OpText)   // UTF-8
	BinaryMessage = MessageType(ws.OpBinary) // any bytes
)

// String is "text" or "binary".
func (t MessageType) String() string { return ws.Opcode(t).String() }

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
}

// Text is a whole text message. It keeps a text that is bytes.
func Text[T ~string | ~[]byte](text T) Message {
	return Message{Type: TextMessage, Data: []byte(text), Last: true}
}

// Binary is a whole binary message. It keeps b.
func Binary(b []byte) Message { return Message{Type: BinaryMessage, Data: b, Last: true} }

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
