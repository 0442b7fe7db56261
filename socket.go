package leat

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leat-dev/leat/internal/engine"
	"github.com/leat-dev/leat/internal/serve"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// A Socket is one end of a WebSocket (RFC 6455): the server's from [Upgrade],
// the client's from [Dial].
//
// In the event style its options have callbacks. The handler may return: the
// socket lives on without its goroutine, and neither w nor r may be used any
// more. A Close that the handler calls itself, or defers, does nothing then.
//
// In the blocking style [Socket.Read] and the sends are called in a loop. A
// socket of Upgrade ends with its handler. One message waits to be read; with a
// second one nothing more comes in, no ping and no close, until Read has taken
// the first. The peer's close, and a violation of the protocol, wait until Read
// has taken what came before and is called again, a second at most, so that it can
// be answered.
//
// Every method may be called from any goroutine, callbacks included; Read by
// one at a time, and not in the event style. What is sent keeps its order. There are
// three ways to send:
//
//   - Send and its kin queue the whole message or nothing, and never wait. One
//     message up to limits.maxMessage is always taken when nothing waits;
//     limits.queue bounds what waits beside it, and beyond it is [ErrSlowReader].
//   - Write waits until the system has taken the message.
//   - TrySend takes as much as fits into limits.queue, and says how much.
//
// A message that is not Last is one frame as it is, and the message goes on
// with pieces that are marked as its Continuation. Until the last of them other
// data is refused with [ErrMessageOpen], while pings and a close pass.
//
// However a socket ends, it ends once: from then on calls answer [ErrClosed],
// and [Socket.Err] the reason.
type Socket struct {
	member member[Socket]
	o      *settings
	conn   engine.Conn // set once, by adopt
	from   *origin     // while its handler runs; nil on a client
	entry  serve.Entry
	remote address
	annex  *annex                    // nil while nothing is in it
	intake *intake                   // of what has not come whole; the engine's callbacks use it alone
	urgent *urgent                   // what goes ahead; nil while nothing does
	fed    atomic.Pointer[fedSocket] // of a reader of topics

	// What senders share.
	sending  sync.Mutex
	queued   int64        // bytes given to conn
	bytesOut atomic.Int64 // that the system has taken
	bytesIn  atomic.Int64
	counts   socketCounts // of messages
	heard    atomic.Int64 // see heardAt
	active   atomic.Int64 // when a byte last went either way, as ticks

	endBy int64 // the request timeout, as ticks; 0 for none
	early early // how much, the next ping is

	signs    atomic.Uint32 // see sign
	opened   bool          // Open has been called; the engine's callbacks use it alone
	in, out  half          // how the peer compresses, and this end does
	open     ws.Opcode     // senders': type of the message that is being sent in pieces, 0 for none
	openZ    bool          // and it is compressed
	text     ws.UTF8       // and its text so far
	state    socketState
	got      bool // the peer's close
	over     bool // the fate stands
	told     bool // the Close callback has been called
	finished bool // Done is closed

	mu sync.Mutex // of all that has no other owner
}

// A sign is one of Socket.signs.
const (
	isBusy     uint32 = 1 << iota // a callback is running
	alarmWaits                    // and an alarm has come meanwhile
	isOwed                        // Writable is
	keepFrames                    // from the next message on
	isClosing                     // it is not open any more, see become
	isDeaf                        // and what comes does not matter
)

// sign sets a sign, or takes it away.
func (s *Socket) sign(bit uint32, on bool) {
	if on {
		s.signs.Or(bit)
	} else {
		s.signs.And(^bit)
	}
}

func (s *Socket) has(bit uint32) bool { return s.signs.Load()&bit != 0 }

// A socketState says how far a socket is.
type socketState int8

const (
	socketOpen    socketState = iota
	socketClosing             // our close is sent, or waits
	socketEnded               // nothing is sent any more
)

// become notes how far the socket is. It is called with mu held.
func (s *Socket) become(state socketState) {
	s.state = state
	if state != socketOpen {
		s.sign(isClosing, true)
	}
	if state == socketEnded {
		s.sign(isDeaf, true)
	}
}

type socketCounts struct{ in, out atomic.Int64 }

// SocketStats are a socket's counts. BytesOut is without pings, pongs and the
// answer to the peer's close.
type SocketStats struct {
	BytesIn, BytesOut       int64 // of frames, as they are on the wire
	MessagesIn, MessagesOut int64 // whole ones
}

// Stats answers the counts as they stand.
func (s *Socket) Stats() SocketStats {
	return SocketStats{
		BytesIn: s.bytesIn.Load(), BytesOut: s.bytesOut.Load(),
		MessagesIn: s.counts.in.Load(), MessagesOut: s.counts.out.Load(),
	}
}

// newSocket makes a socket that agreed on a compression, nil for none.
func newSocket(o *settings, d *ws.Deflate) *Socket {
	s := &Socket{o: o}
	s.sign(keepFrames, o.frames)
	if d != nil {
		s.in, s.out = halfOf(d, o.client), halfOf(d, !o.client)
	}
	if s.out.keeps() {
		s.extra().deflater = newDeflater(s.out)
	}
	if !o.events() {
		s.extra().inbox = newInbox()
	}
	now := ticks(time.Now())
	s.heard.Store(heardAt(now))
	s.active.Store(now)
	return s
}

// adopt gives the connection to the engine, and the socket its life.
func (s *Socket) adopt(link engine.Link, pending []byte) {
	s.mu.Lock()
	s.conn = s.o.srv.engineOf(s).Adopt(link, pending, (*line)(s), s.o.srv.kinds.options(s.o.kind()))
	asked := s.askedFor()
	s.startClocks() // before a callback may change them
	s.mu.Unlock()
	if s.o.open != nil {
		s.conn.Call(func(engine.Conn) { s.call(s.begin) })
	}
	if asked != nil {
		asked(s)
	}
}

// Subprotocol is the subprotocol that was agreed on, "" for none.
func (s *Socket) Subprotocol() string { return s.o.protocol }

// RemoteAddr is the peer's address.
func (s *Socket) RemoteAddr() string { return s.remote.String() }

// Context carries the values that others have put into the request's context, or
// Dial's: under a Leat server not those of net/http. It is cancelled when the socket
// has ended, with the reason as its cause.
func (s *Socket) Context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.extra().context(s.told, s.endCause())
}

// Done is closed when the socket has ended, after the Close callback.
func (s *Socket) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.extra().doneUnless(s.finished)
}

// Err is nil while the socket lives and after an orderly close, else the reason
// of its end.
func (s *Socket) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason()
}

// reason is Err for who has mu.
func (s *Socket) reason() error {
	if !s.over {
		return nil
	}
	return s.fate().err
}

func (s *Socket) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// Orderly says whether the socket has ended by a close handshake
// (RFC 6455, 7.1.4), and not by a failure.
func (s *Socket) Orderly() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over && s.fate().err == nil
}

// CloseStatus is the close code: the peer's (RFC 6455, 7.1.5), or ours where
// this end failed the connection; CloseNoStatus where the close had none,
// CloseAbnormal where there was no close; 0 while the socket lives.
func (s *Socket) CloseStatus() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		return 0
	}
	return s.fate().code
}

// CloseReason is the reason that came with CloseStatus.
func (s *Socket) CloseReason() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		return ""
	}
	return s.fate().reason
}

// Run waits until the socket has ended and answers Err: nil after an orderly
// close. In the blocking style messages that nobody reads are dropped from now
// on. It must not be called from a callback.
func (s *Socket) Run() error {
	if i := s.inbox(); i != nil {
		i.shut()
	}
	<-s.Done()
	return s.Err()
}

// SetPreserveFrames sets whether each frame is handed over as it came, from the
// next message on.
func (s *Socket) SetPreserveFrames(on bool) { s.sign(keepFrames, on) }
