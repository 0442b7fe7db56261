package ws

// A Message is what an [Assembler] makes: a whole message, a packet of a long
// one, or a frame.
type Message struct {
	Type         Opcode // OpText or OpBinary, also of a continuation
	Continuation bool   // not the first of its message
	Last         bool   // of its message
	Data         []byte
}

// An Assembler makes messages of a Reader's events. It copies only what comes in
// cuts. The zero value makes whole messages.
type Assembler struct {
	// MaxPacket cuts a longer message into packets of this size, the last of
	// them shorter, so that no more is ever gathered. Zero: never.
	MaxPacket int
	// Frames keeps every frame as it came; MaxPacket does not count. It may
	// change between two messages.
	Frames bool
	// Buf holds what is gathered. While it has no bytes it may be lent and
	// taken back; nil is fine.
	Buf []byte

	given bool // Buf is the last message's
	open  bool // part of a message has been given
}

// Next takes from a Data event what belongs to the next message and answers it,
// until nothing is left in the event. The message's data is part of the event's
// payload or of Buf: it is good until Next is called again, or the bytes that
// the Reader was given change.
//
// Who inflates sets Payload to each piece of what comes out, and keeps End and
// Last for the last of them.
func (a *Assembler) Next(ev *Event) (m Message, ok bool) {
	if a.given {
		a.given, a.Buf = false, a.Buf[:0]
	}
	data := ev.Payload
	switch whole := ev.Last || a.Frames && ev.End; {
	case ev.Kind != Data:
		return Message{}, false
	case !a.Frames && a.MaxPacket > 0 && len(data) > a.MaxPacket-len(a.Buf):
		n := max(0, a.MaxPacket-len(a.Buf))
		m = a.give(ev.Type, data[:n])
		ev.Payload = data[n:]
	case whole:
		m = a.give(ev.Type, data)
		m.Last = ev.Last
		ev.Payload, ev.End, ev.Last = nil, false, false
	default:
		a.gather(data)
		ev.Payload = nil
		return Message{}, false
	}
	a.open = !m.Last
	return m, true
}

// Idle says whether nothing is gathered, so that Buf may be taken back, once the
// last message is done with.
func (a *Assembler) Idle() bool { return a.given || len(a.Buf) == 0 }

// Free is the room that Buf has behind what is gathered. What is read into the
// front of it, and comes as the next event's payload, is gathered without a copy.
func (a *Assembler) Free() []byte { return a.Buf[len(a.Buf):cap(a.Buf)] }

func (a *Assembler) gather(data []byte) {
	n := len(a.Buf)
	if free := a.Buf[n:cap(a.Buf)]; len(data) > 0 && len(free) >= len(data) && &free[0] == &data[0] {
		a.Buf = a.Buf[:n+len(data)]
		return
	}
	a.Buf = append(a.Buf, data...)
}

func (a *Assembler) give(kind Opcode, data []byte) Message {
	if len(a.Buf) > 0 {
		a.gather(data)
		a.given, data = true, a.Buf
	}
	return Message{Type: kind, Continuation: a.open, Data: data}
}
