package codec_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/deflate"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// A writer makes the bytes that we send: right ones by the codec, wrong ones by
// hand.
type writer struct {
	*rand.Rand
	masked bool
	c      *deflate.Compressor
	b      []byte
}

func newWriter(r *rand.Rand, s *side) *writer {
	w := &writer{Rand: r, masked: !s.server}
	if s.deflate != nil {
		context, bits := s.deflate.Sends(s.server)
		c := deflate.NewCompressor(context, bits)
		w.c = &c
	}
	return w
}

func (w *writer) key() (k ws.Key) {
	for i := range k {
		k[i] = byte(w.Uint32())
	}
	return k
}

// frame writes a frame with this first byte.
func (w *writer) frame(b0 byte, payload string) {
	at := len(w.b)
	w.b = ws.AppendFrame(w.b, ws.Header{
		Fin: b0&0x80 != 0, RSV1: b0&0x40 != 0, Opcode: ws.Opcode(b0 & 15), Masked: w.masked, Key: w.key(),
	}, []byte(payload))
	w.b[at] |= b0 & 0x30
}

// head writes a header whose length is written out, and nothing behind it but a
// payload that is masked by a key of zeros.
func (w *writer) head(b0, b1 byte, length, payload string) {
	if w.masked {
		w.b = append(append(w.b, b0, b1|0x80), length+"\x00\x00\x00\x00"+payload...)
	} else {
		w.b = append(append(w.b, b0, b1), length+payload...)
	}
}

// payload is a random one.
func (w *writer) payload(text bool) string {
	n := []int{0, 1, 125, 126, 200, 1000, 65535, 65536, w.IntN(300), w.IntN(20_000)}[w.IntN(10)]
	var s strings.Builder
	for s.Len() < n {
		switch {
		case !text:
			s.WriteByte(byte(w.Uint32()))
		case w.IntN(3) > 0:
			s.WriteString("plain words ")
		default:
			s.WriteRune([]rune("aé€𝄞\x00\uffff\U0010ffff")[w.IntN(7)])
		}
	}
	if !text {
		return s.String()[:n]
	}
	return s.String()
}

// message writes a message in random fragments with control frames between.
func (w *writer) message() {
	text := w.IntN(2) > 0
	payload := w.payload(text)
	b0, zipped := byte(ws.OpBinary), w.c != nil && w.IntN(3) > 0
	if text {
		b0 = byte(ws.OpText)
	}
	if zipped {
		b0 |= 0x40
		payload = string(w.c.Append(nil, []byte(payload), true))
	}
	for w.IntN(3) == 0 {
		n := w.IntN(len(payload) + 1)
		w.frame(b0, payload[:n])
		b0, payload = 0, payload[n:]
		w.controls()
	}
	w.frame(b0|0x80, payload)
}

func (w *writer) controls() {
	for w.IntN(3) == 0 {
		w.frame([]byte{0x89, 0x8a}[w.IntN(2)], strings.Repeat("p", w.IntN(126)))
	}
}

// An ending is how a conversation ends. Where a peer is known not to hold the
// rule, lax has its name and what it does instead; then only what came before
// is compared.
type ending struct {
	name  string
	write func(w *writer)
	lax   map[string]string
	// zipped: only with compression; plain: only without.
	zipped, plain bool
}

// lax makes the map of an ending from "peer: what it does".
func lax(notes ...string) map[string]string {
	m := map[string]string{}
	for _, n := range notes {
		name, does, _ := strings.Cut(n, ": ")
		m[name] = does
	}
	return m
}

func frameOf(b0 byte, payload string) func(*writer) {
	return func(w *writer) { w.frame(b0, payload) }
}

func closeOf(code int, reason string) func(*writer) {
	return frameOf(0x88, string([]byte{byte(code >> 8), byte(code)})+reason)
}

var endings = []ending{
	{name: "5.5.1 an empty close", write: frameOf(0x88, "")},
	{name: "7.4 close 1000", write: closeOf(1000, "bye")},
	{name: "7.4 close 1001", write: closeOf(1001, "")},
	{name: "7.4 close 1011", write: closeOf(1011, strings.Repeat("r", 123))},
	{name: "7.4 close 1014", write: closeOf(1014, ""), lax: lax("gorilla: refuses it")},
	{name: "7.4 close 3000", write: closeOf(3000, "")},
	{name: "7.4 close 4999", write: closeOf(4999, "€")},
	{name: "7.4 close 999", write: closeOf(999, "")},
	{name: "7.4 close 1004", write: closeOf(1004, "")},
	{name: "7.4 close 1005", write: closeOf(1005, "")},
	{name: "7.4 close 1006", write: closeOf(1006, "")},
	{name: "7.4 close 1015", write: closeOf(1015, "")},
	{name: "7.4 close 2999", write: closeOf(2999, "")},
	{name: "7.4 close 5000", write: closeOf(5000, "")},
	{name: "5.5.1 a close of one byte", write: frameOf(0x88, "\x03"), lax: lax("gorilla: takes it as one without a code")},
	{name: "5.5.1 a reason that is not UTF-8", write: closeOf(1000, "\xff"), lax: lax("gorilla: says 1002", "coder: echoes it")},
	{name: "5.2 RSV1", write: frameOf(0xc2, "a"), plain: true},
	{name: "5.2 RSV2", write: frameOf(0xa2, "a")},
	{name: "5.2 RSV3", write: frameOf(0x92, "a")},
	{name: "5.2 RSV2 on a ping", write: frameOf(0xa9, "a")},
	{name: "5.2 opcode 3", write: frameOf(0x83, "a")},
	{name: "5.2 opcode 7", write: frameOf(0x87, "")},
	{name: "5.2 opcode 11", write: frameOf(0x8b, "a")},
	{name: "5.2 opcode 15", write: frameOf(0x8f, "")},
	{name: "5.5 a fragmented ping", write: frameOf(0x09, "a")},
	{name: "5.5 a ping of 126 bytes", write: frameOf(0x89, strings.Repeat("p", 126))},
	{name: "5.4 a stray continuation", write: frameOf(0x80, "a")},
	{name: "5.4 text in a message", write: func(w *writer) {
		w.frame(0x01, "a")
		w.controls()
		w.frame(0x81, "b")
	}},
	{name: "5.1 the wrong side masks", write: func(w *writer) {
		w.masked = !w.masked
		w.frame(0x82, "a")
	}, lax: lax("coder: its server drops TCP, its client takes it")},
	{name: "5.2 a length of 5 in two bytes", write: func(w *writer) { w.head(0x82, 126, "\x00\x05", "12345") }, lax: lax("gorilla: takes it", "coder: takes it")},
	{name: "5.2 a length of 5 in eight bytes", write: func(w *writer) { w.head(0x82, 127, "\x00\x00\x00\x00\x00\x00\x00\x05", "12345") }, lax: lax("gorilla: takes it", "coder: takes it")},
	{name: "5.2 a length of 2^63", write: func(w *writer) { w.head(0x82, 127, "\x80\x00\x00\x00\x00\x00\x00\x00", "12345") }, lax: lax("gorilla: drops TCP", "coder: drops TCP")},
	{name: "7.4.1 a frame that announces too much", write: func(w *writer) { w.head(0x82, 127, "\x00\x00\x00\x00\x40\x00\x00\x00", "12345") }, lax: lax("coder: waits for the bytes")},
	{name: "7.4.1 fragments that are too much", write: func(w *writer) {
		w.frame(0x02, strings.Repeat("a", limit/2))
		w.frame(0x80, strings.Repeat("a", limit/2+1))
	}},
	{name: "8.1 text that is not UTF-8", write: frameOf(0x81, "a\xff"), lax: lax("gorilla: leaves it to the application", "coder: leaves it to the application")},
	{name: "8.1 text that is cut", write: frameOf(0x81, "a\xe2\x82"), lax: lax("gorilla: leaves it to the application", "coder: leaves it to the application")},
	{name: "7692 6.1 RSV1 on a ping", write: frameOf(0xc9, "a"), zipped: true, lax: lax("gorilla: takes it")},
	{name: "7692 6.1 RSV1 on a continuation", write: func(w *writer) {
		w.frame(0x02, "a")
		w.frame(0xc0, "b")
	}, zipped: true, lax: lax("gorilla: takes it")},
	{name: "7692 7.2.2 corrupt data", write: frameOf(0xc2, "\x06\x07"), zipped: true, lax: lax("gorilla: drops TCP", "coder: drops TCP")},
	{name: "7692 a bomb", write: func(w *writer) {
		w.frame(0xc2, string(deflate.Append(nil, make([]byte, 16*limit), true, 9)))
	}, zipped: true, lax: lax("gorilla: has no limit for what is inflated")},
}

// A conversation is random right messages and one ending. Our codec and the
// peer's must find the same messages in it and close with the same code, and
// what the peer says must be right by our codec.
func TestPeersAgreeWithUs(t *testing.T) {
	for _, p := range peers {
		for _, server := range []bool{false, true} {
			for c, name := range []string{"plain", "each message alone", "context takeover"} {
				if p.name == "gorilla" && compression(c) == takeover {
					continue // it has none
				}
				role := "server"
				if server {
					role = "client"
				}
				t.Run(fmt.Sprintf("%s %s, %s", p.name, role, name), func(t *testing.T) {
					t.Parallel()
					for i, e := range endings {
						if e.zipped && compression(c) == plain || e.plain && compression(c) != plain {
							continue
						}
						r := rand.New(rand.NewPCG(uint64(i), uint64(c)))
						t.Run(e.name, func(t *testing.T) { compare(t, p, server, compression(c), e, r) })
					}
				})
			}
		}
	}
}

func compare(t *testing.T, p peer, server bool, c compression, e ending, r *rand.Rand) {
	got := make(chan []message, 1)
	var s *side
	if server {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go p.dial(t, "ws://"+l.Addr().String(), c, got)
		s = accept(t, l, c)
	} else {
		s = dial(t, p.accept(t, c, got).URL, c)
	}
	w := newWriter(r, s)
	for range r.IntN(8) {
		w.message()
		w.controls()
	}
	e.write(w)

	// We in the peer's place.
	us := listen(!server, s.deflate)
	for _, piece := range cut(r, w.b) {
		if !us.take(slices.Clone(piece)) {
			break
		}
	}
	them := s.converse(t, r, w.b)
	heard := <-got
	if _, known := e.lax[p.name]; known {
		heard = heard[:min(len(heard), len(us.messages))]
	} else {
		if them.err != nil {
			t.Errorf("what the peer says breaks the protocol: %v", them.err)
		}
		if them.code != us.code {
			t.Errorf("the peer closes with %d, we with %d (%v)", them.code, us.code, us.err)
		}
		if !slices.Equal(them.pongs, us.pings) {
			t.Errorf("the peer answers %d pings of %d", len(them.pongs), len(us.pings))
		}
	}
	if !slices.Equal(heard, us.messages) {
		t.Errorf("the peer hears %d messages, we %d", len(heard), len(us.messages))
	}
	if !slices.Equal(them.messages[:min(len(them.messages), len(us.messages))], us.messages) {
		t.Errorf("the peer echoes %d messages of %d", len(them.messages), len(us.messages))
	}
}
