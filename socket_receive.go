package leat

import (
	"errors"
	"runtime/debug"
	"time"

	"github.com/leat-dev/leat/internal/buffer"
	"github.com/leat-dev/leat/internal/deflate"
	"github.com/leat-dev/leat/internal/engine"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// A line is a Socket as its connection sees it.
type line Socket

// Into is where the rest of a long frame goes without a copy.
func (l *line) Into() []byte {
	s := (*Socket)(l)
	left := s.reader.Left()
	if s.packet == nil || left < intoLeast || s.packets.MaxPacket > 0 || s.packets.Frames {
		return nil
	}
	free := s.packets.Free()
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
	s.busy.Store(true)
	s.begin()
	for s.listens() {
		ev, rest, err := s.reader.Next(b)
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
	now := ticks(time.Now())
	s.received.Store(now)
	s.active.Store(now)
	s.rest()
	s.idle()
}

// listens says whether what comes still matters. While our close waits for its
// answer it does, but for the data.
func (s *Socket) listens() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state != socketEnded && !s.got
}

// begin calls Open before any other callback.
func (s *Socket) begin() {
	if s.opened {
		return
	}
	s.opened = true
	if s.o.open != nil {
		s.user(func() { s.o.open(s) })
	}
}

// rest lets the clocks go on that stood while a callback was running.
func (s *Socket) rest() {
	s.busy.Store(false)
	if s.missed.Swap(false) {
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
		s.srv.logPanic(p)
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

// data hands on what a piece of a message completes.
func (s *Socket) data(ev ws.Event) {
	if ev.Begin && ev.Opcode != ws.OpContinuation {
		s.packets.Frames = s.framesOn.Load()
	}
	if !ev.Compressed {
		s.assemble(ev)
		return
	}
	z, src := s.inflater, ev.Payload
	for {
		out, rest, more, err := z.Next(src, ev.Last)
		if err != nil {
			s.violated(err)
			return
		}
		if ev.Type == ws.OpText && !s.o.anyText && (!z.text.Write(out) || ev.Last && !more && !z.text.Complete()) {
			s.violated(ws.NotUTF8())
			return
		}
		piece := ev
		piece.Payload, piece.End, piece.Last = out, ev.End && !more, ev.Last && !more
		s.assemble(piece)
		if !more {
			break
		}
		src = rest
	}
	if ev.Last {
		z.Release()
	}
}

func (s *Socket) assemble(ev ws.Event) {
	s.lend(&ev)
	for m, ok := s.packets.Next(&ev); ok; m, ok = s.packets.Next(&ev) {
		s.deliver(m)
	}
}

// lend sees to room for what is gathered of a message that comes in cuts. What a
// frame announces is lent ahead only as far as its peer has come with the
// message: to four times that, and to sixteen times once that is much.
func (s *Socket) lend(ev *ws.Event) {
	a, have := &s.packets, 0
	if !a.Idle() {
		have = len(a.Buf)
	}
	if have == 0 && (ev.Last || a.Frames && ev.End) {
		return // it has come whole
	}
	need := have + len(ev.Payload)
	if a.MaxPacket > 0 && !a.Frames {
		need = min(need, a.MaxPacket)
	}
	if need <= cap(a.Buf) {
		return
	}
	ahead := int64(3)
	if need >= lendMuch {
		ahead = 15
	}
	b := buffer.Get(need + int(min(ev.Left, ahead*int64(need))))
	b.B = append(b.B, a.Buf[:have]...)
	s.packet.Free()
	s.packet, a.Buf = b, b.B
}

// lendMuch is what a peer must have sent of a message to be trusted with more.
const lendMuch = 32 << 10

// deliver hands one message to whoever gets it.
func (s *Socket) deliver(m ws.Message) {
	s.mu.Lock()
	open := s.state == socketOpen
	s.mu.Unlock()
	if !open { // what comes behind our close is not for the user
		return
	}
	if m.Last {
		s.counts.in.Add(1)
		s.srv.counters.MessagesIn.Add(1)
	}
	message := Message{Type: MessageType(m.Type), Data: m.Data, Last: m.Last, Continuation: m.Continuation}
	switch {
	case s.inbox != nil:
		s.inbox.put(message)
	case s.o.message != nil:
		s.user(func() { s.o.message(s, message) })
	}
}

// idle gives back what is not needed between messages.
func (s *Socket) idle() {
	if s.packets.Buf != nil && s.packets.Idle() {
		s.packet.Free()
		s.packet, s.packets.Buf = nil, nil
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
	if s.inbox != nil {
		s.inbox.settle()
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
	s.busy.Store(true)
	fn()
	s.mu.Lock()
	stood := int64(time.Since(began))
	s.received.Add(stood)
	s.clocks.pinged += stood
	s.active.Store(min(s.active.Load()+stood, ticks(time.Now()))) // bytes may have gone meanwhile
	s.mu.Unlock()
	s.rest()
}
