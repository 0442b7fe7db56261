package protocol_test

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A fault is one thing that an echo server does wrong, in what it sends. The
// case with the id must see it.
type fault struct {
	name, id string
	how      setup
	// bytes changes the frame that goes out for an event; nil: nothing does.
	bytes func(l *link, e event, b []byte) []byte
	// end is what it does at the end instead of ending TCP.
	end func(l *link)
}

// each makes a fault of those events that have an opcode.
func each(op byte, change func(b []byte) []byte) func(*link, event, []byte) []byte {
	return func(_ *link, e event, b []byte) []byte {
		if e.op == op {
			return change(b)
		}
		return b
	}
}

var packed = setup{offer: "permessage-deflate; server_no_context_takeover"}

var faults = []fault{
	{name: "it masks", id: "1.1.2", bytes: func(l *link, e event, _ []byte) []byte {
		return frame{b0: fin | e.op, payload: e.data, flip: true}.append(l, nil)
	}},
	{name: "it changes a byte", id: "1.1.2", bytes: each(opText, func(b []byte) []byte { b[len(b)-1] ^= 1; return b })},
	{name: "it swallows a byte", id: "1.2.3", bytes: each(opBinary, func(b []byte) []byte { return append(b[:3:3], b[4:]...) })},
	{name: "it says text for binary", id: "1.2.2", bytes: each(opBinary, func(b []byte) []byte { b[0] ^= 3; return b })},
	{name: "its lengths are not the shortest", id: "1.1.1", bytes: each(opText, func(b []byte) []byte {
		return append([]byte{b[0], 126, 0, b[1]}, b[2:]...)
	})},
	{name: "it swallows messages", id: "1.1.2", bytes: each(opText, func([]byte) []byte { return nil })},
	{name: "it says everything twice", id: "1.1.2", bytes: each(opText, func(b []byte) []byte { return append(b, b...) })},
	{name: "it answers no ping", id: "2.2", bytes: each(opPing, func([]byte) []byte { return nil })},
	{name: "it answers with an empty pong", id: "2.2", bytes: each(opPing, func([]byte) []byte { return []byte{fin | opPong, 0} })},
	{name: "it answers a pong", id: "2.8", bytes: each(opPong, func([]byte) []byte { return []byte{fin | opPong, 0} })},
	{name: "its pong is too long", id: "2.4", bytes: each(opPing, func(b []byte) []byte {
		return append([]byte{fin | opPong, 126, 0, 126, 0}, b[2:]...)
	})},
	{name: "it sets RSV1", id: "1.1.2", bytes: each(opText, func(b []byte) []byte { b[0] |= rsv1; return b })},
	{name: "it sets RSV2", id: "1.1.2", bytes: each(opText, func(b []byte) []byte { b[0] |= rsv2; return b })},
	{name: "it sets RSV3 on a pong", id: "2.2", bytes: each(opPing, func(b []byte) []byte { b[0] |= rsv3; return b })},
	{name: "it sends a continuation of nothing", id: "1.1.2", bytes: each(opText, func(b []byte) []byte { b[0] &^= 15; return b })},
	{name: "it leaves messages open", id: "9.7.2", bytes: each(opText, func(b []byte) []byte { b[0] &^= fin; return b })},
	{name: "its pong is fragmented", id: "2.2", bytes: each(opPing, func(b []byte) []byte { b[0] &^= fin; return b })},
	{name: "it sends opcode 11", id: "2.2", bytes: each(opPing, func(b []byte) []byte { b[0]++; return b })},
	{name: "it sends opcode 5", id: "1.1.2", bytes: each(opText, func(b []byte) []byte { b[0] |= 5; return b })},
	{name: "it lets through what is not UTF-8", id: "6.5.2", bytes: each(opText, func(b []byte) []byte { b[len(b)-6] = 0xff; return b })},
	{name: "it answers a close by another code", id: "7.7.2", bytes: each(opClose, func(b []byte) []byte { b[3]++; return b })},
	{name: "it answers a close by 1005", id: "7.3.1", bytes: each(opClose, func([]byte) []byte { return []byte{fin | opClose, 2, 3, 237} })},
	{name: "it answers a close by one of one byte", id: "7.3.1", bytes: each(opClose, func([]byte) []byte { return []byte{fin | opClose, 1, 3} })},
	{name: "its reason is not UTF-8", id: "7.3.3", bytes: each(opClose, func(b []byte) []byte { return []byte{b[0], 3, b[2], b[3], 0xff} })},
	{name: "it answers no close", id: "7.3.3", bytes: each(opClose, func([]byte) []byte { return nil })},
	{name: "it goes on after its close", id: "7.3.3", bytes: each(opClose, func(b []byte) []byte { return append(b, fin|opPing, 0) })},
	{name: "it cuts its last frame", id: "7.3.3", bytes: each(opClose, func(b []byte) []byte { return append(b, fin) })},
	{name: "it does not end TCP", id: "7.3.3", end: func(l *link) { _, _ = l.in.ReadByte() }},
	{name: "it resets TCP", id: "7.3.3", end: func(l *link) { _ = l.conn.SetLinger(0) }},
	{name: "it takes what is not UTF-8", id: "6.3.1"},
	{name: "it knows no limit", id: "limit.2", how: setup{maxMessage: 1000}},
	{name: "it sends frames that are too large", id: "sending.2", how: setup{maxFrame: 1000}},
	{name: "it does not compress", id: "deflate.1 alone", how: packed},
	{name: "what it compresses is corrupt", id: "deflate.1 alone", how: packed, bytes: func(l *link, e event, b []byte) []byte {
		if e.op == opText {
			return frame{b0: fin | rsv1 | opText, payload: "\x06"}.append(l, nil)
		}
		return b
	}},
	{name: "it keeps its context against the agreement", id: "deflate.2 alone", how: packed, bytes: func(l *link, e event, b []byte) []byte {
		if e.op == opText {
			l.zip.keep = true
			return zipped{op: opText, payload: e.data}.append(l, nil)
		}
		return b
	}},
}

// A driver that finds nothing proves nothing: each fault must be found by a case
// that holds where there is none.
func TestFaultsAreFound(t *testing.T) {
	cases := map[string]testCase{}
	for _, c := range allCases() {
		cases[c.id] = c
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			c, ok := cases[f.id]
			if !ok {
				t.Fatalf("there is no case %s", f.id)
			}
			if err := perform(t, faulty(t, f), c, time.Second/4); err == nil {
				t.Errorf("%s does not see it", c)
			} else if strings.Contains(err.Error(), "the answer is") {
				t.Error(err)
			}
		})
	}
	for _, id := range []string{"1.1.1", "1.1.2", "1.2.2", "1.2.3", "2.2", "2.4", "2.8", "6.5.2", "7.7.2", "7.3.1", "7.3.3", "9.7.2", "deflate.1 alone", "deflate.2 alone"} {
		t.Run("without a fault "+id, func(t *testing.T) {
			t.Parallel()
			if err := perform(t, faulty(t, fault{how: cases[id].how}), cases[id], patience); err != nil {
				t.Error(err)
			}
		})
	}
}

// faulty is an echo server with a fault. It is not right beyond that: it only
// looks so to a client that is.
func faulty(t *testing.T, f fault) *subject {
	return &subject{name: f.name, addr: listen(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Upgrade", "websocket")
		h.Set("Connection", "Upgrade")
		h.Set("Sec-Websocket-Accept", acceptKey(r.Header.Get("Sec-Websocket-Key")))
		offer := r.Header.Get("Sec-Websocket-Extensions")
		if offer != "" {
			h.Set("Sec-Websocket-Extensions", offer)
		}
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err == nil {
			echoFaulty(conn, rw.Reader, offer, f)
		}
	})}
}

func echoFaulty(conn net.Conn, in *bufio.Reader, offer string, f fault) {
	l := newLink(conn, in, false)
	defer l.close()
	l.anyText = true
	if l.agree(offer, offer != "") != nil {
		return
	}
	for {
		e, err := l.next()
		if err != nil || e.op == 0 {
			return
		}
		var b []byte
		switch e.op {
		case opPing:
			b = pong(e.data).append(l, nil)
		case opPong:
		case opClose:
			b = frame{b0: fin | opClose}.append(l, nil)
			if e.code > 0 {
				b = closing(e.code, "").append(l, nil)
			}
		default:
			b = frame{b0: fin | e.op, payload: e.data}.append(l, nil)
			if f.bytes == nil && e.zipped && f.name == "" {
				b = zipped{op: e.op, payload: e.data}.append(l, nil)
			}
		}
		if f.bytes != nil {
			b = f.bytes(l, e, b)
		}
		if len(b) > 0 {
			l.out <- chunk{b: b}
		}
		if e.op == opClose {
			if f.end != nil {
				f.end(l)
			} else {
				l.out <- chunk{end: true}
				_, _ = l.next()
			}
			return
		}
	}
}
