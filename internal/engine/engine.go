// Package engine keeps connections that outlive their handler.
//
// A room above hands it a [Link]; from then on the engine owns the link: it
// queues and writes the outbound bytes within a budget, keeps one alarm, sees
// the peer leave, and calls a [Handler]. It knows nothing of HTTP.
//
// An engine is proved by the suite in enginetest.
package engine

import (
	"errors"
	"io"
	"time"
)

// Errors that a connection answers and ends with.
var (
	// ErrClosed: the connection has ended, or its end has begun.
	ErrClosed = errors.New("leat: closed")
	// ErrFull: the bytes do not fit into what the budget leaves.
	ErrFull = errors.New("leat: the queue is full")
	// ErrTooLarge: the bytes are more than the whole budget, so that no
	// waiting helps.
	ErrTooLarge = errors.New("leat: larger than the whole queue")
	// ErrStalled: the peer took no byte for Options.Stall.
	ErrStalled = errors.New("leat: the reader stalled")
	// ErrGone: the peer ended or reset the connection.
	ErrGone = errors.New("leat: the reader has gone")
)

// An Engine adopts links.
type Engine interface {
	// Adopt takes a link over. The pending bytes have been read from it
	// already and are handed to Data first. Every later use of the link is the
	// engine's.
	Adopt(l Link, pending []byte, h Handler, o Options) Conn
}

// A Link is what carries bytes to one peer. A Write that passes its deadline
// answers an error that is os.ErrDeadlineExceeded and how much was taken
// before. The bytes of a Write that failed are the link's: net/http's HTTP/2
// may still read them. Close frees a Write and a Read under way.
//
// A Link that is also an [io.Reader] is read; one that has CloseWrite is
// half-closed at an orderly end, and read until the peer closes too.
type Link interface {
	io.Writer
	io.Closer
	SetWriteDeadline(t time.Time) error
}

// Options bound one connection.
type Options struct {
	Budget int           // bytes that may wait, those being written included
	Stall  time.Duration // how long the peer may take no byte; 0: for ever
}

// A Handler is called back by its connection. Data, Writable, Alarm and Closed
// never overlap for one connection, and may block: others go on. A panic ends
// the connection with a *PanicError.
type Handler interface {
	// Data gives bytes that the peer sent, valid during the call.
	Data(c Conn, b []byte)
	// Hangup says that the peer has ended its half of the connection. It comes
	// at once, also while another call is running, and must not block.
	Hangup(c Conn)
	// Writable says, after a Send that was refused with ErrFull, that the
	// queue is empty again.
	Writable(c Conn)
	// Alarm says that the time of SetAlarm has come.
	Alarm(c Conn)
	// Closed is the last call and comes exactly once. Nothing more is written,
	// and a link that is not read is not used any more.
	// The error is the reason given to End or Abort, or what went wrong.
	Closed(c Conn, reason error)
}

// A Conn is an adopted connection. Its methods may be called from any
// goroutine, callbacks included, and never wait for the network.
type Conn interface {
	// Send takes all of b or nothing, and copies it. What one callback sends
	// leaves in one write, unless the callback takes its time.
	Send(b []byte) error
	// SetAlarm asks for one call of Alarm at t, in place of the one before. A
	// zero time asks for none.
	SetAlarm(t time.Time)
	// End sends what waits and then last (which no budget refuses), ends this
	// half of the connection, and closes it when the peer has closed too or
	// after a bounded time. Later calls of Send are refused.
	End(last []byte, reason error)
	// Abort closes at once; what waits is lost.
	Abort(reason error)
}

// A PanicError is the reason of a connection whose callback panicked.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return "leat: a callback panicked" }

// The bounds of an orderly end: how long, and how much, the peer may still
// send before the connection is closed under it. A close before all of it is
// read is a reset, which loses the end; the bytes are as many as net/http reads
// of a body that nobody wanted.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 256 << 10
)
