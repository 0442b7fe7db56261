package protocol_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// conversations is how many there are of each kind, side and style.
const conversations = 250 / scale

// TestRandomConversations has Leat and a model judge the same random bytes: right
// ones, wrong ones, and right ones that were changed, cut anywhere.
func TestRandomConversations(t *testing.T) {
	server := startLeat(t)
	subjects := map[string]*subject{}
	for name, style := range map[string]echo{"events": echoEvents, "blocking": echoBlocking} {
		subjects["server, "+name] = server.subject(style)
		subjects["client, "+name] = leatClient(server.srv, style)
	}
	for i, how := range []struct {
		name string
		setup
	}{
		{"plain", setup{}},
		{"plain and small", setup{maxMessage: 1000}},
		{"compressed and small", setup{maxMessage: 1000, takeover: true, offer: "permessage-deflate", answer: "permessage-deflate"}},
		{"each message alone", setup{offer: aloneBoth, answer: aloneBoth}},
		{"context takeover", setup{takeover: true, offer: "permessage-deflate", answer: "permessage-deflate"}},
		{"small windows", setup{
			takeover: true, offer: "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9",
			answer: "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9",
		}},
	} {
		for name, s := range subjects {
			t.Run(name+", "+how.name, func(t *testing.T) {
				t.Parallel()
				codes := map[int]bool{}
				for seed := range uint64(conversations) {
					r := rand.New(rand.NewPCG(seed, uint64(i)))
					code, err := converse(t, s, how.setup, r, seed)
					if err != nil {
						t.Errorf("seed %d: %v", seed, err)
					}
					codes[code] = true
				}
				for _, code := range []int{0, 1000, 1002, 1007, 1009} {
					if !codes[code] && scale == 1 {
						t.Errorf("no conversation ends with %d, of %d", code, conversations)
					}
				}
			})
		}
	}
}

// converse is one conversation. It answers the code that it ends with.
func converse(t *testing.T, s *subject, how setup, r *rand.Rand, seed uint64) (int, error) {
	how.name = fmt.Sprint(t.Name(), seed)
	part := &scope{TB: t}
	defer part.end()
	l, _, err := s.open(part, how)
	if err != nil {
		return 0, err
	}
	w := &speech{Rand: r, l: l}
	w.write()
	b := w.b
	if r.IntN(2) == 0 {
		b = w.spoil(b)
	}
	j := judge{b: b, masked: l.client, limit: int(how.limit())}
	if l.zip != nil {
		j.unzip = &unzipper{keep: l.zip.keep, bits: l.zip.bits}
	}
	want := j.read()
	w.say(b)
	got, err := l.listen(want)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w; want %v", err, want)
	case want.unsure:
		return -1, nil
	case got.code != want.code:
		return 0, fmt.Errorf("it closes with %d, want %d after %d messages, got %d", got.code, want.code, len(want.echoes), len(got.echoes))
	case !slices.EqualFunc(got.echoes, want.echoes, func(a, b event) bool { return a.op == b.op && a.data == b.data }):
		return 0, fmt.Errorf("it echoes %v, want %v", got.echoes, want.echoes)
	case !slices.Equal(got.pongs, want.pongs):
		return 0, fmt.Errorf("it answers %q, want %q", got.pongs, want.pongs)
	}
	return want.code, nil
}

// A scope is a part of a test, with an end of its own.
type scope struct {
	testing.TB
	undo []func()
}

func (s *scope) Cleanup(f func()) { s.undo = append(s.undo, f) }

func (s *scope) end() {
	for _, f := range slices.Backward(s.undo) {
		f()
	}
}

func (v verdict) String() string {
	return fmt.Sprintf("%d messages, %d pongs, close %d", len(v.echoes), len(v.pongs), v.code)
}

// listen reads what comes back. Where the model expects no close, the raw peer
// ends the connection when the rest has come.
func (l *link) listen(want verdict) (got verdict, err error) {
	if want.unsure {
		l.out <- chunk{end: true}
	}
	told := false
	for {
		if !told && want.code == 0 && len(got.echoes) == len(want.echoes) && len(got.pongs) == len(want.pongs) {
			told = true
			l.out <- chunk{end: true}
		}
		e, err := l.next()
		if err != nil {
			if (told || want.unsure) && isReset(err) {
				return got, nil
			}
			return got, err
		}
		switch e.op {
		case 0:
			return got, nil
		case opClose:
			got.code = e.code
			if e.code == 0 {
				got.code = 1005
			}
			l.out <- chunk{b: closing(1000, "").append(l, nil)}
			l.out <- chunk{end: true}
		case opPong:
			got.pongs = append(got.pongs, e.data)
		case opPing:
			return got, fmt.Errorf("%v", e)
		default:
			got.echoes = append(got.echoes, e)
		}
	}
}

// A speech is what a raw peer says.
type speech struct {
	*rand.Rand
	l     *link
	b     []byte
	pings int
}

func (w *speech) add(p piece) { w.b = p.append(w.l, w.b) }

// write writes some messages and an end.
func (w *speech) write() {
	for range w.IntN(6) {
		w.message()
		w.controls()
	}
	w.ending()
	w.add(closing(1000, "the end"))
}

func (w *speech) payload(text bool) string {
	n := []int{0, 1, 125, 126, 127, 128, 300, w.IntN(2000), w.IntN(20_000), 65535 + w.IntN(3)}[w.IntN(10)]
	var s strings.Builder
	for s.Len() < n {
		switch {
		case !text && w.IntN(3) > 0:
			s.WriteByte(byte(w.Uint32()))
		case w.IntN(3) > 0:
			s.WriteString(pattern(300)[w.IntN(200):][:w.IntN(100)])
		case text:
			s.WriteRune([]rune("aé€𝄞\x00\uffff\U0010ffff")[w.IntN(7)])
		}
	}
	if !text {
		return s.String()[:n]
	}
	return s.String()
}

// message writes a message in random fragments with control frames between them.
func (w *speech) message() {
	text := w.IntN(2) == 0
	payload := w.payload(text)
	b0 := byte(opBinary)
	if text {
		b0 = opText
	}
	if w.l.zip != nil && w.IntN(4) > 0 {
		b0 |= rsv1
		payload = w.l.zip.message(payload)
	}
	for w.IntN(3) == 0 {
		n := w.IntN(len(payload) + 1)
		w.add(frame{b0: b0, payload: payload[:n]})
		b0, payload = opMore, payload[n:]
		w.controls()
	}
	w.add(frame{b0: fin | b0, payload: payload})
}

// controls writes pings and pongs, of pings no more than may wait for an answer.
func (w *speech) controls() {
	for w.IntN(3) == 0 {
		p := pattern(200)[w.IntN(70):][:w.IntN(126)]
		if w.IntN(2) == 0 {
			w.add(pong(p))
		} else if w.pings < 16 {
			w.pings++
			w.add(ping(p))
		}
	}
}

// ending writes something wrong, or another close, or nothing.
func (w *speech) ending() {
	b0s := []byte{0x83, 0x87, 0x8b, 0x8f, 0xb1, 0x91, 0xa2, 0xc9, 0xc8, 0x09, 0x0a, 0x08, 0x80, 0x00, 0xc0, 0xa9, 0x99}
	switch w.IntN(14) {
	case 0, 1, 2:
		w.add(frame{b0: b0s[w.IntN(len(b0s))], payload: "wrong"})
	case 3:
		w.add(frame{b0: fin | opPing, payload: pattern(126 + w.IntN(100))})
	case 4:
		w.add(frame{b0: opText, payload: "open"})
		w.add(frame{b0: fin | opBinary, payload: "inside"})
	case 5:
		w.add(frame{b0: fin | opText, payload: pattern(w.IntN(300)) + "\xff" + pattern(w.IntN(300))})
	case 6:
		w.add(fragments{opText, pattern(w.IntN(300)) + "\xed\xa0\x80" + pattern(w.IntN(300)), 1 + w.IntN(50)})
	case 7:
		w.add(frame{b0: fin | opText, payload: pattern(w.IntN(300)) + "\xf0\x90"})
	case 8:
		w.add(frame{b0: fin | opText, payload: "other side's", flip: true})
	case 9:
		n := w.IntN(126)
		w.add(head{b0: fin | opBinary, length: 126, extended: string([]byte{0, byte(n)}), payload: pattern(n)})
	case 10:
		w.add(head{b0: fin | opBinary, length: 127, extended: string([]byte{byte(w.IntN(256)), 0, 0, 0, 0, 0, 0, byte(w.IntN(256))}), payload: pattern(100)})
	case 11:
		w.add(closing(w.IntN(5100), pattern(w.IntN(130))))
	case 12:
		w.add(frame{b0: fin | opClose, payload: string([]byte{byte(w.Uint32()), byte(w.Uint32()), byte(w.Uint32())})[:w.IntN(4)]})
	}
}

// spoil changes some of the bytes.
func (w *speech) spoil(b []byte) []byte {
	b = slices.Clone(b)
	for range 1 + w.IntN(3) {
		at := w.IntN(len(b))
		switch w.IntN(6) {
		case 0, 1:
			b[at] ^= 1 << w.IntN(8)
		case 2:
			b[at] = byte(w.Uint32())
		case 3:
			b = slices.Delete(b, at, min(at+1+w.IntN(5), len(b)))
		case 4:
			b = slices.Insert(b, at, bytes.Repeat([]byte{byte(w.Uint32())}, 1+w.IntN(4))...)
		case 5:
			b = b[:at]
		}
		if len(b) == 0 {
			return b
		}
	}
	return b
}

// say sends b, cut at random.
func (w *speech) say(b []byte) {
	most := []int{len(b) + 1, 4 << 10, 64, 3}[w.IntN(4)]
	if len(b)/most > 200 {
		most = len(b)/200 + 1
	}
	for len(b) > 0 {
		n := min(1+w.IntN(most), len(b))
		w.l.out <- chunk{b: b[:n]}
		b = b[n:]
	}
}
