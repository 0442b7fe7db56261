package ws

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// ReaderOptions say what a Reader takes. The zero value is a client's, without
// a limit and without compression.
type ReaderOptions struct {
	// Server: frames must be masked. Otherwise they must not be.
	Server bool
	// Deflate: the first frame of a message may be marked as compressed.
	Deflate bool
	// AnyText lets text through that is not UTF-8. The text of a compressed
	// message is never checked here: hand what is inflated to a [UTF8].
	AnyText bool
	// MaxMessage is how many bytes a message may have; zero or less: no limit.
	// A compressed message is held to it by who inflates it. Here it may be
	// larger by an eighth and 1 KiB, as much as bad compression makes it grow.
	MaxMessage int64
}

// A Reader finds the frames in the bytes of one connection. It is 72 bytes and
// keeps none of a data frame. It is for one goroutine.
type Reader struct {
	err     *ProtocolError
	control *[MaxControl]byte // of a control frame that comes in cuts
	limit   int64
	total   int64 // bytes that the message's frames have announced
	remain  int64 // bytes of the frame's payload that are still to come
	key     Key   // for the next of them
	head    [MaxHeader]byte
	have    uint8 // bytes of head, while a header comes in cuts
	held    uint8 // bytes of control
	text    UTF8
	opcode  Opcode // of the frame
	kind    Opcode // of the message: OpText or OpBinary; 0 between messages
	is      state
}

// state is what a Reader is told and where it stands.
type state uint8

const (
	server     state = 1 << iota // told: frames must be masked
	deflate                      // told: messages may be compressed
	anyText                      // told: text is not checked
	inFrame                      // the header is read, the payload is not
	fin                          // the frame is its message's last
	compressed                   // the message is
	deaf                         // a Close frame has been read
)

func (s state) has(bit state) bool { return s&bit != 0 }

func (s *state) set(bit state, on bool) {
	if *s &^= bit; on {
		*s |= bit
	}
}

// NewReader returns a Reader that stands before the first frame.
func NewReader(o ReaderOptions) Reader {
	r := Reader{limit: o.MaxMessage}
	if r.limit <= 0 {
		r.limit = math.MaxInt64
	}
	r.is.set(server, o.Server)
	r.is.set(deflate, o.Deflate)
	r.is.set(anyText, o.AnyText)
	return r
}

// A Kind tells what an [Event] is about.
type Kind uint8

// The kinds of an Event.
const (
	More    Kind = iota // every byte is taken and there is nothing to tell
	Data                // a piece of a text or binary message
	Control             // a whole Close, Ping or Pong frame
)

// An Event is what a Reader found.
type Event struct {
	Kind   Kind
	Opcode Opcode // of the frame
	Type   Opcode // OpText or OpBinary, of the message; 0 for control frames

	Compressed bool // the message is
	Begin      bool // the frame begins with this piece
	End        bool // the frame ends with this piece
	Last       bool // and its message too

	// Left is how many bytes of the frame's payload follow this piece.
	Left int64
	// Payload is unmasked. It is part of the bytes that Next was given, or, of a
	// control frame, memory of its own. It may be empty.
	Payload []byte
}

// Next answers the first event in b, which are bytes as they came from the peer,
// and what is left of them. Call it with the rest until the event is More. It
// unmasks b in place. A data frame that lies in b as a whole is one event.
//
// What breaks the protocol is a *[ProtocolError], at the first byte that shows
// it, and so is every later call. Bytes behind a Close frame are dropped
// (RFC 6455, 5.5.1).
func (r *Reader) Next(b []byte) (ev Event, rest []byte, err error) {
	if r.err == nil && len(b) > 0 && !r.is.has(deaf) {
		ev, rest = r.next(b)
	}
	if r.err != nil {
		r.control = nil
		return Event{}, nil, r.err
	}
	return ev, rest, nil
}

// Left is how many bytes are still to come of a data frame that is under way and
// not compressed.
func (r *Reader) Left() int64 {
	if !r.is.has(inFrame) || r.is.has(compressed) || r.opcode.Control() {
		return 0
	}
	return r.remain
}

// Idle says whether nothing is under way: the next byte begins a message, or a
// control frame between messages.
func (r *Reader) Idle() bool { return r.kind == 0 && !r.is.has(inFrame) && r.have == 0 }

func (r *Reader) next(b []byte) (Event, []byte) {
	begin := !r.is.has(inFrame)
	if begin && r.isShort(b) {
		return r.short(b)
	}
	if begin {
		size, ok := r.header(b)
		if !ok {
			return Event{}, nil
		}
		b = b[size:]
	}
	if r.opcode.Control() {
		return r.gather(b)
	}
	return r.piece(b, begin)
}

// isShort says whether a whole message of a client lies in b as one short frame.
func (r *Reader) isShort(b []byte) bool {
	if r.kind != 0 || r.have != 0 || !r.is.has(server) || len(b) < 6 || b[0] != 0x80|byte(OpText) && b[0] != 0x80|byte(OpBinary) {
		return false
	}
	n := int(b[1]) - 0x80 // masked
	return n >= 0 && n <= 125 && len(b) >= 6+n && int64(n) <= r.limit
}

// short takes such a message.
func (r *Reader) short(b []byte) (Event, []byte) {
	n := int(b[1] & 0x7f)
	payload, rest := b[6:6+n:6+n], b[6+n:]
	op := Opcode(b[0] & 15)
	Mask(payload, Key(b[2:6]))
	if op == OpText && !r.is.has(anyText) && !utf8.Valid(payload) {
		r.err = NotUTF8()
		return Event{}, nil
	}
	return Event{Kind: Data, Opcode: op, Type: op, Begin: true, End: true, Last: true, Payload: payload}, rest
}

// header reads a frame's header, or what there is of it, and answers how many
// bytes of b belong to it and whether it is complete.
func (r *Reader) header(b []byte) (size int, ok bool) {
	head := b
	if r.have > 0 {
		head = r.head[:int(r.have)+copy(r.head[r.have:], b)]
	}
	size, ok = r.parse(head)
	if !ok {
		if r.err == nil {
			r.have += uint8(copy(r.head[r.have:], b))
		}
		return 0, false
	}
	size -= int(r.have)
	r.have = 0
	return size, true
}

// parse checks as much of a header as is there and, when all is, goes into the
// frame. It changes nothing before.
func (r *Reader) parse(h []byte) (size int, ok bool) {
	b0 := h[0]
	if r.err = r.checkFirst(b0); r.err != nil || len(h) < 2 {
		return 0, false
	}
	b1 := h[1]
	masked, length := b1&0x80 != 0, int64(b1&0x7f)
	switch {
	case masked != r.is.has(server):
		r.err = wrongMask(masked)
	case Opcode(b0&15).Control() && length > MaxControl:
		r.err = violation(CodeProtocol, "5.5", "a %s frame is longer than %d bytes", Opcode(b0&15), MaxControl)
	}
	if r.err != nil {
		return 0, false
	}
	size = 2
	if length > 125 {
		size = 4 + 6*int(length-126)
		if len(h) < size {
			return 0, false
		}
		if length, r.err = longLength(h[2:size]); r.err != nil {
			return 0, false
		}
	}
	if r.err = r.checkSize(b0, length); r.err != nil {
		return 0, false
	}
	if masked {
		if size += 4; len(h) < size {
			return 0, false
		}
		r.key = Key(h[size-4 : size])
	}
	r.enter(b0, length)
	return size, true
}

// checkFirst checks a header's first byte against what may come now.
func (r *Reader) checkFirst(b0 byte) *ProtocolError {
	op := Opcode(b0 & 15)
	switch {
	case b0&0x30 != 0:
		return violation(CodeProtocol, "5.2", "a reserved bit is set")
	case !op.known():
		return violation(CodeProtocol, "5.2", "opcode %d is reserved", op)
	case op.Control() && b0&0x80 == 0:
		return violation(CodeProtocol, "5.5", "a %s frame is fragmented", op)
	case op == OpContinuation && r.kind == 0:
		return violation(CodeProtocol, "5.4", "a continuation without a message to continue")
	case !op.Control() && op != OpContinuation && r.kind != 0:
		return violation(CodeProtocol, "5.4", "a %s frame inside a message", op)
	case b0&0x40 == 0:
		return nil
	case !r.is.has(deflate):
		return violation(CodeProtocol, "5.2", "a reserved bit is set")
	case op.Control() || op == OpContinuation:
		return &ProtocolError{CodeProtocol, "a " + op.String() + " frame is marked as compressed", "RFC 7692, 6.1"}
	}
	return nil
}

func wrongMask(masked bool) *ProtocolError {
	if masked {
		return violation(CodeProtocol, "5.1", "the server's frame is masked")
	}
	return violation(CodeProtocol, "5.1", "the client's frame is not masked")
}

// longLength reads a length of 2 or 8 bytes, which must need them.
func longLength(b []byte) (int64, *ProtocolError) {
	if len(b) == 2 {
		n := binary.BigEndian.Uint16(b)
		if n <= 125 {
			return 0, violation(CodeProtocol, "5.2", "length %d is written in 2 bytes more than it needs", n)
		}
		return int64(n), nil
	}
	n := binary.BigEndian.Uint64(b)
	switch {
	case n > math.MaxInt64:
		return 0, violation(CodeProtocol, "5.2", "the length's highest bit is set")
	case n <= math.MaxUint16:
		return 0, violation(CodeProtocol, "5.2", "length %d is written in more bytes than it needs", n)
	}
	return int64(n), nil
}

// checkSize holds the message to its limit as soon as a frame says how long it
// is.
func (r *Reader) checkSize(b0 byte, length int64) *ProtocolError {
	op := Opcode(b0 & 15)
	if op.Control() {
		return nil
	}
	total, limit := r.total, r.limit
	isCompressed := r.is.has(compressed)
	if op != OpContinuation {
		total, isCompressed = 0, b0&0x40 != 0
	}
	if isCompressed {
		if limit += limit/8 + 1024; limit < 0 {
			limit = math.MaxInt64
		}
	}
	if length > limit-total {
		return violation(CodeTooBig, "7.4.1", "the message is larger than %d bytes", r.limit)
	}
	return nil
}

// enter goes into the frame whose header is complete.
func (r *Reader) enter(b0 byte, length int64) {
	r.opcode, r.remain, r.held = Opcode(b0&15), length, 0
	r.is.set(inFrame, true)
	if r.opcode.Control() {
		return
	}
	r.is.set(fin, b0&0x80 != 0)
	if r.opcode != OpContinuation {
		r.kind, r.total, r.text = r.opcode, 0, UTF8{}
		r.is.set(compressed, b0&0x40 != 0)
	}
	r.total += length
}

// piece takes what b holds of a data frame.
func (r *Reader) piece(b []byte, begin bool) (Event, []byte) {
	n := int(min(int64(len(b)), r.remain))
	payload, rest := b[:n:n], b[n:]
	r.remain -= int64(n)
	if r.is.has(server) {
		r.key = Mask(payload, r.key)
	}
	ev := Event{
		Kind: Data, Opcode: r.opcode, Type: r.kind, Compressed: r.is.has(compressed),
		Begin: begin, End: r.remain == 0, Left: r.remain, Payload: payload,
	}
	ev.Last = ev.End && r.is.has(fin)
	if r.kind == OpText && !ev.Compressed && !r.is.has(anyText) {
		if !r.text.Write(payload) || ev.Last && !r.text.Complete() {
			r.err = NotUTF8()
			return Event{}, nil
		}
	}
	if ev.End {
		r.is.set(inFrame, false)
	}
	if ev.Last {
		r.kind = 0
		r.is.set(compressed, false)
	}
	return ev, rest
}

// NotUTF8 is the error of a text message that is not UTF-8 (RFC 6455, 8.1), for
// who checks a compressed one.
func NotUTF8() *ProtocolError { return violation(CodeInvalid, "8.1", "the text is not UTF-8") }

// gather takes what b holds of a control frame, and copies only one that comes
// in cuts.
func (r *Reader) gather(b []byte) (Event, []byte) {
	n := int(min(int64(len(b)), r.remain))
	payload, rest := b[:n:n], b[n:]
	r.remain -= int64(n)
	if r.is.has(server) {
		r.key = Mask(payload, r.key)
	}
	if r.held > 0 || r.remain > 0 {
		if r.control == nil {
			r.control = new([MaxControl]byte)
		}
		r.held += uint8(copy(r.control[r.held:], payload))
		payload = r.control[:r.held]
	}
	if r.remain > 0 {
		return Event{}, nil
	}
	r.control = nil
	r.is.set(inFrame, false)
	if r.opcode == OpClose {
		if r.err = checkClose(payload); r.err != nil {
			return Event{}, nil
		}
		r.is.set(deaf, true)
	}
	return Event{Kind: Control, Opcode: r.opcode, Begin: true, End: true, Last: true, Payload: payload}, rest
}
