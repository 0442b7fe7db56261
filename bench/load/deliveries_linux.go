package load

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// A Deliveries is a load of readers of one topic. Each must get every message
// that is published, whole, once and in order.
type Deliveries struct {
	URL     string
	Kind    string // WebSocket, SSE or NDJSON
	Conns   int
	Publish string   // the URL that messages are posted to
	Headers []string // lines of the posts; none: Content-Type: application/json
	Body    string   // what is posted, in which MESSAGE stands for the message; "": it alone
	Within  bool     // what comes has more than the message: it is a record
	Size    int      // bytes of a message, at least 32
	Count   int      // messages of a pass
	Depths  []int    // a pass for each: so many messages are under way at once
	// Rate is how many messages a second are published, whether the ones before
	// have come or not. It is one pass, of Time, and there are no Depths.
	Rate float64
	Time time.Duration
	PID  int // of the server's process
}

// A DeliveryResult is what a pass has cost. Its messages are deliveries: of one
// message to one reader. P50 and P99 are from publishing, or with a Rate from when
// it was due, to a reader's last byte.
type DeliveryResult struct {
	Result
	Depth int     `json:"depth,omitempty"`
	Last  float64 `json:"last"` // µs from publishing to the last reader, median
	// Segments are how many came for a delivery, as the kernel counts them: the
	// server's writes, but that it joins those that a reader is not ready for.
	Segments float64 `json:"segments"`
	Reader   float64 `json:"reader"` // what the process holds more than before the readers came, for each, in bytes
}

// A deliverer is the handler of a loop of readers of one topic.
type deliverer struct {
	*Deliveries
	webSocket
	loop   *loop
	lines  lines
	poster *poster
	expect [][]byte // the messages; the first is number 1
	when   []int64  // they were published
	got    []int    // how many readers have them

	each, last histogram
	from       uint32 // the first message of the pass
	all        int64  // deliveries ever
	now        int64
	base       float64 // what the process held without readers
}

// smallest is what a message has at least.
const smallest = 32

// messageMark is what each message begins with; its number follows.
var messageMark = []byte(`{"n":"`)

const numberLen = 8 // in hex

// deliveredMessage makes the n-th message.
func deliveredMessage(n uint32, size int) []byte {
	b := fmt.Appendf(nil, `%s%0*x","note":"`, messageMark, numberLen, n)
	return append(append(b, bytes.Repeat([]byte("x"), size-len(b)-2)...), '"', '}')
}

// Run puts the load on the server: as many passes as there are depths.
func (d *Deliveries) Run() ([]DeliveryResult, error) {
	if d.Conns < 1 || d.Size < smallest || (d.Rate > 0) == (len(d.Depths) > 0) || len(d.Depths) > 0 && d.Count < 1 {
		return nil, errors.New("want readers, messages of 32 bytes or more, and depths with a count, or a rate")
	}
	h, err := newDeliverer(d)
	if err != nil {
		return nil, err
	}
	defer h.loop.close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	h.base = h.memory()
	if err := h.loop.connect(d.Conns); err != nil {
		return nil, err
	}
	if h.poster, err = newPoster(d); err != nil {
		return nil, err
	}
	defer h.poster.close()
	if err := h.settle(); err != nil {
		return nil, err
	}
	var results []DeliveryResult
	for _, depth := range d.Depths {
		r, err := h.pass(depth)
		if err != nil {
			return results, err
		}
		results = append(results, r)
	}
	if d.Rate > 0 {
		r, err := h.pass(0)
		return []DeliveryResult{r}, err
	}
	return results, nil
}

func newDeliverer(d *Deliveries) (*deliverer, error) {
	h := &deliverer{Deliveries: d, expect: make([][]byte, 1), when: make([]int64, 1), got: make([]int, 1)}
	h.lines = lines{d.Kind, h.take}
	scheme := "http"
	if d.Kind == WebSocket {
		scheme = "ws"
	}
	t, err := parseTarget(d.URL, scheme)
	if err != nil {
		return nil, err
	}
	request := ""
	switch mime, ok := streamTypes[d.Kind]; {
	case d.Kind == WebSocket:
		request = h.handshake(&t)
	case ok:
		request = getRequest(&t, "Accept: "+mime)
	default:
		return nil, fmt.Errorf("kind %q: want %s, %s or %s", d.Kind, WebSocket, SSE, NDJSON)
	}
	h.loop, err = newLoop(t, h, request)
	return h, err
}

func (h *deliverer) opened(c *conn, head []byte) error {
	if h.Kind == WebSocket {
		return h.webSocket.opened(c, head)
	}
	c.unchunked = field(head, "transfer-encoding") == "" // it ends with the connection
	return wantOK(head, map[string]string{"content-type": streamTypes[h.Kind]})
}

func (h *deliverer) read(c *conn, b []byte) error {
	h.now = now()
	switch {
	case c.unchunked:
		return h.lines.feed(c, b)
	case h.Kind != WebSocket:
		return c.chunks.feed(b, func(b []byte) error { return h.lines.feed(c, b) })
	}
	return c.parser.feed(b,
		func(p piece) error { return h.piece(c, p) },
		func(b []byte) { h.loop.send(c, appendFrame(nil, 0x80|opPong, b)) })
}

// piece takes a part of a message of a WebSocket.
func (h *deliverer) piece(c *conn, p piece) error {
	if p.last && p.offset == 0 {
		return h.take(c, p.data)
	}
	c.gathered = append(c.gathered, p.data...)
	if !p.last {
		return nil
	}
	b := c.gathered
	c.gathered = c.gathered[:0]
	return h.take(c, b)
}

// take takes what has come as a whole: a message, or a record that has one. A
// reader begins with any message, as the server has it, and what comes before it
// is a greeting.
func (h *deliverer) take(c *conn, got []byte) error {
	n := c.received + 1
	if c.received == 0 {
		first, ok := numberIn(got)
		if !ok {
			return nil
		}
		n = first
	}
	if h.Within && !bytes.Contains(got, messageMark) {
		return nil
	}
	if int(n) >= len(h.expect) || n == 0 {
		return fmt.Errorf("%.200q comes, which nobody has published", got)
	}
	want := h.expect[n]
	right := bytes.Equal(got, want) || h.Within && bytes.Contains(got, want)
	if !right {
		return fmt.Errorf("message %d is %.200q, want %q", n, got, want)
	}
	c.received = n
	h.got[n]++
	h.all++
	if n < h.from {
		return nil
	}
	h.each.add(h.now - h.when[n])
	if h.got[n] == h.Conns {
		h.last.add(h.now - h.when[n])
	}
	return nil
}

// numberIn is the number of the message in b.
func numberIn(b []byte) (n uint32, ok bool) {
	at := bytes.Index(b, messageMark)
	if at < 0 || len(b) < at+len(messageMark)+numberLen {
		return 0, false
	}
	b = b[at+len(messageMark):]
	v, err := strconv.ParseUint(string(b[:numberLen]), 16, 32)
	return uint32(v), err == nil
}

// publish posts the next message, which is late as from when.
func (h *deliverer) publish(when int64) error {
	m := deliveredMessage(uint32(len(h.expect)), h.Size)
	h.expect, h.when, h.got = append(h.expect, m), append(h.when, when), append(h.got, 0)
	return h.poster.post(m)
}

// newest is the number of the message that was published last.
func (h *deliverer) newest() uint32 { return uint32(len(h.expect) - 1) }

func (h *deliverer) poll(ms int) error {
	if err := h.poster.poll(); err != nil {
		return err
	}
	h.loop.poll(ms)
	return h.loop.err
}

// await polls until every reader has message n, at most for so long, and says
// whether they have.
func (h *deliverer) await(n uint32, limit time.Duration) (bool, error) {
	for end := now() + int64(limit); h.got[n] < h.Conns; {
		if now() > end {
			return false, nil
		}
		if err := h.poll(5); err != nil {
			return false, err
		}
	}
	return true, nil
}

// reaches awaits message n for as long as something comes at least so often, and
// says whether every reader has it.
func (h *deliverer) reaches(n uint32, often time.Duration) (bool, error) {
	for {
		before := h.all
		ok, err := h.await(n, often)
		if ok || err != nil || h.all == before {
			return ok, err
		}
	}
}

// whole awaits message n.
func (h *deliverer) whole(n uint32) error {
	ok, err := h.reaches(n, patience)
	if err == nil && !ok {
		err = fmt.Errorf("message %d has reached %d of %d readers", n, h.got[n], h.Conns)
	}
	return err
}

// settle publishes until everybody has begun: some servers answer a reader before
// they know it.
func (h *deliverer) settle() error {
	const tries, more = 20, 4
	for range tries {
		if err := h.publish(now()); err != nil {
			return err
		}
		ok, err := h.reaches(h.newest(), time.Second)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		for range more {
			if err := h.publish(now()); err != nil {
				return err
			}
			if err := h.whole(h.newest()); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("none of the first %d messages has reached every reader, the last one %d of %d", tries, h.got[h.newest()], h.Conns)
}

// pass measures: with so many messages under way, or at the rate.
func (h *deliverer) pass(depth int) (r DeliveryResult, err error) {
	h.from = h.newest() + 1
	h.each, h.last = histogram{}, histogram{}
	segments, all := h.loop.segments(), h.all
	begin := markNow(h.PID)
	if depth > 0 {
		err = h.window(depth)
	} else {
		err = h.byClock()
	}
	if err == nil {
		err = h.whole(h.newest())
	}
	if err != nil {
		return r, err
	}
	r.Result, r.Depth = spent(begin, markNow(h.PID), h.all-all), depth
	r.Segments = float64(h.loop.segments()-segments) / float64(h.all-all)
	r.P50, r.P99 = float64(h.each.quantile(.5))/1e3, float64(h.each.quantile(.99))/1e3
	r.Last = float64(h.last.quantile(.5)) / 1e3
	r.Memory = h.memory()
	r.Reader = (r.Memory - h.base) / float64(h.Conns)
	return r, nil
}

// window has so many messages under way: the oldest reaches everybody before there
// is another.
func (h *deliverer) window(depth int) error {
	for oldest, left := h.from, h.Count; left > 0; left-- {
		if err := h.publish(now()); err != nil {
			return err
		}
		for ; int(h.newest())-int(oldest)+1 >= depth; oldest++ {
			if err := h.whole(oldest); err != nil {
				return err
			}
		}
	}
	return nil
}

// byClock publishes what the rate wants by now.
func (h *deliverer) byClock() error {
	began, sent := now(), 0
	for total := int(h.Time.Seconds() * h.Rate); sent < max(total, 1); {
		for due := int(float64(now()-began) * h.Rate / 1e9); sent < min(due, total); sent++ {
			if err := h.publish(began + int64(float64(sent)*1e9/h.Rate)); err != nil {
				return err
			}
		}
		if err := h.poll(1); err != nil {
			return err
		}
	}
	return nil
}

func (h *deliverer) memory() float64 {
	if h.PID == 0 {
		return 0
	}
	return float64(memory(h.PID))
}

func (h *deliverer) ended(*conn) error { return errEnded }

// body is what is posted for a message.
func (d *Deliveries) body(message []byte) []byte {
	before, after, ok := strings.Cut(d.Body, "MESSAGE")
	if !ok {
		return message
	}
	return append(append([]byte(before), message...), after...)
}
