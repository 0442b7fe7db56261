package leat

import (
	"errors"
	"runtime/debug"
	"time"

	"github.com/leat-dev/leat/internal/deflate"
	"github.com/leat-dev/leat/internal/engine"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// A line is a Socket as its connection sees it.
type line Socket

// Into is where the rest of a long frame goes without a copy.
func (l *line) Into() []byte {
	s := (*Socket)(l)
	in := s.intake
	if in == nil || in.packet == nil || in.MaxPacket > 0 || in.Frames {
		return nil
	}
	left := in.reader.Left()
	if left < intoLeast {
		return nil
	}
	free := in.Free()
	if len(free) < intoLeast && int64(len(free)) < left {
		return nil
	}
	return free[:min(int64(len(free)), left)]
}

// intoLeast is from where reading apart costs less than a copy.
const intoLeast = 16 << 10

// Data reads frames and hands on what they hold.
func (l *line) Data(_ engine.Conn, b []byte) {
	s := (*Socket)(l)
	s.bytesIn.Add(int64(len(b)))
	s.sign(isBusy, true)
	s.begin()
	r := s.reader()
	before := s.counts.in.Load()
	for s.listens() {
		ev, rest, err := r.Next(b)
		switch {
		case err != nil:
			s.violated(err)
		case ev.Kind == ws.Control:
			s.control(ev)
		case ev.Kind == ws.Data:
			s.data(ev)
		}
		if err != nil || ev.Kind == ws.More {
			break
		}
		b = rest
	}
	if s.o.events() {
		s.o.srv.counters.MessagesIn.Add(s.counts.in.Load() - before)
	}
	now := ticks(time.Now())
	s.heard.Store(heardAt(now))
	s.active.Store(now)
	s.rest()
	s.keep(&r)
}

// listens says whether what comes still matters. While our close waits for its
// answer it does, but for the data.
func (s *Socket) listens() bool { return !s.has(isDeaf) }

// begin calls Open before any other callback.
func (s *Socket) begin() {
	if s.opened {
		return
	}
	s.mu.Lock() // which adopt has until conn is set
	s.opened = true
	s.mu.Unlock()
	if s.o.open != nil {
		s.user(func() { s.o.open(s) })
	}
}

// rest lets the clocks go on that stood while a callback was running.
func (s *Socket) rest() {
	if s.signs.And(^(isBusy|alarmWaits))&alarmWaits != 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.schedule()
	}
}

// user calls a function of the user's. One that panics, or ends its goroutine,
// closes the socket with 1011.
func (s *Socket) user(fn func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		if v == nil {
			v = "runtime.Goexit"
		}
		p := &engine.PanicError{Value: v, Stack: debug.Stack()}
		s.o.srv.logPanic(p)
		s.fail(CloseInternal, "the program failed", p)
	}()
	fn()
	returned = true
}

// control does what a ping, a pong or a close asks for.
func (s *Socket) control(ev ws.Event) {
	var told func(*Socket, []byte)
	switch ev.Opcode { //nolint:exhaustive // a Control event has no other
	case ws.OpClose:
		code, reason, _ := ws.ParseClose(ev.Payload) // the reader has checked it
		s.settle()
		s.peerCloses(code, string(reason))
		return
	case ws.OpPing:
		s.pong(ev.Payload)
		told = s.o.ping
	case ws.OpPong:
		told = s.o.pong
	}
	if told != nil {
		s.user(func() { told(s, ev.Payload) })
	}
}

// deliver hands one message to whoever gets it.
func (s *Socket) deliver(m ws.Message) {
	if s.has(isClosing) { // what comes behind our close is not for the user
		return
	}
	if m.Last {
		s.counts.in.Add(1)
		if !s.o.events() { // whose reader may keep what follows waiting
			s.o.srv.counters.MessagesIn.Add(1)
		}
	}
	message := Message{Type: MessageType(m.Type), Data: m.Data, Last: m.Last, Continuation: m.Continuation}
	switch {
	case s.o.message != nil:
		s.user(func() { s.o.message(s, message) })
	case !s.o.events():
		s.annex.inbox.put(message)
	}
}

// violated ends the socket of a peer that breaks the protocol or a limit.
func (s *Socket) violated(err error) {
	s.settle()
	var broken *ws.ProtocolError
	var bomb *deflate.LimitError
	switch {
	case errors.As(err, &broken):
		if broken.Code == CloseTooBig {
			s.tooBig()
			return
		}
		s.fail(broken.Code, broken.Text, (*ProtocolError)(broken))
	case errors.As(err, &bomb):
		s.tooBig()
	default:
		s.fail(CloseInvalid, err.Error(), &ProtocolError{CloseInvalid, err.Error(), "RFC 7692, 7.2.2"})
	}
}

// settle lets the blocking style deal with what it has been given. Behind a close
// or a violation nothing else comes that could be hidden by this.
func (s *Socket) settle() {
	if i := s.inbox(); i != nil {
		i.settle()
	}
}

func (s *Socket) tooBig() {
	text := "the message is larger than limits.maxMessage"
	s.fail(CloseTooBig, text, &ProtocolError{CloseTooBig, text, "RFC 6455, 7.4.1"})
}

// call runs fn as Data does, with the clocks at rest. It is no sign of the peer's
// life: they go on from where they stood.
func (s *Socket) call(fn func()) {
	began := time.Now()
	s.sign(isBusy, true)
	fn()
	s.mu.Lock()
	stood := int64(time.Since(began))
	s.heard.Add(heardAt(stood))
	s.active.Store(min(s.active.Load()+stood, ticks(time.Now()))) // bytes may have gone meanwhile
	s.mu.Unlock()
	s.rest()
}
