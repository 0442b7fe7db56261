package load

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"
)

// An Echo is a load of messages that the server must send back.
type Echo struct {
	URL       string
	Conns     int
	Size      int // bytes of a message, at least 16
	Depth     int // messages under way on each connection; 0 is 1
	Fragments int // of a message; 0 is 1
	// Rate is how many messages a second are sent in all, whether echoes come
	// back or not, one connection after the other. 0: each echo is answered by
	// the next message. Depth is then the most that a connection may owe, by
	// default 256; with one more the run fails.
	Rate    float64
	Text    bool
	Deflate bool // permessage-deflate without context, JSON text
	Warm    time.Duration
	Time    time.Duration // of the measurement, behind Warm
	PID     int           // of the server's process
}

// headLen is how much of a message is its own: the connection's number and its
// own, in hex. A fixed pattern follows.
const headLen = 16

// patience is how long the last echoes may take.
const patience = 30 * time.Second

// echoer is the handler of a loop of echoes.
type echoer struct {
	*Echo
	webSocket
	loop  *loop
	body  []byte // a message with a blank head
	one   int    // bytes of a message with its frames' headers
	batch []byte // Depth messages, masked
	heads []int  // where the head of each is in batch

	reply   []byte // a compressed echo that was seen to be right
	latency histogram
	counted bool // the measurement is on
	stopped bool // nothing more is sent
	now     int64
	due     int // messages that one read has brought
	echoes  int // all that have come

	began, sent int64 // since when and how many were sent at the rate
}

// Run puts the load on the server. Every echo is compared byte by byte and must
// come in order; the first that does not is the error.
func (e *Echo) Run() (Result, error) {
	o := *e
	if o.Rate > 0 && o.Depth == 0 {
		o.Depth = 256
	}
	o.Depth, o.Fragments = max(o.Depth, 1), max(o.Fragments, 1)
	if o.Size/o.Fragments < headLen || o.Conns < 1 {
		return Result{}, fmt.Errorf("%d connections, %d bytes in %d fragments: a fragment has %d bytes or more", o.Conns, o.Size, o.Fragments, headLen)
	}
	h, err := newEchoer(&o)
	if err != nil {
		return Result{}, err
	}
	defer h.loop.close()
	if err := h.loop.connect(o.Conns); err != nil {
		return Result{}, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return h.run()
}

func newEchoer(e *Echo) (*echoer, error) {
	t, err := parseTarget(e.URL, "ws")
	if err != nil {
		return nil, err
	}
	h := &echoer{Echo: e, webSocket: webSocket{deflate: e.Deflate}}
	h.compose()
	h.loop, err = newLoop(t, h, h.handshake(&t))
	return h, err
}

// compose writes the messages ahead; only their heads change later.
func (h *echoer) compose() {
	op := opBinary
	if h.Text || h.Deflate {
		op = opText
	}
	var one []byte
	if h.Deflate {
		h.body = JSON(h.Size)
		one = appendFrame(nil, 0x80|0x40|op, compress(h.body))
	} else {
		h.body = make([]byte, h.Size)
		for i := range h.body {
			h.body[i] = 'a' + byte(i%23)
		}
		clear(h.body[:headLen])
		rest, size := h.body, h.Size/h.Fragments
		for range h.Fragments - 1 {
			one = appendFrame(one, op, rest[:size])
			rest, op = rest[size:], opContinuation
		}
		one = appendFrame(one, 0x80|op, rest)
	}
	h.one = len(one)
	for range h.Depth {
		h.heads = append(h.heads, len(h.batch)+headerSize(one))
		h.batch = append(h.batch, one...)
	}
}

// headerSize is that of the frame that b begins with.
func headerSize(b []byte) int {
	switch b[1] & 127 {
	case 126:
		return 8
	case 127:
		return 14
	}
	return 6
}

// JSON makes a text of n bytes that compresses like an answer of an API.
func JSON(n int) []byte {
	b := []byte(`{"items":[`)
	x := uint32(12345)
	for i := 0; len(b) < n-2; i++ {
		x = x*1664525 + 1013904223
		b = fmt.Appendf(b, `{"id":%d,"name":"user-%x","active":%v,"score":%d.%02d,"tag":"t%d"},`,
			1000+i, x, x&1 == 0, x>>20&1023, x>>8&63, x>>5&7)
	}
	return append(b[:n-2], ']', '}')
}

// compress makes the payload of a compressed message (RFC 7692, 7.2.1).
func compress(b []byte) []byte {
	var z bytes.Buffer
	w, _ := flate.NewWriter(&z, flate.DefaultCompression)
	_, _ = w.Write(b) // into memory
	_ = w.Flush()
	return bytes.TrimSuffix(z.Bytes(), []byte{0, 0, 0xff, 0xff})
}

func inflate(b []byte) ([]byte, error) {
	return io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(b), bytes.NewReader([]byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff}))))
}

// putHead writes the head of a connection's message.
func putHead(dst []byte, conn, message uint32) {
	for i, v := headLen-1, uint64(conn)<<32|uint64(message); i >= 0; i-- {
		dst[i] = "0123456789abcdef"[v&15]
		v >>= 4
	}
}

// send sends n messages by one write; their latency counts from when.
func (h *echoer) send(c *conn, n int, when int64) {
	k := binary.LittleEndian.Uint32(key[:])
	mask := uint64(k)<<32 | uint64(k)
	for _, at := range h.heads[:n] {
		if !h.Deflate {
			head := h.batch[at : at+headLen]
			putHead(head, c.id, c.sent)
			binary.LittleEndian.PutUint64(head, binary.LittleEndian.Uint64(head)^mask)
			binary.LittleEndian.PutUint64(head[8:], binary.LittleEndian.Uint64(head[8:])^mask)
		}
		c.when[c.sent%uint32(h.Depth)] = when
		c.sent++
	}
	h.loop.send(c, h.batch[:n*h.one])
}

func (h *echoer) piece(c *conn, p piece) error {
	if c.received == c.sent {
		return errors.New("more echoes than messages")
	}
	check := h.check
	if h.Deflate {
		check = h.checkDeflate
	}
	if err := check(c, p); err != nil || !p.last {
		return err
	}
	if h.now == 0 {
		h.now = now()
	}
	if h.counted {
		h.latency.add(h.now - c.when[c.received%uint32(h.Depth)])
	}
	c.received++
	h.due++
	h.echoes++
	return nil
}

func (h *echoer) check(c *conn, p piece) error {
	end := p.offset + len(p.data)
	if end > h.Size || p.last && end < h.Size {
		return fmt.Errorf("an echo of %d bytes (or more), want %d", end, h.Size)
	}
	b, at := p.data, p.offset
	if at < headLen {
		var head [headLen]byte
		putHead(head[:], c.id, c.received)
		n := min(headLen-at, len(b))
		if !bytes.Equal(b[:n], head[at:at+n]) {
			return fmt.Errorf("wrong echo: its head is %q, want %q", b[:n], head[at:at+n])
		}
		b, at = b[n:], at+n
	}
	if !bytes.Equal(b, h.body[at:end]) {
		return fmt.Errorf("wrong echo behind byte %d", at)
	}
	return nil
}

// checkDeflate inflates an echo once; those that are the same byte by byte are
// right as well.
func (h *echoer) checkDeflate(c *conn, p piece) error {
	c.gathered = append(c.gathered, p.data...)
	if !p.last {
		return nil
	}
	got := c.gathered
	c.gathered = c.gathered[:0]
	if !p.compressed {
		return errors.New("the echo is not compressed")
	}
	if h.reply != nil && bytes.Equal(got, h.reply) {
		return nil
	}
	plain, err := inflate(got)
	if err != nil {
		return fmt.Errorf("inflate: %w", err)
	}
	if !bytes.Equal(plain, h.body) {
		return errors.New("wrong echo once inflated")
	}
	h.reply = bytes.Clone(got)
	return nil
}

// read sends as many messages as have come back.
func (h *echoer) read(c *conn, b []byte) error {
	err := c.parser.feed(b,
		func(p piece) error { return h.piece(c, p) },
		func(b []byte) { h.loop.send(c, appendFrame(nil, 0x80|opPong, b)) })
	n := h.due
	h.due, h.now = 0, 0
	if n > 0 && err == nil && h.Rate == 0 && !h.stopped {
		h.send(c, n, now())
	}
	return err
}

// begin sends what shall be under way.
func (h *echoer) begin() {
	for _, c := range h.loop.conns {
		c.when = make([]int64, h.Depth)
		if h.Rate == 0 {
			h.send(c, h.Depth, now())
		}
	}
	h.began = now()
}

func (h *echoer) run() (Result, error) {
	h.begin()
	h.pollFor(h.Warm)
	h.counted = true
	begin := markNow(h.PID)
	h.pollFor(h.Time)
	for late := now() + int64(patience); h.latency.count == 0 && h.loop.err == nil && now() < late; {
		h.poll()
	}
	end := markNow(h.PID)
	h.counted, h.stopped = false, true
	r := spent(begin, end, h.latency.count)
	if h.PID > 0 {
		r.Memory = float64(memory(h.PID))
	}
	if err := h.drain(); err != nil {
		return r, err
	}
	if r.Messages == 0 {
		return r, errors.New("no echo came in time")
	}
	r.P50 = float64(h.latency.quantile(.5)) / 1e3
	r.P99 = float64(h.latency.quantile(.99)) / 1e3
	return r, nil
}

func (h *echoer) pollFor(d time.Duration) {
	for end := now() + int64(d); h.loop.err == nil && now() < end; {
		h.poll()
	}
}

func (h *echoer) poll() {
	if h.Rate == 0 {
		h.loop.poll(10)
		return
	}
	h.sendDue()
	h.loop.poll(1)
}

// sendDue sends what the rate wants by now, each message to the next connection.
func (h *echoer) sendDue() {
	for due := int64(float64(now()-h.began) * h.Rate / 1e9); h.sent < due; h.sent++ {
		c := h.loop.conns[h.sent%int64(len(h.loop.conns))]
		if int(c.sent-c.received) >= h.Depth {
			h.loop.fail(c, fmt.Errorf("%d echoes are owed: %v messages a second are too many for the server", h.Depth, h.Rate))
			return
		}
		h.send(c, 1, h.began+int64(float64(h.sent)*1e9/h.Rate))
	}
}

// drain waits until every echo is in.
func (h *echoer) drain() error {
	for deadline := now() + int64(patience); h.loop.err == nil; h.loop.poll(10) {
		left := 0
		for _, c := range h.loop.conns {
			left += int(c.sent - c.received)
		}
		if left == 0 {
			break
		}
		if now() > deadline {
			return fmt.Errorf("%d echoes never came", left)
		}
	}
	return h.loop.err
}
