package sse_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/wire/sse"
)

func TestAppendAllocatesNothingWhenThereIsRoom(t *testing.T) {
	e := sse.Event{ID: "e1-17", Name: "tick", Data: []byte("{\"a\":1,\r\n\"b\":2}"), Retry: 2500}
	dst := make([]byte, 0, 512)
	n := testing.AllocsPerRun(100, func() {
		dst, _ = sse.Append(dst[:0], e)
		dst, _ = sse.AppendSilent(dst, "e1-17", 2500)
		dst = sse.AppendComment(dst, "still here")
		dst = sse.AppendHeartbeat(dst)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRefusedFieldSaysWhichAndWhy(t *testing.T) {
	_, err := sse.Append(nil, sse.Event{ID: "7\ndata: evil"})
	var refused *sse.FieldError
	if !errors.As(err, &refused) || refused.Field != "id" {
		t.Fatalf("%v", err)
	}
	if got, want := err.Error(), `sse: id: "7\ndata: evil" holds a line feed; take it out, only data may have lines`; got != want {
		t.Errorf("%s", got)
	}
}

func TestHeartbeatIsAnEmptyComment(t *testing.T) {
	if got := sse.AppendHeartbeat([]byte("x")); string(got) != "x:\n\n" {
		t.Errorf("%q", got)
	}
}

// normal is what data looks like after a journey.
var normal = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// Whatever the fields hold, a reader sees this event between its neighbours
// and nothing else.
func FuzzAppendMakesOneEvent(f *testing.F) {
	for _, c := range readGolden(f).Append {
		f.Add(c.Event.ID, c.Event.Name, []byte(c.Event.Data), c.Event.Retry, c.Bytes)
	}
	f.Fuzz(func(t *testing.T, id, name string, data []byte, retry int, comment string) {
		before, after := event{ID: "first", Data: "before"}, event{ID: "last", Data: "after"}
		stream, err := sse.Append(nil, sse.Event{ID: before.ID, Data: []byte(before.Data)})
		if err != nil {
			t.Fatal(err)
		}
		stream = sse.AppendComment(stream, comment)
		length := len(stream)
		stream, err = sse.Append(stream, sse.Event{ID: id, Name: name, Data: data, Retry: retry})
		refused := strings.ContainsAny(id+name, "\r\n\x00") || retry < 0
		if refused != (err != nil) {
			t.Fatalf("refused is %v: %v", refused, err)
		}
		if refused && len(stream) != length {
			t.Fatal("a refused event left something behind")
		}
		stream = sse.AppendComment(stream, comment)
		stream, err = sse.AppendSilent(stream, "silent", 0)
		if err != nil {
			t.Fatal(err)
		}
		stream, err = sse.Append(stream, sse.Event{ID: after.ID, Data: []byte(after.Data)})
		if err != nil {
			t.Fatal(err)
		}
		want := []event{before, after}
		if !refused {
			if id == "" {
				id = before.ID
			}
			middle := event{ID: id, Name: name, Data: normal.Replace(string(data)), Retry: min(retry, 1<<31-1)}
			want = []event{before, middle, after}
		}
		got, err := readAll(sse.NewReader(bytes.NewReader(stream), 0))
		if !errors.Is(err, io.EOF) || !slices.Equal(got, want) {
			t.Fatalf("%q\n got %+v, %v\nwant %+v", stream, got, err, want)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	for name, data := range map[string][]byte{
		"64B":       bytes.Repeat([]byte("7"), 64),
		"4KiB":      bytes.Repeat([]byte("7"), 4096),
		"100 lines": bytes.Repeat([]byte("0123456789\n"), 100),
		"100 CRLF":  bytes.Repeat([]byte("0123456789\r\n"), 100),
	} {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, 8192)
			e := sse.Event{ID: "e1-17", Name: "tick", Data: data}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				dst, _ = sse.Append(dst[:0], e)
			}
		})
	}
}
