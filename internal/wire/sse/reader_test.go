package sse_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/leat-dev/leat/internal/wire/sse"
)

func TestBrokenConnectionIsNotACleanEnd(t *testing.T) {
	for _, broken := range []error{io.ErrUnexpectedEOF, errors.New("connection reset")} {
		src := io.MultiReader(strings.NewReader("data: a\n\ndata: b\n"), iotest.ErrReader(broken))
		r := sse.NewReader(src, 0)
		got, err := readAll(r)
		if !slices.Equal(got, []event{{Data: "a"}}) || !errors.Is(err, broken) {
			t.Errorf("%+v, %v", got, err)
		}
		if _, again := r.Next(); !errors.Is(again, broken) {
			t.Errorf("the second time: %v", again)
		}
	}
}

// An event that ends with CR may be followed by an LF. That is no reason to
// wait for it.
func TestEventIsGivenOutBeforeTheNextByteArrives(t *testing.T) {
	for _, writes := range [][2]string{
		{"data: a\n\n", "data: b\n\n"},
		{"data: a\r\r", "data: b\r\r"},
		{"data: a\r\n\r", "\ndata: b\r\n\r\n"},
	} {
		src, w := io.Pipe()
		r := sse.NewReader(src, 0)
		go func() {
			_, _ = io.WriteString(w, writes[0])
			_, _ = io.WriteString(w, writes[1]) // blocks until somebody reads again
			_ = w.Close()
		}()
		for _, want := range []string{"a", "b"} {
			if e, err := r.Next(); err != nil || string(e.Data) != want {
				t.Fatalf("%q: %q, %v", writes, e.Data, err)
			}
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%q: %v", writes, err)
		}
	}
}

func TestRetryOfZeroIsARetryTime(t *testing.T) {
	r := sse.NewReader(strings.NewReader("retry: 0\ndata: a\n\n"), 0)
	if _, ok := r.Retry(); ok {
		t.Error("a retry time before the first")
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if ms, ok := r.Retry(); ms != 0 || !ok {
		t.Errorf("%d, %v", ms, ok)
	}
}

func TestSourceThatReadsNothingForEverIsAnError(t *testing.T) {
	if _, err := sse.NewReader(nothing{}, 0).Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("%v", err)
	}
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

func TestEventsOfOneMebibyteAreReadAndOneByteMoreIsNot(t *testing.T) {
	event := func(n int) string { return "data: " + strings.Repeat("x", n-6) + "\r\n\r\n" }
	input := event(sse.DefaultMaxEvent) + event(sse.DefaultMaxEvent+1) + "data: a\n\n"
	got, err := readAll(sse.NewReader(strings.NewReader(input), 0))
	if !errors.Is(err, io.EOF) || len(got) != 3 || len(got[0].Data) != sse.DefaultMaxEvent-6 || !got[1].TooLong || got[2].Data != "a" {
		t.Errorf("%d events, %v", len(got), err)
	}
}

// Endless lines, and endless events of short lines, cost the limit.
func TestEndlessInputIsBounded(t *testing.T) {
	for _, text := range []string{"x", "data: x\n", "data\r", "id: 1\n", ": x\n", "::::"} {
		r := sse.NewReader(io.LimitReader(&endless{text: text}, 2<<20), 1<<14)
		n := testing.AllocsPerRun(1, func() {
			for {
				if _, err := r.Next(); errors.Is(err, io.EOF) {
					return
				} else if !errors.Is(err, sse.ErrTooLong) {
					t.Fatalf("%q: %v", text, err)
				}
			}
		})
		if n > 60 {
			t.Errorf("%q: %v allocations", text, n)
		}
	}
}

type endless struct {
	text string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.text[e.at]
		e.at = (e.at + 1) % len(e.text)
	}
	return len(p), nil
}

func FuzzReaderAgreesWithTheStandardsWords(f *testing.F) {
	for _, c := range readGolden(f).Read {
		f.Add([]byte(c.Bytes), 3)
	}
	f.Fuzz(func(t *testing.T, input []byte, cut int) {
		want, lastID := interpret(string(input))
		for how, src := range map[string]io.Reader{
			"whole":        bytes.NewReader(input),
			"byte by byte": iotest.OneByteReader(bytes.NewReader(input)),
			"cut":          cutAt(input, cut),
		} {
			r := sse.NewReader(src, 0)
			got, err := readAll(r)
			if !errors.Is(err, io.EOF) {
				t.Fatalf("%s: %v", how, err)
			}
			if !slices.Equal(got, want) || r.LastEventID() != lastID {
				t.Fatalf("%s:\n got %+v\nwant %+v", how, got, want)
			}
		}
	})
}

func FuzzReaderWithALimitCutAnywhere(f *testing.F) {
	for _, c := range readGolden(f).Read {
		f.Add([]byte(c.Bytes), c.Max, 3)
	}
	f.Fuzz(func(t *testing.T, input []byte, most, cut int) {
		if most <= 0 || most > 1<<16 {
			most = 16
		}
		want, err := readAll(sse.NewReader(bytes.NewReader(input), most))
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		for _, e := range want {
			if len(e.Data) > most {
				t.Fatalf("%d bytes of data, the limit is %d", len(e.Data), most)
			}
		}
		for how, src := range map[string]io.Reader{
			"byte by byte": iotest.OneByteReader(bytes.NewReader(input)),
			"cut":          cutAt(input, cut),
		} {
			if got, err := readAll(sse.NewReader(src, most)); !errors.Is(err, io.EOF) || !slices.Equal(got, want) {
				t.Fatalf("%s:\n got %+v, %v\nwant %+v", how, got, err, want)
			}
		}
	})
}

func cutAt(input []byte, cut int) io.Reader {
	i := 0
	if len(input) > 0 {
		i = int(uint(cut) % uint(len(input)))
	}
	return io.MultiReader(bytes.NewReader(input[:i]), bytes.NewReader(input[i:]))
}

// interpret is the standard's section 9.2.6 in its own order, with all of the
// input at hand.
func interpret(stream string) (events []event, lastID string) {
	events = []event{}
	stream = normal.Replace(strings.TrimPrefix(stream, "\ufeff"))
	var data, eventType, id string
	retry := 0
	for {
		line, rest, whole := strings.Cut(stream, "\n")
		if !whole {
			return events, lastID
		}
		stream = rest
		if line == "" {
			lastID = id
			if data != "" {
				events = append(events, event{ID: lastID, Name: eventType, Data: strings.TrimSuffix(data, "\n"), Retry: retry})
			}
			data, eventType, retry = "", "", 0
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			eventType = value
		case "data":
			data += value + "\n"
		case "id":
			if !strings.Contains(value, "\x00") {
				id = value
			}
		case "retry":
			if value != "" && strings.Trim(value, "0123456789") == "" {
				retry = atMost31Bits(value)
			}
		}
	}
}

func atMost31Bits(digits string) int {
	digits = strings.TrimLeft(digits, "0")
	n := 0
	for i := range digits {
		if i >= 10 {
			return 1<<31 - 1
		}
		n = n*10 + int(digits[i]-'0')
	}
	return min(n, 1<<31-1)
}

func BenchmarkReader(b *testing.B) {
	input := bytes.Repeat([]byte("event: tick\ndata: {\"time\":1700000000000,\"load\":[0.5,0.25]}\n\n"), 1000)
	b.SetBytes(int64(len(input)))
	b.ReportAllocs()
	for b.Loop() {
		r := sse.NewReader(bytes.NewReader(input), 0)
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	}
}
