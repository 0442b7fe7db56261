package ws_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/wire/ws"
)

// assemble tells the messages that an Assembler makes of bytes in these cuts.
func assemble(t *testing.T, a ws.Assembler, cuts ...[]byte) []string {
	t.Helper()
	r := ws.NewReader(ws.ReaderOptions{})
	var told []string
	for _, cut := range cuts {
		whole := bytes.Clone(cut)
		b := whole
		for {
			ev, rest, err := r.Next(b)
			if err != nil {
				t.Fatal(err)
			}
			for m, ok := a.Next(&ev); ok; m, ok = a.Next(&ev) {
				told = append(told, fmt.Sprintf("%s %q continuation=%v last=%v", m.Type, m.Data, m.Continuation, m.Last))
			}
			if b = rest; ev.Kind == ws.More {
				break
			}
		}
		clear(whole) // what is gathered must not be part of the cut
	}
	if r.Idle() && !a.Idle() {
		t.Error("something is left behind the last message")
	}
	return told
}

var assembled = []struct {
	name   string
	a      ws.Assembler
	frames []frame
	want   []string
}{
	{
		"whole messages",
		ws.Assembler{},
		[]frame{{0x01, "ab"}, {0x89, "ping"}, {0x00, ""}, {0x80, "cd"}, {0x82, ""}, {0x81, "e"}},
		[]string{`text "abcd" continuation=false last=true`, `binary "" continuation=false last=true`, `text "e" continuation=false last=true`},
	},
	{
		"a message of exactly a packet is whole",
		ws.Assembler{MaxPacket: 4},
		[]frame{{0x01, "ab"}, {0x80, "cd"}},
		[]string{`text "abcd" continuation=false last=true`},
	},
	{
		"longer ones come in packets, the last marked",
		ws.Assembler{MaxPacket: 4},
		[]frame{{0x81, "abcdefghij"}, {0x82, "k"}},
		[]string{
			`text "abcd" continuation=false last=false`, `text "efgh" continuation=true last=false`, `text "ij" continuation=true last=true`,
			`binary "k" continuation=false last=true`,
		},
	},
	{
		"packets do not mind frames",
		ws.Assembler{MaxPacket: 4},
		[]frame{{0x02, "a"}, {0x00, "bcdef"}, {0x00, "gh"}, {0x00, ""}, {0x80, ""}},
		[]string{`binary "abcd" continuation=false last=false`, `binary "efgh" continuation=true last=true`},
	},
	{
		"a packet of one byte",
		ws.Assembler{MaxPacket: 1},
		[]frame{{0x81, "abc"}},
		[]string{`text "a" continuation=false last=false`, `text "b" continuation=true last=false`, `text "c" continuation=true last=true`},
	},
	{
		"frames as they came, continuations told apart",
		ws.Assembler{MaxPacket: 2, Frames: true},
		[]frame{{0x01, "abcd"}, {0x00, ""}, {0x80, "e"}, {0x82, "f"}},
		[]string{
			`text "abcd" continuation=false last=false`, `text "" continuation=true last=false`, `text "e" continuation=true last=true`,
			`binary "f" continuation=false last=true`,
		},
	},
}

func TestAssemblerMakes(t *testing.T) {
	for _, c := range assembled {
		t.Run(c.name, func(t *testing.T) {
			b := frames(false, c.frames...)
			if got := assemble(t, c.a, b); !slices.Equal(got, c.want) {
				t.Fatalf("\n got %q\nwant %q", got, c.want)
			}
			var single [][]byte
			for i := range b {
				single = append(single, b[i:i+1])
				if got := assemble(t, c.a, b[:i], b[i:]); !slices.Equal(got, c.want) {
					t.Errorf("cut at %d:\n got %q\nwant %q", i, got, c.want)
				}
			}
			if got := assemble(t, c.a, single...); !slices.Equal(got, c.want) {
				t.Errorf("byte by byte:\n got %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestAssemblerGathersAtMostAPacket(t *testing.T) {
	r := ws.NewReader(ws.ReaderOptions{})
	a := ws.Assembler{MaxPacket: 100}
	b := frames(false, frame{0x82, strings.Repeat("a", 100_000)})
	for cut := range slices.Chunk(b, 33) {
		for {
			ev, rest, err := r.Next(cut)
			if err != nil {
				t.Fatal(err)
			}
			for _, ok := a.Next(&ev); ok; _, ok = a.Next(&ev) {
				continue
			}
			if cut = rest; ev.Kind == ws.More {
				break
			}
		}
		if len(a.Buf) > 100 {
			t.Fatalf("%d bytes", len(a.Buf))
		}
	}
}

func TestAssemblerCopiesOnlyWhatComesInCuts(t *testing.T) {
	var a ws.Assembler
	payload := []byte("Hello")
	ev := ws.Event{Kind: ws.Data, Type: ws.OpText, Begin: true, End: true, Last: true, Payload: payload}
	m, ok := a.Next(&ev)
	if !ok || &m.Data[0] != &payload[0] || a.Buf != nil {
		t.Errorf("%+v, %v", m, ok)
	}
	if _, ok := a.Next(&ev); ok {
		t.Error("the event gives twice")
	}
}

func TestAssemblerTakesALentBuffer(t *testing.T) {
	a := ws.Assembler{Buf: make([]byte, 0, 4096)}
	half := bytes.Repeat([]byte("a"), 2048)
	n := testing.AllocsPerRun(100, func() {
		ev := ws.Event{Kind: ws.Data, Type: ws.OpBinary, Begin: true, Payload: half}
		if _, ok := a.Next(&ev); ok || a.Idle() {
			t.Fatal("half a message is given")
		}
		ev = ws.Event{Kind: ws.Data, Type: ws.OpBinary, End: true, Last: true, Payload: half}
		if m, ok := a.Next(&ev); !ok || len(m.Data) != 4096 || !a.Idle() {
			t.Fatal(len(m.Data), ok)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
