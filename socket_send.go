package leat

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/leat-dev/leat/internal/buffer"
	"github.com/leat-dev/leat/internal/engine"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// Send queues m, or nothing of it, and answers how many of its bytes it took.
// The error is ErrSlowReader, ErrTooLarge, ErrMessageOpen, ErrNoMessage,
// ErrInvalidUTF8 or ErrClosed. The data may be used again when it returns.
func (s *Socket) Send(m Message) (int, error) {
	if err := s.queue(m, false); err != nil {
		return 0, err
	}
	return len(m.Data), nil
}

// SendText sends a text message as Send does.
func (s *Socket) SendText(text string) (int, error) {
	b := getScratch()
	defer b.free()
	b.buf = append(b.buf, text...)
	return s.Send(Message{Type: TextMessage, Data: b.payload(), Last: true})
}

// SendBinary sends a binary message as Send does.
func (s *Socket) SendBinary(data []byte) (int, error) { return s.Send(Binary(data)) }

// SendJSON sends v as JSON in a text message as Send does. The error may be
// what encoding/json says of v.
func (s *Socket) SendJSON(v any) (int, error) {
	b := getScratch()
	defer b.free()
	if err := b.json(v); err != nil {
		return 0, err
	}
	data := b.payload()
	return s.Send(Message{Type: TextMessage, Data: data[:len(data)-1], Last: true}) // without the encoder's newline
}

// Sendf sends a text message, formatted as fmt.Sprintf does, as Send does.
func (s *Socket) Sendf(format string, args ...any) (int, error) {
	b := getScratch()
	defer b.free()
	b.buf = fmt.Appendf(b.buf, format, args...)
	return s.Send(Message{Type: TextMessage, Data: b.payload(), Last: true})
}

// Write sends m and returns when the system has taken all of it. It waits while
// the peer is slow, until timeouts.write ends the socket, or ctx is done: then
// it answers ctx's cause, and how many bytes have been queued and are sent all
// the same, all or none. Other errors are those of Send, but for ErrSlowReader.
func (s *Socket) Write(ctx context.Context, m Message) (int, error) {
	err := s.queue(m, true)
	for errors.Is(err, ErrSlowReader) {
		s.conn.Flush()
		room := s.nextWrite()
		if err = s.queue(m, true); !errors.Is(err, ErrSlowReader) {
			break
		}
		if err := s.wait(ctx, room); err != nil {
			return 0, err
		}
	}
	if err != nil {
		return 0, err
	}
	s.sending.Lock()
	all := s.queued
	s.sending.Unlock()
	s.conn.Flush()
	for s.bytesTaken() < all {
		next := s.nextWrite()
		if s.bytesTaken() >= all {
			break
		}
		if err := s.wait(ctx, next); err != nil && s.bytesTaken() < all {
			return len(m.Data), err
		}
	}
	return len(m.Data), nil
}

// nextWrite answers what is closed when the system has taken more bytes, or the
// socket has ended.
func (s *Socket) nextWrite() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state == socketEnded:
		return closedChannel
	case s.extra().written == nil:
		s.annex.written = make(chan struct{})
	}
	return s.annex.written
}

// wait waits for more to be taken, and answers why that will not come.
func (s *Socket) wait(ctx context.Context, written <-chan struct{}) error {
	var done error
	select {
	case <-ctx.Done():
		done = context.Cause(ctx)
	case <-written:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state != socketEnded:
		return done
	case s.fate().cause != nil:
		return fmt.Errorf("%w: %w", ErrClosed, s.fate().cause)
	}
	return ErrClosed
}

// TrySend queues as much of m as limits.queue has room for, without waiting, and
// answers how many bytes that is. What is left, m.Rest(n), goes on when the
// Writable callback says so: until then the message is open, unless nothing of
// it was taken. The error is as that of Send, but for ErrSlowReader, which only
// an m without data gets.
func (s *Socket) TrySend(m Message) (int, error) {
	s.sending.Lock()
	defer s.sending.Unlock()
	if err := s.admit(m); err != nil {
		return 0, err
	}
	n, fits := s.roomFor(m)
	piece := m
	if !fits {
		if !m.Continuation && !s.valid(m) { // before half of it has gone
			return 0, ErrInvalidUTF8
		}
		piece.Data, piece.Last = m.Data[:n], false
	}
	if n > 0 || fits {
		err := s.put(piece, fits && !m.Last, false)
		if err == nil && fits {
			return n, nil
		}
		if err != nil && !errors.Is(err, ErrSlowReader) {
			return 0, err
		}
		if err != nil { // there is no room for the frame's header
			n = 0
		}
	}
	s.owe()
	if len(m.Data) == 0 {
		return 0, ErrSlowReader
	}
	return n, nil
}

// tryLeast is what TrySend takes when nothing waits, however small the queue
// is: else it would take nothing for ever.
const tryLeast = 1 << 10

// roomFor answers how many bytes of m the queue has room for, and whether that
// is all of them. It counts them as if they did not compress.
func (s *Socket) roomFor(m Message) (n int, all bool) {
	room, frame := int64(s.conn.Room()-3*ws.MaxHeader), int64(s.o.maxFrame) // see framed
	n = int(max(0, room) * frame / (frame + ws.MaxHeader))
	if s.compresses(m) {
		n = max(0, 2*n-deflateMost(n))
	}
	if n < tryLeast && s.nothingWaits() {
		n = tryLeast
	}
	if len(m.Data) <= n {
		return len(m.Data), true
	}
	return n, false
}

// owe has Writable called when nothing waits any more, which may be so already.
func (s *Socket) owe() {
	if s.o.writable == nil {
		return
	}
	s.sign(isOwed, true)
	if s.nothingWaits() {
		s.writable()
	}
}

// nothingWaits says whether the system has taken everything: also the one
// message that may be larger than the queue.
func (s *Socket) nothingWaits() bool {
	return s.conn.Room() >= s.o.queue && s.conn.Fits(s.o.mostSent())
}

// writable calls Writable if it is owed.
func (s *Socket) writable() {
	if s.has(isOwed) && s.signs.And(^isOwed)&isOwed != 0 {
		s.conn.Call(func(engine.Conn) {
			s.call(func() { s.user(func() { s.o.writable(s) }) })
		})
	}
}

// queue gives m to the connection, whole or not at all. Who waits flushes it.
func (s *Socket) queue(m Message, waits bool) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	if err := s.admit(m); err != nil {
		return err
	}
	err := s.put(m, !m.Last, waits)
	if !waits && errors.Is(err, ErrSlowReader) {
		s.o.srv.counters.SlowMessages.Add(1)
		s.owe()
	}
	return err
}

// admit says why m may not be sent now, or at all. It is called, like all below,
// with the senders' lock held.
func (s *Socket) admit(m Message) error {
	switch {
	case s.has(isClosing):
		return ErrClosed
	case m.Continuation && s.open == 0:
		return ErrNoMessage
	case !m.Continuation && s.open != 0:
		return ErrMessageOpen
	case m.err != nil:
		return m.err
	case !m.Continuation && m.Type != TextMessage && m.Type != BinaryMessage && m.Type != JSONMessage:
		return errType
	case len(m.Data) > s.o.maxMessage:
		return fmt.Errorf("%w: %d bytes, limits.maxMessage is %d", ErrTooLarge, len(m.Data), s.o.maxMessage)
	}
	return nil
}

var errType = errors.New("leat: a message is a TextMessage or a BinaryMessage")

// compresses says whether m goes out compressed.
func (s *Socket) compresses(m Message) bool {
	if m.Continuation {
		return s.openZ
	}
	return s.out != 0 && len(m.Data) >= s.o.deflateMin
}

// put gives m, which has been admitted, to the connection: as it is, in one
// frame, or in frames no larger than limits.maxFrame. Who waits flushes it.
func (s *Socket) put(m Message, asItIs, waits bool) error {
	kind, text := s.open, s.text
	if !m.Continuation {
		kind, text = m.Type.opcode(), ws.UTF8{}
	}
	if kind == ws.OpText && !s.o.anyText && !goesOn(&text, m) {
		return ErrInvalidUTF8
	}
	size, z, err := s.hand(m, asItIs, waits)
	switch {
	case err == nil:
	case errors.Is(err, engine.ErrFull):
		return ErrSlowReader
	case errors.Is(err, engine.ErrTooLarge):
		return fmt.Errorf("%w: %d bytes, limits.queue is %d", ErrTooLarge, size, s.o.queue)
	default:
		return err
	}
	s.queued += int64(size)
	if s.open, s.openZ, s.text = kind, z, text; m.Last {
		s.open = 0
		s.counts.out.Add(1)
		s.o.srv.counters.MessagesOut.Add(1)
	}
	return nil
}

// hand gives m's frames to the connection: how many bytes they are, and whether
// they are compressed.
func (s *Socket) hand(m Message, asItIs, waits bool) (size int, compressed bool, err error) {
	if !s.o.client && !waits && !s.compresses(m) {
		size, err = s.handPlain(m, asItIs)
		return size, false, err
	}
	b, compressed, err := s.encode(m, asItIs)
	if err != nil {
		return 0, compressed, err
	}
	size = len(b.B)
	if err = s.conn.Give(b, waits); err != nil {
		b.Free()
	}
	return size, compressed, err
}

// handPlain is hand for frames that hold the payload as it is.
func (s *Socket) handPlain(m Message, asItIs bool) (size int, err error) {
	h, n := headerOf(m, false), len(m.Data)
	if n < worthParts && (asItIs || n <= s.o.maxFrame) {
		var head engine.Head
		h.Fin, h.Length = m.Last, int64(n)
		head.N = uint8(len(ws.AppendHeader(head.B[:0], h)))
		return int(head.N) + n, s.conn.SendBehind(head, m.Data)
	}
	p := takeParts()
	defer p.free()
	most := s.o.maxFrame
	if asItIs {
		most = n
	}
	p.cut(h, m, most)
	return p.size, s.conn.SendParts(p.all)
}

// valid says whether m may begin a message, as far as its text goes.
func (s *Socket) valid(m Message) bool {
	return m.Type.opcode() != ws.OpText || s.o.anyText || goesOn(new(ws.UTF8), m)
}

// goesOn says whether the text may go on with m.
func goesOn(text *ws.UTF8, m Message) bool {
	if m.Last && !m.Continuation {
		return utf8.Valid(m.Data)
	}
	return text.Write(m.Data) && (!m.Last || text.Complete())
}

// worthAsking is the size from which making frames costs more than asking first
// whether there is room for them.
const worthAsking = 4 << 10

// encode makes m's frames and says whether they are compressed.
func (s *Socket) encode(m Message, asItIs bool) (b *buffer.Buffer, compressed bool, err error) {
	payload := m.Data
	if compressed = s.compresses(m); compressed {
		if s.out.keeps() && !s.takesUpTo(s.o.framed(deflateMost(len(payload)))) {
			return nil, false, ErrSlowReader // before the context changes
		}
		z := buffer.Get(deflateMost(len(payload)))
		defer z.Free()
		z.B = s.deflate(z.B, payload, m.Last)
		whole := m.Last && !m.Continuation
		if whole && !s.out.keeps() && len(z.B) >= len(payload) {
			compressed = false
		} else {
			payload = z.B
		}
	}
	if len(payload) >= worthAsking && !s.conn.Fits(len(payload)) && s.conn.Room() > 0 { // and so it has not ended
		return nil, false, ErrSlowReader
	}
	most := s.o.maxFrame
	if asItIs {
		most = len(payload)
	}
	b = buffer.Get(s.o.framed(len(payload)))
	for h, piece := range framesOf(headerOf(m, compressed), payload, m.Last, most) {
		b.B = ws.AppendFrame(b.B, s.masked(h), piece)
	}
	return b, compressed, nil
}

// takesUpTo says whether n bytes would be taken, and any number below: what is
// larger than the queue may be where something smaller has no room.
func (s *Socket) takesUpTo(n int) bool {
	return s.conn.Fits(n) && s.conn.Fits(min(n, s.o.queue))
}

// framed is the most that n bytes come to with their frames' headers.
func (o *terms) framed(n int) int {
	return int(min(int64(n)+(int64(n)/int64(o.maxFrame)+2)*ws.MaxHeader, math.MaxInt32))
}

// mostSent is the most that one message comes to.
func (o *terms) mostSent() int { return o.framed(deflateMost(o.maxMessage)) }

// bytesTaken is how much of queued the system has taken.
func (s *Socket) bytesTaken() int64 { return s.bytesOut.Load() }

// Wrote notes that the system has taken bytes.
func (l *line) Wrote(_ engine.Conn, n, left int) {
	s := (*Socket)(l)
	s.bytesOut.Add(int64(n))
	s.active.Store(ticks(time.Now()))
	var written chan struct{}
	var unsent []byte
	s.mu.Lock()
	if a := s.annex; a != nil {
		written, a.written = a.written, nil
		if a.end != nil {
			unsent = a.end.unsent
		}
		if written != nil {
			s.tidy()
		}
	}
	s.mu.Unlock()
	if written != nil {
		close(written)
	}
	if unsent != nil {
		s.sendClose(unsent)
	}
	if left > 0 {
		return
	}
	if f := s.fed.Load(); f != nil {
		if sub := f.sub.Load(); sub != nil {
			sub.Ready()
		}
	}
	s.writable()
}
