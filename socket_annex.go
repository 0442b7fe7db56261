package leat

import "github.com/leat-dev/leat/internal/serve"

// An annex holds what few sockets need, so that an idle one is small. It is made
// when the first of it is needed. Its fields are read and written with
// mu held, but for inbox and deflater, which stand before the socket is anybody's.
type annex struct {
	scope
	written    chan struct{} // closed when bytes have been taken; nil when nobody waits for it
	notIdleFor int64         // ExtendTimeout's: the inactivity timeout is not before, as ticks; 0 for none
	inbox      *inbox        // of the blocking style
	deflater   *deflater     // that keeps its context
	asked      func(*Socket) // of adopt, by a shutdown that came before
	end        *fate
}

// A fate is how a socket ends.
type fate struct {
	unsent  []byte // our close, which the queue has no room for yet
	closeBy int64  // the close handshake is given up, as ticks
	failed  bool   // code and cause stand, whatever the peer says
	code    int
	reason  string
	cause   error // why, where it does not become an orderly close
	err     error
}

// An origin is the handler that a socket or stream comes from, as far as the two
// have to do with one another. Under a Leat server it is forgotten when the handler returns.
type origin struct {
	x         *serve.Exchange // nil outside a Leat server
	goroutine uint64          // the handler's, once it need not wait any more
	unbind    func() bool     // a socket's, from the request's context; nil where it is not bound
}

// here tells the calling goroutine. Under a Leat server that need hold only as
// long as the handler runs, which is known; elsewhere it must for ever.
func (o *origin) here() uint64 {
	if o.x != nil {
		return current()
	}
	return goroutineID()
}

// extra is the annex. It is called with mu held.
func (s *Socket) extra() *annex {
	if s.annex == nil {
		s.annex = &annex{}
	}
	return s.annex
}

// tidy forgets an annex with nothing in it. It is called with mu held.
func (s *Socket) tidy() {
	if a := s.annex; a.values == nil && a.ctx == nil && a.done == nil && a.written == nil && a.notIdleFor == 0 &&
		a.inbox == nil && a.deflater == nil && a.asked == nil && a.end == nil {
		s.annex = nil
	}
}

// fate is the socket's. It is called with mu held, when there is one.
func (s *Socket) fate() *fate {
	a := s.extra()
	if a.end == nil {
		a.end = &fate{}
	}
	return a.end
}

// inbox is that of the blocking style, else nil.
func (s *Socket) inbox() *inbox {
	if s.o.events() {
		return nil
	}
	return s.annex.inbox
}

// listing is for the server's roll.
func (s *Socket) listing() *member[Socket] { return &s.member }
