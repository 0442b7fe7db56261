package leat

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leat-dev/leat/internal/buffer"
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
	member // in the server's list
	srv    *Server
	x      *serve.Exchange // nil on a client, and outside a Leat server
	client bool
	owner  uint64 // the handler's goroutine, in the event style
	o      settings

	protocol string
	remote   string
	ctx      context.Context // cancelled with the socket's end
	cancel   context.CancelCauseFunc
	opens    *atomic.Int64 // what limits.webSockets counts; nil on a client

	// What callbacks of the engine use alone.
	reader   ws.Reader
	packets  ws.Assembler
	packet   *buffer.Buffer // what packets gathers in; nil while it gathers nothing
	inflater *inflater      // nil without compression
	opened   bool           // Open has been called
	bytesIn  atomic.Int64
	framesOn atomic.Bool // preserve frames, from the next message on

	inbox *inbox // of the blocking style

	// What senders share.
	sending  sync.Mutex
	deflater *deflater    // nil without compression
	open     ws.Opcode    // type of the message that is being sent in pieces, 0 for none
	openZ    bool         // and it is compressed
	text     ws.UTF8      // and its text so far
	queued   int64        // bytes given to conn
	urgent   urgent       // what goes ahead
	counts   socketCounts // of messages
	bytesOut atomic.Int64 // that the system has taken
	received atomic.Int64 // when a byte last came, as ticks
	active   atomic.Int64 // when one last went either way
	busy     atomic.Bool  // a callback is running
	missed   atomic.Bool  // and an alarm has come meanwhile
	owed     atomic.Bool  // Writable is

	mu      sync.Mutex
	conn    engine.Conn
	asked   func(*Socket) // of adopt, by a shutdown that came before
	state   socketState
	written chan struct{} // closed when bytes have been taken; nil when nobody waits for it
	clocks  clocks
	unsent  []byte // our close, which the queue has no room for yet
	got     bool   // the peer's close
	failed  bool   // code and cause stand, whatever the peer says
	code    int
	reason  string
	cause   error // why, where it does not become an orderly close
	err     error
	over    bool
	unbind  func() bool // from the request's context; nil where it is not bound
	done    chan struct{}
}

// A socketState says how far a socket is.
type socketState int8

const (
	socketOpen    socketState = iota
	socketClosing             // our close is sent, or waits
	socketEnded               // nothing is sent any more
)

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

// newSocket makes a socket that agreed on a subprotocol and a compression.
func newSocket(srv *Server, o settings, client bool, a ws.Agreement) *Socket {
	s := &Socket{srv: srv, o: o, client: client, protocol: a.Protocol, done: make(chan struct{})}
	s.of = s
	s.framesOn.Store(o.frames)
	s.reader = ws.NewReader(ws.ReaderOptions{Server: !client, Deflate: a.Deflate != nil, AnyText: o.anyText, MaxMessage: int64(o.maxMessage)})
	if o.maxPacket < o.maxMessage {
		s.packets.MaxPacket = o.maxPacket
	}
	if a.Deflate != nil {
		s.inflater = newInflater(*a.Deflate, client, int64(o.maxMessage))
		s.deflater = newDeflater(*a.Deflate, client)
	}
	if !o.events() {
		s.inbox = newInbox()
	}
	now := ticks(time.Now())
	s.received.Store(now)
	s.active.Store(now)
	s.clocks.floor, s.clocks.pinged = now, now
	return s
}

// adopt gives the connection to the engine, and the socket its life.
func (s *Socket) adopt(link engine.Link, pending []byte) {
	s.mu.Lock()
	s.conn = s.srv.engineOf(s).Adopt(link, pending, (*line)(s), &engine.Options{
		Budget: s.o.queue, Most: s.o.mostSent(), Stall: s.o.write, Unit: frameLength,
	})
	asked := s.asked
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
func (s *Socket) Subprotocol() string { return s.protocol }

// RemoteAddr is the peer's address.
func (s *Socket) RemoteAddr() string { return s.remote }

// Context carries the values of the request's, or Dial's, context and is
// cancelled when the socket has ended, with the reason as its cause.
func (s *Socket) Context() context.Context { return s.ctx }

// Done is closed when the socket has ended, after the Close callback.
func (s *Socket) Done() <-chan struct{} { return s.done }

// Err is nil while the socket lives and after an orderly close, else the reason
// of its end.
func (s *Socket) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
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
	return s.over && s.err == nil
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
	return s.code
}

// CloseReason is the reason that came with CloseStatus.
func (s *Socket) CloseReason() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		return ""
	}
	return s.reason
}

// Run waits until the socket has ended and answers Err: nil after an orderly
// close. In the blocking style messages that nobody reads are dropped from now
// on. It must not be called from a callback.
func (s *Socket) Run() error {
	if s.inbox != nil {
		s.inbox.shut()
	}
	<-s.done
	return s.Err()
}

// SetPreserveFrames sets whether each frame is handed over as it came, from the
// next message on.
func (s *Socket) SetPreserveFrames(on bool) { s.framesOn.Store(on) }
