package leat

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leat-dev/leat/internal/engine"
	"github.com/leat-dev/leat/internal/metrics"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// closeTime bounds the close handshake, and hangUpTime what a client waits for
// between the handshake and the server's end of the connection
// (RFC 6455, 7.1.1). Both are short of timeouts.drain.
const (
	closeTime  = 5 * time.Second
	hangUpTime = 2 * time.Second
)

// Close begins the close handshake with code 1000, behind what waits. It does
// not wait for the end, which [Socket.Done] tells and which comes in 5 seconds
// even if the peer does not answer. Messages that come meanwhile are dropped, as
// browsers do: who wants an answer closes behind it.
//
// In the event style a Close that the handler calls itself, or defers, does
// nothing: the socket outlives it.
func (s *Socket) Close() error {
	s.mu.Lock()
	from := s.from
	s.mu.Unlock()
	if from != nil && from.goroutine != 0 && from.goroutine == from.here() {
		return nil
	}
	return s.CloseWith(CloseNormal, "")
}

// CloseWith is Close with a code and a reason, of which the frame holds 123
// bytes: more is cut at a character. Codes are 1000 to 1003, 1007 to 1014 and
// 3000 to 4999 (RFC 6455, 7.4). On a socket that is closing it does nothing.
func (s *Socket) CloseWith(code int, reason string) error {
	if !ws.CodeSendable(code) {
		return fmt.Errorf("leat: Socket.CloseWith: code %d may not be sent; an application's own are 4000 to 4999 (RFC 6455, 7.4)", code)
	}
	s.startClose(code, reason, nil, false)
	return nil
}

// startClose sends our close and waits for the peer's. Cause is the reason of
// the end if that does not come; failed makes it so in any case.
func (s *Socket) startClose(code int, reason string, cause error, failed bool) {
	s.sending.Lock() // whoever sends now comes first
	defer s.sending.Unlock()
	s.mu.Lock()
	if s.state != socketOpen {
		s.mu.Unlock()
		return
	}
	s.become(socketClosing)
	f := s.fate()
	f.code, f.reason, f.cause, f.failed = code, ws.CutReason(reason), cause, failed
	frame := ws.AppendClose(nil, s.masked(ws.Header{}), code, reason)
	f.unsent = frame
	s.giveUpIn(closeTime)
	s.mu.Unlock()
	s.conn.CloseOffers() // no data may follow a close (RFC 6455, 5.5.1)
	s.sendClose(frame)
	if i := s.inbox(); i != nil {
		i.shut()
	}
}

// sendClose sends our close, if the queue has room for it; else it goes out when
// something has been written. It needs no lock: nothing else is sent any more.
func (s *Socket) sendClose(frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.fate(); f.unsent != nil && s.conn.Send(frame) == nil {
		f.unsent = nil
	}
}

// peerCloses answers the peer's close, or takes it as the answer to ours.
func (s *Socket) peerCloses(code int, reason string) {
	s.sending.Lock()
	defer s.sending.Unlock()
	s.mu.Lock()
	if s.state == socketEnded || s.got {
		s.mu.Unlock()
		return
	}
	s.got = true
	s.sign(isDeaf, true)
	f := s.fate()
	last := f.unsent
	if s.state == socketOpen {
		last = ws.AppendClose(nil, s.masked(ws.Header{}), code, "")
	}
	if !f.failed {
		f.code, f.reason = code, reason
	}
	f.unsent = last
	if s.o.client { // the server ends the connection (RFC 6455, 7.1.1)
		s.become(socketClosing)
		s.giveUpIn(hangUpTime)
	} else {
		s.become(socketEnded)
		f.unsent = nil
		s.giveUpIn(closeTime)
	}
	s.mu.Unlock()
	if s.o.client {
		if last != nil {
			s.sendClose(last)
		}
		return
	}
	s.conn.End(last, nil)
}

// fail fails the connection (RFC 6455, 7.1.7): our close goes out, the peer's is
// not waited for.
func (s *Socket) fail(code int, reason string, cause error) {
	s.sending.Lock()
	defer s.sending.Unlock()
	s.mu.Lock()
	if s.state == socketEnded || s.got {
		s.mu.Unlock()
		return
	}
	f := s.fate()
	var last []byte
	if s.state == socketOpen || f.unsent != nil { // no close has been sent
		last = ws.AppendClose(nil, s.masked(ws.Header{}), code, reason)
	}
	s.become(socketEnded)
	f.failed = true
	f.code, f.reason, f.cause = code, ws.CutReason(reason), cause
	f.unsent = nil
	s.giveUpIn(closeTime)
	s.mu.Unlock()
	s.conn.End(last, cause)
}

// giveUpIn bounds the end. It is called with mu held.
func (s *Socket) giveUpIn(d time.Duration) {
	s.fate().closeBy = ticks(time.Now().Add(d))
	s.schedule()
}

// stop tells the peer that the server stops.
func (s *Socket) stop() {
	if !s.attached((*Socket).stop) {
		return
	}
	why := "the server stops"
	if s.fed.Load() != nil { // who comes back need not come with all others
		why = fmt.Sprintf("retry in %d ms", retryIn().Milliseconds())
	}
	s.startClose(CloseGoingAway, why, ErrShutdown, false)
}

// kill ends the socket at once.
func (s *Socket) kill() {
	if s.attached((*Socket).kill) {
		s.conn.Abort(ErrShutdown)
	}
}

// attached says whether the socket has its connection; if not, adopt does what
// is asked for when it has.
func (s *Socket) attached(asked func(*Socket)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		s.extra().asked = asked
	}
	return s.conn != nil
}

// askedFor is what attached has kept. It is called with mu held.
func (s *Socket) askedFor() func(*Socket) {
	if s.annex == nil {
		return nil
	}
	asked := s.annex.asked
	s.annex.asked = nil
	return asked
}

// Hangup is the end of what the peer sends: in order on a client whose server
// has closed, else the peer has gone without a close.
func (l *line) Hangup(c engine.Conn) {
	s := (*Socket)(l)
	c.Call(func(engine.Conn) { // behind what has come before
		s.mu.Lock()
		got := s.got
		s.become(socketEnded)
		s.mu.Unlock()
		if got {
			c.End(nil, nil)
		} else {
			c.Abort(ErrGone)
		}
	})
}

// Ending is the beginning of the end: whoever waits is told.
func (l *line) Ending(_ engine.Conn, reason error) {
	s := (*Socket)(l)
	s.mu.Lock()
	s.become(socketEnded)
	if f := s.fate(); f.cause == nil {
		f.cause = reason
	}
	if a := s.annex; a.written != nil {
		close(a.written)
		a.written = nil
	}
	s.mu.Unlock()
	if i := s.inbox(); i != nil {
		i.shut()
	}
}

// Closed is the end, also where a callback ends its goroutine.
func (l *line) Closed(_ engine.Conn, reason error) {
	s := (*Socket)(l)
	defer s.close(reason)
	s.begin()
}

// close settles how the socket has ended, and tells it.
func (s *Socket) close(reason error) {
	s.mu.Lock()
	s.over = true
	s.become(socketEnded)
	f := s.fate()
	cause := first(f.cause, reason, ErrGone)
	switch {
	case f.failed:
		f.err = cause
	case !s.got:
		f.code, f.reason, f.err = CloseAbnormal, "", cause
	}
	code, text, err, failed := f.code, f.reason, f.err, f.failed
	var unbind func() bool
	if s.from != nil {
		unbind = s.from.unbind
	}
	metric := reasonOf(err)
	if errors.Is(f.cause, ErrShutdown) || f.cause != nil && s.fed.Load() != nil {
		metric = reasonOf(f.cause)
	}
	s.mu.Unlock()
	var panicked *engine.PanicError
	if errors.As(err, &panicked) && !failed { // else it has been logged
		s.o.srv.logPanic(panicked)
	}
	if unbind != nil {
		unbind()
	}
	defer s.finish(metric, err)
	if s.o.closed != nil {
		s.user(func() { s.o.closed(s, code, text, err) })
	}
}

// finish is what follows the last callback.
func (s *Socket) finish(metric metrics.Reason, err error) {
	s.mu.Lock()
	s.told = true
	from, a := s.from, s.annex // which has the fate
	cancel, cause := a.cancel, s.endCause()
	s.mu.Unlock()
	if cancel != nil {
		cancel(cause)
	}
	s.o.srv.counters.SocketsEnded[metric].Add(1)
	s.leave()
	fed := int64(0)
	if f := s.fed.Load(); f != nil {
		fed = f.ends()
	}
	if from != nil && from.x != nil {
		from.x.Cancel()
	}
	s.entry.Finish(s.remote.String(), s.bytesOut.Load()+fed, metric, err)
	s.mu.Lock()
	s.finished = true
	done := a.done
	s.mu.Unlock()
	if done != nil {
		close(done)
	}
}

// endCause is the cause of the context's end. It is called with mu held.
func (s *Socket) endCause() error { return first(s.reason(), context.Canceled) }

// unbindAtEnd has unbind called when the socket has ended.
func (s *Socket) unbindAtEnd(unbind func() bool) {
	s.mu.Lock()
	over := s.over
	s.from.unbind = unbind
	s.mu.Unlock()
	if over {
		unbind()
	}
}

// forget is said when the handler has returned.
func (s *Socket) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from = nil
}

// leave takes the socket out of the counts.
func (s *Socket) leave() {
	s.o.srv.counters.Sockets.Add(-1)
	if s.o.opens != nil {
		s.o.opens.Add(-1)
	}
	leave(s.o.srv, &s.o.srv.sockets, s)
	s.o.leave()
}
