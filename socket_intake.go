package leat

import (
	"sync"

	"github.com/leat-dev/leat/internal/buffer"
	"github.com/leat-dev/leat/internal/deflate"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// An intake is what a socket needs for a frame or a message that does not come
// whole, for one that comes compressed or is given out in packets. It is lent by a
// pool until the message ends, or to the socket's end where the peer's compression
// keeps its context.
type intake struct {
	ws.Assembler
	reader   ws.Reader      // as it stands behind what has come
	packet   *buffer.Buffer // what Assembler gathers in; nil while it gathers nothing
	inflater deflate.Inflater
	text     ws.UTF8 // of the compressed message under way
	keeps    bool    // the context
}

var intakes = sync.Pool{New: func() any { return new(intake) }}

// take lends the socket its intake.
func (s *Socket) take() *intake {
	in := intakes.Get().(*intake)
	in.MaxPacket = s.o.maxPacket
	if s.in != 0 {
		in.keeps = s.in.keeps()
		in.inflater = deflate.NewInflater(in.keeps, s.in.bits(), int64(s.o.maxMessage))
	}
	s.intake = in
	return in
}

// give takes it back behind a message, or a frame of no message.
func (s *Socket) give() {
	in := s.intake
	in.inflater.Release()
	in.release()
	if !in.keeps {
		*in = intake{}
		intakes.Put(in)
		s.intake = nil
	}
}

// reader is where the socket stands in what comes.
func (s *Socket) reader() ws.Reader {
	if s.intake != nil {
		return s.intake.reader
	}
	return ws.NewReader(ws.ReaderOptions{
		Server: !s.o.client, Deflate: s.in != 0, AnyText: s.o.anyText, MaxMessage: int64(s.o.maxMessage),
	})
}

// keep keeps the reader until more comes, unless it stands before a frame like
// any other, and gives back what is not needed until then.
func (s *Socket) keep(r *ws.Reader) {
	idle := r.Idle()
	if s.intake == nil {
		if idle {
			return
		}
		s.take()
	}
	in := s.intake
	in.reader = *r
	switch {
	case idle:
		s.give()
	case in.Buf != nil && in.Idle():
		in.release()
	}
}

// release gives back what has been gathered.
func (in *intake) release() {
	in.packet.Free()
	in.packet, in.Buf = nil, nil
}

// data hands on what a piece of a message completes.
func (s *Socket) data(ev ws.Event) {
	frames := s.has(keepFrames)
	in := s.intake
	switch {
	case in != nil:
	case ev.Last && !ev.Compressed && (frames || s.o.maxPacket == 0 || len(ev.Payload) <= s.o.maxPacket): // it has come whole
		s.deliver(ws.Message{Type: ev.Type, Last: true, Data: ev.Payload})
		return
	default:
		in = s.take()
	}
	if ev.Begin && ev.Opcode != ws.OpContinuation {
		in.Frames = frames
	}
	switch {
	case !ev.Compressed:
		s.assemble(in, ev)
	case !s.inflate(in, ev):
		return
	}
	if ev.Last {
		s.give()
	}
}

// inflate hands on what comes out of a compressed piece. It answers false where
// nothing more may come.
func (s *Socket) inflate(in *intake, ev ws.Event) bool {
	src := ev.Payload
	for {
		out, rest, more, err := in.inflater.Next(src, ev.Last)
		if err != nil {
			s.violated(err)
			return false
		}
		if ev.Type == ws.OpText && !s.o.anyText && (!in.text.Write(out) || ev.Last && !more && !in.text.Complete()) {
			s.violated(ws.NotUTF8())
			return false
		}
		piece := ev
		piece.Payload, piece.End, piece.Last = out, ev.End && !more, ev.Last && !more
		s.assemble(in, piece)
		if !more {
			return true
		}
		src = rest
	}
}

func (s *Socket) assemble(in *intake, ev ws.Event) {
	in.lend(&ev)
	for m, ok := in.Next(&ev); ok; m, ok = in.Next(&ev) {
		s.deliver(m)
	}
}

// lend sees to room for what is gathered of a message that comes in cuts. What a
// frame announces is lent ahead only as far as its peer has come with the
// message: to four times that, and to sixteen times once that is much.
func (in *intake) lend(ev *ws.Event) {
	have := 0
	if !in.Idle() {
		have = len(in.Buf)
	}
	if have == 0 && (ev.Last || in.Frames && ev.End) {
		return // it has come whole
	}
	need := have + len(ev.Payload)
	if in.MaxPacket > 0 && !in.Frames {
		need = min(need, in.MaxPacket)
	}
	if need <= cap(in.Buf) {
		return
	}
	ahead := int64(3)
	if need >= lendMuch {
		ahead = 15
	}
	b := buffer.Get(need + int(min(ev.Left, ahead*int64(need))))
	b.B = append(b.B, in.Buf[:have]...)
	in.packet.Free()
	in.packet, in.Buf = b, b.B
}

// lendMuch is what a peer must have sent of a message to be trusted with more.
const lendMuch = 32 << 10
