package ws_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/leat-dev/leat/internal/wire/ws"
)

func TestHeaderIsWrittenInTheShortestFormOfSection5_2(t *testing.T) {
	for _, c := range []struct {
		h    ws.Header
		want string
	}{
		{ws.Header{Fin: true, Opcode: ws.OpText}, "\x81\x00"},
		{ws.Header{Opcode: ws.OpBinary, Length: 125}, "\x02\x7d"},
		{ws.Header{Fin: true, Opcode: ws.OpContinuation, Length: 126}, "\x80\x7e\x00\x7e"},
		{ws.Header{Fin: true, RSV1: true, Opcode: ws.OpText, Length: 65535}, "\xc1\x7e\xff\xff"},
		{ws.Header{Fin: true, Opcode: ws.OpBinary, Length: 65536}, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"},
		{ws.Header{Fin: true, Opcode: ws.OpBinary, Length: 1<<63 - 1}, "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"},
		{ws.Header{Fin: true, Opcode: ws.OpPing, Masked: true, Key: key, Length: 5}, "\x89\x85\x37\xfa\x21\x3d"},
		{ws.Header{Fin: true, Opcode: ws.OpText, Length: -1}, "\x81\x00"},
	} {
		if got := ws.AppendHeader([]byte("x"), c.h); string(got) != "x"+c.want {
			t.Errorf("%+v: % x", c.h, got)
		}
	}
}

func TestAppendFrameMasksInTheCopyOnly(t *testing.T) {
	payload := []byte("Hello")
	got := ws.AppendFrame([]byte("before"), ws.Header{Fin: true, Opcode: ws.OpText, Masked: true, Key: key, Length: 99}, payload)
	if want := "before\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; string(got) != want || string(payload) != "Hello" {
		t.Errorf("% x, %q", got, payload)
	}
}

func TestCloseCarriesOnlyCodesThatMayBeSent(t *testing.T) {
	for code, want := range map[int]string{
		0: "\x88\x00", ws.CodeNone: "\x88\x00", ws.CodeAbnormal: "\x88\x00", ws.CodeTLS: "\x88\x00", 1004: "\x88\x00", 999: "\x88\x00",
		2999: "\x88\x00", 5000: "\x88\x00", -1: "\x88\x00", 1<<16 + 1000: "\x88\x00",
		ws.CodeNormal: "\x88\x05\x03\xe8bye", ws.CodeBadGateway: "\x88\x05\x03\xf6bye", 4999: "\x88\x05\x13\x87bye",
	} {
		if got := ws.AppendClose(nil, ws.Header{}, code, "bye"); string(got) != want {
			t.Errorf("%d: % x, want % x", code, got, want)
		}
	}
	masked := ws.AppendClose(nil, ws.Header{Masked: true, Key: key}, 1000, "")
	if string(masked) != "\x88\x82\x37\xfa\x21\x3d\x34\x12" {
		t.Errorf("masked: % x", masked)
	}
}

func TestReasonIsCutAtACharacter(t *testing.T) {
	for _, c := range []struct{ reason, want string }{
		{strings.Repeat("a", 123), strings.Repeat("a", 123)},
		{strings.Repeat("a", 124), strings.Repeat("a", 123)},
		{strings.Repeat("a", 122) + "é", strings.Repeat("a", 122)},
		{strings.Repeat("a", 121) + "é", strings.Repeat("a", 121) + "é"},
		{strings.Repeat("a", 120) + "𝄞", strings.Repeat("a", 120)},
		{strings.Repeat("€", 50), strings.Repeat("€", 41)},
		{"a\xffb", "a\uFFFDb"},
		{strings.Repeat("a", 122) + "\xff", strings.Repeat("a", 122)},
		{strings.Repeat("a", 1000) + "\xff", strings.Repeat("a", 123)},
	} {
		if got := ws.CutReason(c.reason); got != c.want {
			t.Errorf("%q: %q, want %q", c.reason, got, c.want)
		}
	}
}

func TestParseCloseReadsCodeAndReason(t *testing.T) {
	code, reason, err := ws.ParseClose([]byte("\x03\xe9gone"))
	if code != ws.CodeGoingAway || string(reason) != "gone" || err != nil {
		t.Errorf("%d %q %v", code, reason, err)
	}
	if code, _, err := ws.ParseClose(nil); code != ws.CodeNone || err != nil {
		t.Errorf("empty: %d, %v", code, err)
	}
	var p *ws.ProtocolError
	if _, _, err := ws.ParseClose([]byte("\x03")); !errors.As(err, &p) {
		t.Errorf("one byte: %v", err)
	}
}

func TestOpcodesHaveTheWordsOfTheRFC(t *testing.T) {
	var words []string
	for op := range ws.Opcode(16) {
		if w := op.String(); w != "reserved" {
			words = append(words, fmt.Sprintf("%d %s %v", op, w, op.Control()))
		}
	}
	if got := strings.Join(words, ", "); got != "0 continuation false, 1 text false, 2 binary false, 8 close true, 9 ping true, 10 pong true" {
		t.Error(got)
	}
}

func FuzzClose(f *testing.F) {
	f.Add(1000, "bye")
	f.Add(1005, "")
	f.Add(4000, strings.Repeat("€", 60)+"\xff")
	f.Fuzz(func(t *testing.T, code int, reason string) {
		b := ws.AppendClose(nil, ws.Header{}, code, reason)
		r := ws.NewReader(ws.ReaderOptions{})
		ev, rest, err := r.Next(b)
		if err != nil || len(rest) > 0 || ev.Opcode != ws.OpClose {
			t.Fatalf("%+v, %q, %v", ev, rest, err)
		}
		gotCode, got, err := ws.ParseClose(ev.Payload)
		if err != nil || !utf8.Valid(got) || len(got) > ws.MaxReason {
			t.Fatalf("%d %q %v", gotCode, got, err)
		}
		if !ws.CodeSendable(code) {
			code, reason = ws.CodeNone, ""
		}
		if gotCode != code || utf8.ValidString(reason) && !strings.HasPrefix(reason, string(got)) {
			t.Fatalf("%d %q came as %d %q", code, reason, gotCode, got)
		}
	})
}

func TestAppendAllocatesNothingWhenThereIsRoom(t *testing.T) {
	dst := make([]byte, 0, 8192)
	payload := bytes.Repeat([]byte("a"), 4096)
	n := testing.AllocsPerRun(100, func() {
		dst = ws.AppendFrame(dst[:0], ws.Header{Fin: true, Opcode: ws.OpText, Masked: true, Key: key}, payload)
		dst = ws.AppendClose(dst, ws.Header{Masked: true, Key: key}, 1001, "the server is going away")
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	for _, n := range []int{64, 4096} {
		for _, masked := range []bool{false, true} {
			b.Run(fmt.Sprintf("%dB masked=%v", n, masked), func(b *testing.B) {
				dst := make([]byte, 0, 8192)
				payload := make([]byte, n)
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					dst = ws.AppendFrame(dst[:0], ws.Header{Fin: true, Opcode: ws.OpText, Masked: masked, Key: key}, payload)
				}
			})
		}
	}
}
