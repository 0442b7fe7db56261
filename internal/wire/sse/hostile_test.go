package sse_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/wire/sse"
)

var update = flag.Bool("update", false, "rewrite the golden files that are made by chance")

const hostileFile = "../testdata/sse-hostile.golden"

// hostile is a stream of events whose fields are made to break out of their
// lines. The browser's tests read it with two parsers of their own.
type hostile struct {
	Sent  []event `json:"sent"` // what a reader must find, line ends normalised
	Bytes string  `json:"bytes"`
}

func TestHostileFieldsGoldenStaysWithinItsEvents(t *testing.T) {
	h := makeHostile(t)
	text, err := json.MarshalIndent(h, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile(hostileFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(hostileFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, want) {
		t.Errorf("the bytes of events changed; if you mean it: go test -run Golden -update")
	}
	got, err := readAll(sse.NewReader(strings.NewReader(h.Bytes), 0))
	if !errors.Is(err, io.EOF) || !slices.Equal(got, h.Sent) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, h.Sent)
	}
}

// makeHostile is the same on every run.
func makeHostile(t *testing.T) hostile {
	t.Helper()
	random := rand.New(rand.NewPCG(2, 2))
	words := []string{
		"\n", "\r", "\r\n", "\n\n", "data", "data:", "data: ", "id:", "id: 6", "event:", "retry: 1", ":", " ", "  ", "\t",
		"\ufeff", "\u2028", "\u0085", "\v", "\f", "é", "€", "😀", "{\"a\":1}", "\\n", "x",
	}
	field := func(most int) string {
		var b strings.Builder
		for range random.IntN(most) {
			b.WriteString(words[random.IntN(len(words))])
		}
		return b.String()
	}
	var h hostile
	var stream []byte
	id := ""
	for len(h.Sent) < 120 {
		e := sse.Event{ID: field(3), Name: field(3), Data: []byte(field(10)), Retry: random.IntN(2) * random.IntN(9)}
		longer, err := sse.Append(stream, e)
		if refused := strings.ContainsAny(e.ID+e.Name, "\r\n"); refused != (err != nil) {
			t.Fatalf("%+v: %v", e, err)
		}
		if err != nil {
			if len(longer) != len(stream) {
				t.Fatalf("%+v left something behind", e)
			}
			continue
		}
		stream = longer
		switch random.IntN(4) {
		case 0:
			stream = sse.AppendComment(stream, field(6))
		case 1:
			stream = sse.AppendHeartbeat(stream)
		}
		if e.ID != "" {
			id = e.ID
		}
		h.Sent = append(h.Sent, event{ID: id, Name: e.Name, Data: normal.Replace(string(e.Data)), Retry: e.Retry})
	}
	h.Bytes = string(stream)
	return h
}
