package ws_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/leat-dev/leat/internal/wire/ws"
)

// key is the one of RFC 6455, 5.7.
var key = ws.Key{0x37, 0xfa, 0x21, 0x3d}

// A frame is a frame as bytes, whether it is right or not.
type frame struct {
	b0      byte
	payload string
}

// bytes writes the frame as a client does, or as a server.
func (f frame) bytes(masked bool) []byte {
	h := ws.Header{Fin: f.b0&0x80 != 0, RSV1: f.b0&0x40 != 0, Opcode: ws.Opcode(f.b0 & 15), Masked: masked, Key: key}
	b := ws.AppendFrame(nil, h, []byte(f.payload))
	b[0] |= f.b0 & 0x30
	return b
}

func frames(masked bool, fs ...frame) []byte {
	var b []byte
	for _, f := range fs {
		b = append(b, f.bytes(masked)...)
	}
	return b
}

// story tells what a Reader finds in bytes that come in these cuts: a line a
// message and a control frame, the begun message, then the error's code and section.
func story(o ws.ReaderOptions, cuts ...[]byte) []string {
	r := ws.NewReader(o)
	var told []string
	var msg strings.Builder
	begun := false
	for _, cut := range cuts {
		b := bytes.Clone(cut)
		for {
			ev, rest, err := r.Next(b)
			if err != nil {
				var p *ws.ProtocolError
				if !errors.As(err, &p) {
					return append(told, "not a ProtocolError: "+err.Error())
				}
				return append(told, fmt.Sprintf("%d %s", p.Code, p.Section))
			}
			switch ev.Kind {
			case ws.Data:
				begun = true
				msg.Write(ev.Payload)
				if ev.Last {
					told = append(told, fmt.Sprintf("%s %q compressed=%v", ev.Type, &msg, ev.Compressed))
					msg.Reset()
					begun = false
				}
			case ws.Control:
				told = append(told, fmt.Sprintf("%s %q", ev.Opcode, ev.Payload))
			case ws.More:
			}
			if b = rest; ev.Kind == ws.More {
				if len(rest) > 0 {
					return append(told, "More, and yet a rest")
				}
				break
			}
		}
	}
	if begun {
		told = append(told, fmt.Sprintf("begun %q", &msg))
	}
	return told
}

// everyCut feeds b whole, byte by byte and in two at every place.
func everyCut(t *testing.T, o ws.ReaderOptions, b []byte) []string {
	t.Helper()
	want := story(o, b)
	single := make([][]byte, len(b))
	for i := range b {
		single[i] = b[i : i+1]
		if got := story(o, b[:i], b[i:]); !slices.Equal(got, want) {
			t.Fatalf("% x cut at %d:\n got %q\nwant %q", b, i, got, want)
		}
	}
	if got := story(o, single...); !slices.Equal(got, want) {
		t.Fatalf("% x byte by byte:\n got %q\nwant %q", b, got, want)
	}
	return want
}

func TestReaderIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(ws.Reader{}); n > 72 {
		t.Errorf("%d bytes", n)
	}
}

func TestReaderReadsTheExamplesOfSection5_7(t *testing.T) {
	for name, c := range map[string]struct {
		bytes  string
		server bool
		want   []string
	}{
		"unmasked text":     {"\x81\x05Hello", false, []string{`text "Hello" compressed=false`}},
		"masked text":       {"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", true, []string{`text "Hello" compressed=false`}},
		"fragmented text":   {"\x01\x03Hel\x80\x02lo", false, []string{`text "Hello" compressed=false`}},
		"unmasked ping":     {"\x89\x05Hello", false, []string{`ping "Hello"`}},
		"masked pong":       {"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", true, []string{`pong "Hello"`}},
		"256 binary bytes":  {"\x82\x7e\x01\x00" + strings.Repeat("b", 256), false, []string{fmt.Sprintf("binary %q compressed=false", strings.Repeat("b", 256))}},
		"65536 bytes, head": {"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", false, []string{`begun ""`}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := everyCut(t, ws.ReaderOptions{Server: c.server}, []byte(c.bytes)); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// rules are sequences that are right or wrong whoever sends them.
var rules = []struct {
	name    string
	options ws.ReaderOptions
	frames  []frame
	want    []string
}{
	{"5.2 an empty text", ws.ReaderOptions{}, []frame{{0x81, ""}}, []string{`text "" compressed=false`}},
	{"5.2 RSV1 without an extension", ws.ReaderOptions{}, []frame{{0xc1, "a"}}, []string{"1002 RFC 6455, 5.2"}},
	{"5.2 RSV2", ws.ReaderOptions{Deflate: true}, []frame{{0xa1, "a"}}, []string{"1002 RFC 6455, 5.2"}},
	{"5.2 RSV3", ws.ReaderOptions{Deflate: true}, []frame{{0x92, "a"}}, []string{"1002 RFC 6455, 5.2"}},
	{"5.2 RSV1 and RSV3 beside an extension", ws.ReaderOptions{Deflate: true}, []frame{{0xd2, "a"}}, []string{"1002 RFC 6455, 5.2"}},
	{"5.2 RSV2 on a ping", ws.ReaderOptions{Deflate: true}, []frame{{0xa9, "a"}}, []string{"1002 RFC 6455, 5.2"}},
	{"5.2 opcode 3", ws.ReaderOptions{}, []frame{{0x83, "a"}}, []string{"1002 RFC 6455, 5.2"}},
	{"5.2 opcode 7", ws.ReaderOptions{}, []frame{{0x87, ""}}, []string{"1002 RFC 6455, 5.2"}},
	{"5.2 opcode 11", ws.ReaderOptions{}, []frame{{0x8b, ""}}, []string{"1002 RFC 6455, 5.2"}},
	{"5.2 opcode 15 after a good message", ws.ReaderOptions{}, []frame{{0x81, "ok"}, {0x8f, "a"}}, []string{`text "ok" compressed=false`, "1002 RFC 6455, 5.2"}},
	{"5.4 three fragments", ws.ReaderOptions{}, []frame{{0x02, "a"}, {0x00, ""}, {0x80, "bc"}}, []string{`binary "abc" compressed=false`}},
	{"5.4 a ping between fragments", ws.ReaderOptions{}, []frame{{0x01, "a"}, {0x89, "p"}, {0x80, "b"}}, []string{`ping "p"`, `text "ab" compressed=false`}},
	{"5.4 a stray continuation", ws.ReaderOptions{}, []frame{{0x80, "a"}}, []string{"1002 RFC 6455, 5.4"}},
	{"5.4 a continuation after the last frame", ws.ReaderOptions{}, []frame{{0x01, "a"}, {0x80, "b"}, {0x00, "c"}}, []string{`text "ab" compressed=false`, "1002 RFC 6455, 5.4"}},
	{"5.4 text inside a message", ws.ReaderOptions{}, []frame{{0x01, "a"}, {0x81, "b"}}, []string{"1002 RFC 6455, 5.4"}},
	{"5.4 binary inside a message", ws.ReaderOptions{}, []frame{{0x02, "a"}, {0x02, "b"}}, []string{"1002 RFC 6455, 5.4"}},
	{"5.5 a ping of 125 bytes", ws.ReaderOptions{}, []frame{{0x89, strings.Repeat("p", 125)}}, []string{fmt.Sprintf("ping %q", strings.Repeat("p", 125))}},
	{"5.5 a ping of 126 bytes", ws.ReaderOptions{}, []frame{{0x89, strings.Repeat("p", 126)}}, []string{"1002 RFC 6455, 5.5"}},
	{"5.5 a fragmented ping", ws.ReaderOptions{}, []frame{{0x09, "p"}}, []string{"1002 RFC 6455, 5.5"}},
	{"5.5 a fragmented close", ws.ReaderOptions{}, []frame{{0x08, ""}}, []string{"1002 RFC 6455, 5.5"}},
	{"5.5.1 an empty close", ws.ReaderOptions{}, []frame{{0x88, ""}}, []string{`close ""`}},
	{"5.5.1 a close with a reason", ws.ReaderOptions{}, []frame{{0x88, "\x03\xe8bye"}}, []string{`close "\x03\xe8bye"`}},
	{"5.5.1 a close of one byte", ws.ReaderOptions{}, []frame{{0x88, "\x03"}}, []string{"1002 RFC 6455, 5.5.1"}},
	{"5.5.1 a reason that is not UTF-8", ws.ReaderOptions{}, []frame{{0x88, "\x03\xe8\xc0\x80"}}, []string{"1007 RFC 6455, 5.5.1"}},
	{"5.5.1 a reason cut in a character", ws.ReaderOptions{}, []frame{{0x88, "\x03\xe8\xe2\x82"}}, []string{"1007 RFC 6455, 5.5.1"}},
	{"5.5.1 frames behind a close", ws.ReaderOptions{}, []frame{{0x88, ""}, {0x81, "late"}, {0xff, "x"}}, []string{`close ""`}},
	{"5.5.1 a close inside a message", ws.ReaderOptions{}, []frame{{0x01, "a"}, {0x88, ""}}, []string{`close ""`, `begun "a"`}},
	{"7.4.1 exactly the limit", ws.ReaderOptions{MaxMessage: 4}, []frame{{0x01, "ab"}, {0x80, "cd"}}, []string{`text "abcd" compressed=false`}},
	{"7.4.1 a frame beyond the limit", ws.ReaderOptions{MaxMessage: 4}, []frame{{0x81, "abcde"}}, []string{"1009 RFC 6455, 7.4.1"}},
	{"7.4.1 fragments beyond the limit", ws.ReaderOptions{MaxMessage: 4}, []frame{{0x01, "abc"}, {0x00, ""}, {0x80, "de"}}, []string{"1009 RFC 6455, 7.4.1"}},
	{"7.4.1 the limit is per message", ws.ReaderOptions{MaxMessage: 2}, []frame{{0x81, "ab"}, {0x89, "ping"}, {0x82, "cd"}}, []string{`text "ab" compressed=false`, `ping "ping"`, `binary "cd" compressed=false`}},
	{"8.1 a character cut by frames", ws.ReaderOptions{}, []frame{{0x01, "\xe2"}, {0x89, "\xff"}, {0x00, "\x82"}, {0x80, "\xac"}}, []string{`ping "\xff"`, `text "€" compressed=false`}},
	{"8.1 a wrong byte", ws.ReaderOptions{}, []frame{{0x81, "a\xffb"}}, []string{"1007 RFC 6455, 8.1"}},
	{"8.1 a wrong byte in a continuation", ws.ReaderOptions{}, []frame{{0x01, "a"}, {0x00, "\xff"}}, []string{"1007 RFC 6455, 8.1"}},
	{"8.1 a character without its end", ws.ReaderOptions{}, []frame{{0x01, "a\xe2"}, {0x80, "\x82"}}, []string{"1007 RFC 6455, 8.1"}},
	{"8.1 a character without its end, then an empty frame", ws.ReaderOptions{}, []frame{{0x01, "a\xe2"}, {0x80, ""}}, []string{"1007 RFC 6455, 8.1"}},
	{"8.1 binary may hold anything", ws.ReaderOptions{}, []frame{{0x02, "\xff"}, {0x80, "\xc0"}}, []string{`binary "\xff\xc0" compressed=false`}},
	{"8.1 unchecked text", ws.ReaderOptions{AnyText: true}, []frame{{0x81, "\xff"}}, []string{`text "\xff" compressed=false`}},
	{"7692 6.1 a compressed message", ws.ReaderOptions{Deflate: true}, []frame{{0x41, "\xff"}, {0x80, "\xfe"}}, []string{`text "\xff\xfe" compressed=true`}},
	{"7692 6.1 a plain message beside the extension", ws.ReaderOptions{Deflate: true}, []frame{{0xc1, "\xff"}, {0x81, "a"}}, []string{`text "\xff" compressed=true`, `text "a" compressed=false`}},
	{"7692 6.1 plain text beside the extension is checked", ws.ReaderOptions{Deflate: true}, []frame{{0xc1, "\xff"}, {0x81, "\xff"}}, []string{`text "\xff" compressed=true`, "1007 RFC 6455, 8.1"}},
	{"7692 6.1 RSV1 on a continuation", ws.ReaderOptions{Deflate: true}, []frame{{0x41, "a"}, {0xc0, "b"}}, []string{"1002 RFC 7692, 6.1"}},
	{"7692 6.1 RSV1 on a ping", ws.ReaderOptions{Deflate: true}, []frame{{0xc9, "a"}}, []string{"1002 RFC 7692, 6.1"}},
	{"7692 6.1 RSV1 on a close", ws.ReaderOptions{Deflate: true}, []frame{{0xc8, ""}}, []string{"1002 RFC 7692, 6.1"}},
	{"7692 a compressed message may be a little longer than the limit", ws.ReaderOptions{Deflate: true, MaxMessage: 8}, []frame{{0xc2, strings.Repeat("c", 1033)}}, []string{fmt.Sprintf("binary %q compressed=true", strings.Repeat("c", 1033))}},
	{"7692 but no more", ws.ReaderOptions{Deflate: true, MaxMessage: 8}, []frame{{0x42, strings.Repeat("c", 1033)}, {0x80, "c"}}, []string{"1009 RFC 6455, 7.4.1"}},
}

func TestReaderHoldsTheRuleOfSection(t *testing.T) {
	for _, rule := range rules {
		for _, server := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s server=%v", rule.name, server), func(t *testing.T) {
				o := rule.options
				o.Server = server
				if got := everyCut(t, o, frames(server, rule.frames...)); !slices.Equal(got, rule.want) {
					t.Errorf("%q, want %q", got, rule.want)
				}
			})
		}
	}
}

func TestReaderTakesTheCloseCodesThatMayBeSent(t *testing.T) {
	good := func(code int) bool {
		return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006 || code >= 3000 && code <= 4999
	}
	for code := range 1 << 16 {
		want := "1002 RFC 6455, 7.4"
		payload := string([]byte{byte(code >> 8), byte(code)})
		if good(code) {
			want = fmt.Sprintf("close %q", payload)
		}
		if got := story(ws.ReaderOptions{}, frame{0x88, payload}.bytes(false)); len(got) != 1 || got[0] != want {
			t.Fatalf("%d: %q, want %q", code, got, want)
		}
		if ws.CodeSendable(code) != good(code) {
			t.Fatalf("CodeSendable(%d) is %v", code, !good(code))
		}
	}
}

func TestReaderRefusesByRole(t *testing.T) {
	text := frame{0x81, "a"}
	if got := everyCut(t, ws.ReaderOptions{Server: true}, text.bytes(false)); !slices.Equal(got, []string{"1002 RFC 6455, 5.1"}) {
		t.Errorf("5.1 an unmasked frame at the server: %q", got)
	}
	if got := everyCut(t, ws.ReaderOptions{}, text.bytes(true)); !slices.Equal(got, []string{"1002 RFC 6455, 5.1"}) {
		t.Errorf("5.1 a masked frame at the client: %q", got)
	}
}

// Section 5.2 asks for the shortest form of a length, and the highest bit of a
// long one must be 0. A header that is refused is never waited for.
func TestReaderChecksLengthsAsSoonAsTheyAreThere(t *testing.T) {
	small := ws.ReaderOptions{MaxMessage: 1 << 20}
	for _, c := range []struct {
		name string
		head string
		want string
	}{
		{"0 in two bytes", "\x82\x7e\x00\x00", "1002 RFC 6455, 5.2"},
		{"125 in two bytes", "\x82\x7e\x00\x7d", "1002 RFC 6455, 5.2"},
		{"126 in two bytes", "\x82\x7e\x00\x7e", `begun ""`},
		{"65535 in two bytes", "\x82\x7e\xff\xff", `begun ""`},
		{"65535 in eight bytes", "\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", "1002 RFC 6455, 5.2"},
		{"125 in eight bytes", "\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x7d", "1002 RFC 6455, 5.2"},
		{"65536 in eight bytes", "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", `begun ""`},
		{"2^20+1", "\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x01", "1009 RFC 6455, 7.4.1"},
		{"2^63-1", "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", "1009 RFC 6455, 7.4.1"},
		{"2^63", "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", "1002 RFC 6455, 5.2"},
		{"2^64-1", "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "1002 RFC 6455, 5.2"},
		{"a ping of two length bytes", "\x89\x7e", "1002 RFC 6455, 5.5"},
		{"a pong of eight length bytes", "\x8a\x7f", "1002 RFC 6455, 5.5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := everyCut(t, small, []byte(c.head)); !slices.Equal(got, []string{c.want}) {
				t.Errorf("client: %q, want %q", got, c.want)
			}
			masked := []byte(c.head)
			masked[1] |= 0x80
			o := small
			o.Server = true
			want := []string{c.want}
			if strings.HasPrefix(c.want, "begun") {
				want = nil // the key is still missing
			}
			if got := everyCut(t, o, masked); !slices.Equal(got, want) {
				t.Errorf("server: %q, want %q", got, want)
			}
		})
	}
}

func TestReaderWithoutALimitTakes2to63Minus1AndNotMore(t *testing.T) {
	head := []byte("\x02\x7f\x7f\xff\xff\xff\xff\xff\xff\xff")
	r := ws.NewReader(ws.ReaderOptions{})
	ev, _, err := r.Next(append(head, "abc"...))
	if err != nil || !ev.Begin || ev.End || ev.Left != 1<<63-1-3 || string(ev.Payload) != "abc" {
		t.Fatalf("%+v, %v", ev, err)
	}
}

func TestReaderTellsTheFirstWrongByteOfAHeader(t *testing.T) {
	for b0 := range 256 {
		r := ws.NewReader(ws.ReaderOptions{Server: true})
		_, _, err := r.Next([]byte{byte(b0)})
		op := ws.Opcode(b0 & 15)
		wrong := b0&0x70 != 0 || op.String() == "reserved" || op == ws.OpContinuation || op.Control() && b0&0x80 == 0
		if (err != nil) != wrong {
			t.Errorf("first byte %#x: %v", b0, err)
		}
	}
}

func TestReaderStaysInError(t *testing.T) {
	r := ws.NewReader(ws.ReaderOptions{})
	_, _, first := r.Next([]byte{0xff})
	if first == nil {
		t.Fatal("0xff is taken")
	}
	for range 3 {
		ev, rest, err := r.Next([]byte("\x81\x01a"))
		if err != first || ev.Kind != ws.More || rest != nil { //nolint:errorlint // the very same error
			t.Errorf("%+v, %q, %v", ev, rest, err)
		}
	}
}

func TestErrorsSayWhatIsWrongInAClosesReason(t *testing.T) {
	r := ws.NewReader(ws.ReaderOptions{Server: true})
	_, _, err := r.Next([]byte("\x81\x05Hello"))
	if got, want := fmt.Sprint(err), "websocket: the client's frame is not masked (RFC 6455, 5.1)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, rule := range rules {
		r := ws.NewReader(rule.options)
		b := frames(false, rule.frames...)
		for err == nil && len(b) > 0 {
			_, b, err = r.Next(b)
		}
		var p *ws.ProtocolError
		if errors.As(err, &p) && (ws.CutReason(p.Text) != p.Text || p.Text == "") {
			t.Errorf("%q is no reason", p.Text)
		}
	}
}

func TestReaderYieldsWhatItIsGivenAndCopiesNothing(t *testing.T) {
	r := ws.NewReader(ws.ReaderOptions{Server: true})
	b := frames(true, frame{0x81, "Hello"}, frame{0x89, "ping"})
	text, rest, err := r.Next(b)
	if err != nil || string(text.Payload) != "Hello" || &text.Payload[0] != &b[6] || cap(text.Payload) != 5 {
		t.Errorf("%+v, %v", text, err)
	}
	ping, rest, err := r.Next(rest)
	if err != nil || string(ping.Payload) != "ping" || &ping.Payload[0] != &b[17] || len(rest) != 0 {
		t.Errorf("%+v, %q, %v", ping, rest, err)
	}
}

func TestReaderMarksBeginAndEndOfFrames(t *testing.T) {
	b := frames(false, frame{0x01, "abcd"}, frame{0x80, ""})
	r := ws.NewReader(ws.ReaderOptions{})
	var got []string
	tell := func(b []byte) {
		for {
			ev, rest, err := r.Next(b)
			if err != nil {
				t.Fatal(err)
			}
			if b = rest; ev.Kind == ws.More {
				return
			}
			got = append(got, fmt.Sprintf("%s %s begin=%v end=%v last=%v left=%d %q", ev.Opcode, ev.Type, ev.Begin, ev.End, ev.Last, ev.Left, ev.Payload))
		}
	}
	idle := []bool{r.Idle()}
	for _, cut := range [][]byte{b[:1], b[1:2], b[2:4], b[4:6], b[6:]} {
		tell(cut)
		idle = append(idle, r.Idle())
	}
	want := []string{
		`text text begin=true end=false last=false left=4 ""`,
		`text text begin=false end=false last=false left=2 "ab"`,
		`text text begin=false end=true last=false left=0 "cd"`,
		`continuation text begin=true end=true last=true left=0 ""`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if want := []bool{true, false, false, false, false, true}; !slices.Equal(idle, want) {
		t.Errorf("idle %v", idle)
	}
}

func TestReaderAllocatesNothingInTheSteadyState(t *testing.T) {
	sent := frames(true, frame{0x81, strings.Repeat("ä", 2048)}, frame{0x02, "a"}, frame{0x89, "p"}, frame{0x80, strings.Repeat("b", 4095)})
	b := make([]byte, len(sent))
	r := ws.NewReader(ws.ReaderOptions{Server: true, MaxMessage: 1 << 20})
	n := testing.AllocsPerRun(100, func() {
		copy(b, sent)
		for _, cut := range [][]byte{b[:3], b[3:700], b[700:4120], b[4120:]} {
			for {
				ev, rest, err := r.Next(cut)
				if err != nil {
					t.Fatal(err)
				}
				if cut = rest; ev.Kind == ws.More {
					break
				}
			}
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkReader(b *testing.B) {
	for _, c := range []struct {
		name string
		f    frame
	}{
		{"text 16B", frame{0x81, strings.Repeat("a", 16)}},
		{"text 64B", frame{0x81, strings.Repeat("a", 64)}},
		{"text 1KiB", frame{0x81, strings.Repeat("a", 1024)}},
		{"text 4KiB", frame{0x81, strings.Repeat("a", 4096)}},
		{"text 4KiB not ASCII", frame{0x81, strings.Repeat("ä", 2048)}},
		{"binary 4KiB", frame{0x82, strings.Repeat("a", 4096)}},
		{"binary 64KiB", frame{0x82, strings.Repeat("a", 65536)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			sent := frames(true, c.f)
			buf := make([]byte, len(sent))
			r := ws.NewReader(ws.ReaderOptions{Server: true})
			b.SetBytes(int64(len(c.f.payload)))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, sent)
				if ev, _, err := r.Next(buf); err != nil || !ev.Last {
					b.Fatal(ev, err)
				}
			}
		})
	}
}
