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
	"net"
	"time"

	"github.com/leat-dev/leat/internal/buffer"
)

// Errors that a connection answers and ends with.
var (
	// ErrClosed: the connection has ended, or its end has begun.
	ErrClosed = errors.New("leat: closed")
	// ErrFull: the bytes do not fit into what the budget leaves.
	ErrFull = errors.New("leat: the queue is full")
	// ErrTooLarge: the bytes are more than is ever taken at once, so that no
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
	// engine's. The Options are not changed any more; many connections may share
	// them.
	Adopt(l Link, pending []byte, h Handler, o *Options) Conn
	// Close aborts every connection that is kept by events, and closes what only
	// waits for its peer to close. Who holds the others aborts them.
	Close()
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

// A Detacher is a link around a connection of the system that can be taken out
// of it.
type Detacher interface {
	// Bare is that connection.
	Bare() net.Conn
	// Detach is the last use of the link: the connection is somebody else's now,
	// who says by Left when it has been closed.
	Detach() Owner
}

// An Owner counts connections that it has let go.
type Owner interface{ Left() }

// Options bound a connection. Those whose callbacks are alike share one: an
// engine learns with it whether they take their time.
type Options struct {
	// Budget is how many bytes may wait, those being written included. The
	// buffers that hold them may be twice as large.
	Budget int
	// Most is what one Send may have above Budget while no other such one
	// waits; 0: none is above Budget.
	Most int
	// SendBuffer is what the kernel has been told to queue for the peer, in bytes;
	// 0: nothing has been said. One message that is larger by far may be queued
	// there as a whole, and not here, as far as it goes at once.
	SendBuffer int
	// Stall is how long the peer may take no byte; 0: for ever.
	Stall time.Duration
	// Unit answers the length of the unit that b begins with, as a WebSocket
	// frame. Each Send is of whole units then, and what Ahead gives goes
	// between two of them. Nil: it goes where the writing of all that waited
	// at some time has ended.
	Unit func(b []byte) int

	pace pace
}

// A Handler is called back by its connection. Into, Data, what Conn.Call is given,
// and Closed never overlap for one connection, and may block: others go on.
// Hangup, Wrote, Alarm, Ahead and Ending come at once, also while another call
// is running, and must not block. A panic ends the connection with a
// *PanicError.
type Handler interface {
	// Into answers memory that what comes next is read into, or nil for the
	// engine's own. Data gets a part of it next, or the end comes. It must not
	// block. An engine need not ask.
	Into() []byte
	// Data gives bytes that the peer sent, valid during the call.
	Data(c Conn, b []byte)
	// Hangup says that the peer has ended its half of the connection.
	Hangup(c Conn)
	// Wrote says, after a write, that the link has taken n bytes of what Send
	// was given, and that left bytes wait still. With an n of 0, and nothing left,
	// it says but that what could not be offered may be offered now.
	Wrote(c Conn, n, left int)
	// Alarm says that the time of SetAlarm has come.
	Alarm(c Conn)
	// Ahead appends to dst, after an Urge, what goes out ahead of all units
	// whose writing has not begun. It must not call c.
	Ahead(c Conn, dst []byte) []byte
	// Ending says that the end has begun, by End, Abort or of itself: nothing
	// is taken any more. It comes once, before Closed, and at once, also while
	// another call is running that may be waiting for it.
	Ending(c Conn, reason error)
	// Closed is the last call and comes exactly once; none of the others is
	// still running. Nothing more is written, and a link that is not read is
	// not used any more.
	// The error is the reason given to End or Abort, or what went wrong.
	Closed(c Conn, reason error)
}

// A Conn is an adopted connection. Its methods may be called from any
// goroutine, callbacks included, and never wait for the network.
type Conn interface {
	// Send takes all of b or nothing, and copies it. What one callback sends
	// leaves in one write, unless the callback takes its time.
	//
	// A b larger than Options.Budget, up to Most, is taken while no other such
	// one waits in any part. It does not count against Budget for what comes
	// behind it. When nothing waits, as much as the larger of the two is
	// always taken.
	Send(b []byte) error
	// SendBehind is Send of a head and b, as one.
	SendBehind(head Head, b []byte) error
	// SendParts is Send of all parts as one. With Options.Unit two of them make a
	// unit. What is large, and may go at once,
	// goes without being copied first: Wrote may come before SendParts returns.
	SendParts(parts [][]byte) error
	// Give is Send of the bytes of b, and of b itself: unless there is an error
	// it is the engine's, which frees it. Held back, it waits for the caller's
	// Flush, if nothing else is written before.
	Give(b *buffer.Buffer, heldBack bool) error
	// Offer writes whole units that others hold, too, as far as the system takes
	// them at once, and only while nothing waits. Joined is all of them in one
	// piece, which may be nil for one; units are the same one by one. It answers how
	// many are taken: none where something waits, a write is under way or Ahead is
	// owed, and none once the end has begun.
	//
	// The last one that is taken may be cut. The connection keeps that unit itself,
	// without a copy, and writes the rest before anything else; that counts as bytes
	// that wait, whatever the budget. Over TLS, and where a write might block, several
	// units are taken as a copy of at most 16 KiB. It changes none of the slices and
	// keeps no other.
	//
	// Where less than all is taken, Wrote comes with nothing left when more may be
	// offered, from within Wrote as well, unless the end comes first. It may come before
	// Offer returns, on another goroutine. Offer itself calls no callback, so that
	// its caller may hold a lock that callbacks take. Wrote is told of the rest, and
	// not of what Offer has written itself.
	Offer(joined []byte, units [][]byte) (taken int)
	// CloseOffers has Offer take nothing any more. What it has begun goes on, as do
	// Sends.
	CloseOffers()
	// Room answers how many bytes Budget has left; 0 after the end.
	Room() int
	// Fits says whether a Send of n bytes would be taken now.
	Fits(n int) bool
	// Call has fn called as a callback: in the order of the calls, alone, and
	// not once the end has begun. Who calls bounds how many wait.
	Call(fn func(Conn))
	// Urge has Ahead called once at the next boundary between two units. While
	// nothing waits that is at once, or with what the callback sends that is
	// running. What Ahead gives counts against no budget.
	Urge()
	// Flush writes what a callback has sent without waiting for its return, and
	// what was held back. Wrote may come before Flush returns.
	Flush()
	// SetAlarm asks for one call of Alarm at t, in place of the one before. A
	// zero time asks for none. It works until Closed, so that an end can be
	// given up by Abort.
	SetAlarm(t time.Time)
	// End sends what waits and then last (which no budget refuses), ends this
	// half of the connection, and closes it when the peer has closed too or
	// after a bounded time. Later calls of Send are refused.
	End(last []byte, reason error)
	// Abort closes at once; what waits is lost. After an End it cuts that
	// short, and its reason holds where End gave none.
	Abort(reason error)
}

// A Head is a few bytes that go before others.
type Head struct {
	B [15]byte
	N uint8 // of B
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
