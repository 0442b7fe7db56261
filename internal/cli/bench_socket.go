package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leat-dev/leat"
)

// sockets are the connections of a load that are WebSockets.
type sockets struct {
	l       *load
	all     []*benchSocket // nil where one could not be opened
	live    []*benchSocket // those that are open when the time begins
	mark    []byte         // of this load's messages
	filler  []byte         // of each message, behind its stamp
	buffers sync.Pool      // of *[]byte, whole messages
	began   time.Duration  // when the first message is due
}

// A message begins with a stamp: the mark, and in hexadecimal the connection's
// number, the message's own there, and when it was due.
const (
	markSize  = 8
	stampSize = markSize + 6 + 8 + 14
	mostSize  = 1 << 30
)

// tick is what the times are multiples of at which messages are due: at high
// rates several are due at once.
const tick = 200 * time.Microsecond

func (ss *sockets) init(l *load) {
	ss.l = l
	ss.all = make([]*benchSocket, l.o.connections)
	if !l.echoing() {
		return
	}
	var random [markSize / 2]byte
	_, _ = rand.Read(random[:]) // it never fails
	ss.mark = []byte(hex.EncodeToString(random[:]))
	ss.filler = filler(int(l.o.size) - stampSize)
	ss.buffers.New = func() any {
		b := append(make([]byte, stampSize, l.o.size), ss.filler...)
		return &b
	}
}

// filler is text in which each place looks different from those around it.
func filler(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-"[x>>26]
	}
	return b
}

// A benchSocket is one WebSocket of a load.
type benchSocket struct {
	l      *load
	c      *counts
	number int
	place  int64 // among those that are open when the time begins

	sending sync.Mutex
	socket  *leat.Socket
	turn    bool // a message goes out without regard to the time
	full    bool // until Writable says so nothing can be sent

	next atomic.Int64 // number of the next message

	// What callbacks use alone.
	echo    echo
	skipped int64         // messages whose echoes have been overtaken
	last    time.Duration // when something was received; 0 for never
}

// An echo is what has come of a message.
type echo struct {
	kind   echoKind
	same   bool // as what was sent, so far
	size   int
	number int64 // -1 when it cannot be read
	due    time.Duration
	expect int64 // the number of the next
}

type echoKind int8

const (
	noEcho      echoKind = iota // it is no message of this load
	foreignEcho                 // it is another connection's
	possibleEcho
)

// dial opens one.
func (ss *sockets) dial(ctx context.Context, n int, c *counts) error {
	o := ss.l.o
	b := &benchSocket{l: ss.l, c: c, number: n}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errPatience)
	defer cancel()
	s, err := leat.Dial(ctx, ss.l.target, &leat.DialOptions{
		SocketOptions: leat.SocketOptions{
			Message:     b.message,
			Writable:    func(*leat.Socket) { b.writable() },
			Close:       b.closed,
			Protocols:   o.protocols.split(),
			Deflate:     leat.Off, // bytes are what they seem
			ValidateUTF: leat.Off, // they are compared
			Inactivity:  leat.Never,
			Request:     leat.Never,
			MaxMessage:  leat.Unlimited,
			MaxPacket:   64 << 10,
		},
		Header: http.Header(o.header),
		TLS:    o.tls(),
	})
	if err != nil {
		return err
	}
	b.socket = s
	ss.all[n] = b
	return nil
}

var errPatience = errors.New("no answer in " + patience.String())

// start has messages sent until it is stopped.
func (ss *sockets) start() (stop func(), err error) {
	for _, b := range ss.all {
		if b != nil {
			b.place = int64(len(ss.live))
			ss.live = append(ss.live, b)
		}
	}
	ss.began = ss.l.now()
	if ss.l.o.rate > 0 {
		return ss.conduct()
	}
	for _, b := range ss.live {
		b.sending.Lock()
		b.turn = true
		b.pump()
		b.sending.Unlock()
	}
	return ss.still, nil
}

// still returns when nobody sends any more. That the phase is over has been said.
func (ss *sockets) still() {
	for _, b := range ss.live {
		b.sending.Lock()
		b.sending.Unlock() //nolint:staticcheck // whoever had it may have sent; the next one sees the phase
	}
}

// conduct has each message sent when it is due.
func (ss *sockets) conduct() (stop func(), err error) {
	m, err := newMetronome()
	if err != nil {
		return nil, err
	}
	var playing sync.WaitGroup
	playing.Go(func() {
		for n := int64(0); ; n++ {
			for early := ss.due(n) - ss.l.now(); early > 0; early = ss.due(n) - ss.l.now() {
				if !m.wait(early) {
					return
				}
			}
			if !ss.l.in(measuring) {
				return
			}
			b := ss.live[n%int64(len(ss.live))]
			b.sending.Lock()
			b.pump()
			b.sending.Unlock()
		}
	})
	return func() {
		m.stop()
		playing.Wait()
		m.close()
		ss.still()
	}, nil
}

// due is when the message is that is the nth of all.
func (ss *sockets) due(n int64) time.Duration {
	after := time.Duration(math.Round(float64(n) / ss.l.o.rate * float64(time.Second)))
	return ss.began + after.Truncate(tick)
}

// pump sends what it is time for. The lock is held.
func (b *benchSocket) pump() {
	for !b.full && b.l.in(measuring) {
		due := b.l.now()
		switch {
		case b.l.o.rate > 0:
			mine := b.l.sockets.due(b.next.Load()*int64(len(b.l.sockets.live)) + b.place)
			if mine > due {
				return
			}
			due = mine
		case !b.turn:
			return
		}
		err := b.send(due)
		if errors.Is(err, leat.ErrSlowReader) {
			b.full = true
		}
		if err != nil {
			return
		}
		b.turn = false
	}
}

// send sends the next message. It is counted first: its echo may come before
// Send has returned.
func (b *benchSocket) send(due time.Duration) error {
	ss := &b.l.sockets
	buffer := ss.buffers.Get().(*[]byte)
	defer ss.buffers.Put(buffer)
	text := *buffer
	copy(text, ss.mark)
	putHex(text[markSize:markSize+6], uint64(b.number))
	putHex(text[markSize+6:markSize+14], uint64(b.next.Load()))
	putHex(text[markSize+14:stampSize], uint64(due))
	b.next.Add(1)
	b.c.sent.Add(1)
	_, err := b.socket.Send(leat.Message{Type: leat.TextMessage, Data: text, Last: true})
	if err != nil {
		b.next.Add(-1)
		b.c.sent.Add(-1)
	}
	return err
}

func (b *benchSocket) writable() {
	b.sending.Lock()
	defer b.sending.Unlock()
	b.full = false
	b.pump()
}

// message takes a message, or a piece of one. The first piece holds the stamp, if
// there is one.
func (b *benchSocket) message(_ *leat.Socket, m leat.Message) {
	if b.l.in(over) {
		return
	}
	e := &b.echo
	if !m.Continuation {
		e.read(b, m)
	} else if e.kind == possibleEcho {
		e.compare(b.l.sockets.filler, m.Data)
	}
	if m.Last {
		b.came()
	}
}

// read reads a message's beginning.
func (e *echo) read(b *benchSocket, m leat.Message) {
	mark := b.l.sockets.mark
	e.kind, e.size = noEcho, 0
	if len(mark) == 0 || len(m.Data) < stampSize || !bytes.HasPrefix(m.Data, mark) {
		return
	}
	connection, ok1 := getHex(m.Data[markSize : markSize+6])
	number, ok2 := getHex(m.Data[markSize+6 : markSize+14])
	due, ok3 := getHex(m.Data[markSize+14 : stampSize])
	e.kind, e.same = possibleEcho, m.Type == leat.TextMessage
	switch e.number, e.due = int64(number), time.Duration(due); {
	case !ok1 || !ok2 || !ok3:
		e.number = -1
	case connection != uint64(b.number):
		e.kind = foreignEcho
		return
	}
	e.compare(b.l.sockets.filler, m.Data[stampSize:])
}

// compare compares what comes next of a message with what was sent.
func (e *echo) compare(filler, data []byte) {
	if e.size+len(data) > len(filler) {
		e.same = false
	}
	e.same = e.same && bytes.Equal(filler[e.size:e.size+len(data)], data)
	e.size += len(data)
}

// came judges a message that has come as a whole.
func (b *benchSocket) came() {
	e := &b.echo
	e.same = e.same && e.size == len(b.l.sockets.filler)
	switch {
	case e.kind == noEcho:
		b.received()
		return
	case e.kind == foreignEcho:
		b.l.wrong.add("an echo of what another connection has sent")
		return
	case e.number < 0 || e.number >= b.next.Load():
		b.l.wrong.add(differs)
		return
	case e.number < e.expect && b.skipped == 0:
		b.l.wrong.add("an echo that came twice")
		return
	case e.number < e.expect:
		b.l.wrong.add("an echo that a later one has overtaken")
		b.skipped--
	default:
		b.skipped += e.number - e.expect
		e.expect = e.number + 1
		if !e.same {
			b.l.wrong.add(differs)
			break
		}
		b.c.times.add(b.l.now() - e.due)
		b.c.right.Add(1)
	}
	b.answered()
}

const differs = "an echo that differs from what was sent"

// answered notes that a message has its echo. Where echoes set the pace the next
// message goes out first, so that always one is waiting.
func (b *benchSocket) answered() {
	if b.l.o.rate == 0 && b.l.in(measuring) {
		b.sending.Lock()
		b.turn = true
		b.pump()
		b.sending.Unlock()
	}
	b.c.echoes.Add(1)
	if b.l.in(draining) && b.l.waiting() == 0 {
		tell(b.l.answered)
	}
}

// received notes something that is no echo.
func (b *benchSocket) received() {
	b.c.received.Add(1)
	if b.l.o.listen {
		now := b.l.now()
		if b.last > 0 {
			b.c.times.add(now - b.last)
		}
		b.last = now
	}
}

// closed notes an end that was not asked for.
func (b *benchSocket) closed(_ *leat.Socket, code int, why string, err error) {
	if !b.l.in(over) {
		text, wrong := closeText(code, why)
		switch {
		case err != nil:
			b.l.breaks.add(reason(endError(err)))
		case wrong != nil:
			b.l.breaks.add(wrong.Error())
		default:
			b.l.ends.add("the server closed with " + text)
		}
	}
	b.l.left()
	tell(b.l.answered) // nothing more comes
}

// close closes all and waits for their ends.
func (ss *sockets) close() {
	for _, b := range ss.all {
		if b != nil {
			_ = b.socket.Close() // what has ended is closed
		}
	}
	for _, b := range ss.all {
		if b != nil {
			<-b.socket.Done()
		}
	}
}

const digits = "0123456789abcdef"

// putHex fills dst with the last digits of v.
func putHex(dst []byte, v uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = digits[v&15]
		v >>= 4
	}
}

// getHex reads what putHex has written.
func getHex(src []byte) (v uint64, ok bool) {
	for _, c := range src {
		switch {
		case '0' <= c && c <= '9':
			v = v<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}
