package ndjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/leat-dev/leat/internal/wire/ndjson"
)

func TestBrokenConnectionIsNotACleanEnd(t *testing.T) {
	for _, broken := range []error{io.ErrUnexpectedEOF, errors.New("connection reset")} {
		src := io.MultiReader(strings.NewReader("1\n2\n34"), iotest.ErrReader(broken))
		r := ndjson.NewReader(src, 0)
		got, err := readAll(r)
		if !slices.Equal(got, []string{"1", "2"}) || !errors.Is(err, broken) {
			t.Errorf("%q, %v: a cut record must not be given out", got, err)
		}
		if _, again := r.Next(); !errors.Is(again, broken) {
			t.Errorf("the second time: %v", again)
		}
	}
}

func TestBadLineSaysWhereAndWhy(t *testing.T) {
	r := ndjson.NewReader(strings.NewReader("1\n\n{\"a\":tru}\n"), 0)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	_, err := r.Next()
	var bad *ndjson.BadLine
	if !errors.As(err, &bad) || bad.Line != 3 || bad.Text != `{"a":tru}` {
		t.Fatalf("%#v", err)
	}
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		t.Errorf("%v is not encoding/json's own error", bad.Err)
	}
	if got := bad.Error(); !strings.HasPrefix(got, "ndjson: line 3: ") || !strings.Contains(got, `{\"a\":tru}`) {
		t.Errorf("%s", got)
	}
}

func TestBadLinesTextIsKeptInFullAndShownShort(t *testing.T) {
	_, err := ndjson.NewReader(strings.NewReader(strings.Repeat("x", 500)+"\n"), 0).Next()
	var bad *ndjson.BadLine
	if !errors.As(err, &bad) || len(bad.Text) != 500 || len(bad.Error()) > 200 {
		t.Errorf("%v", err)
	}
}

func TestLineIsGivenOutBeforeTheNextByteArrives(t *testing.T) {
	src, w := io.Pipe()
	r := ndjson.NewReader(src, 0)
	go func() {
		_, _ = io.WriteString(w, "1\n2")
		_, _ = io.WriteString(w, "\n") // blocks until somebody reads again
		_ = w.Close()
	}()
	for _, want := range []string{"1", "2"} {
		if line, err := r.Next(); err != nil || string(line) != want {
			t.Fatalf("%q, %v", line, err)
		}
	}
}

func TestSourceThatReadsNothingForEverIsAnError(t *testing.T) {
	_, err := ndjson.NewReader(nothing{}, 0).Next()
	if !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("%v", err)
	}
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

func TestLinesOfOneMebibyteAreReadAndOneByteMoreIsNot(t *testing.T) {
	line := func(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }
	input := line(ndjson.DefaultMaxLine) + "\r\n" + line(ndjson.DefaultMaxLine+1) + "\n1\n"
	r := ndjson.NewReader(strings.NewReader(input), 0)
	if got, err := r.Next(); err != nil || len(got) != ndjson.DefaultMaxLine {
		t.Fatalf("%d, %v", len(got), err)
	}
	if _, err := r.Next(); !errors.Is(err, ndjson.ErrTooLong) {
		t.Fatal(err)
	}
	if got, err := r.Next(); err != nil || string(got) != "1" {
		t.Fatalf("%q, %v", got, err)
	}
}

// An endless line costs the limit, not what the sender has to say.
func TestEndlessLineIsBounded(t *testing.T) {
	const long = 4 << 20
	r := ndjson.NewReader(io.LimitReader(endless{}, long), 1<<14)
	n := testing.AllocsPerRun(1, func() {
		_, _ = r.Next()
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%v", err)
		}
	})
	if n > 30 {
		t.Errorf("%v allocations", n)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func FuzzReaderAgreesWithASplitOfTheWhole(f *testing.F) {
	for _, c := range readGolden(f).Read {
		f.Add([]byte(c.Bytes), c.Max, 3)
	}
	f.Fuzz(func(t *testing.T, input []byte, most, cut int) {
		if most <= 0 || most > 1<<16 {
			most = 1 << 16
		}
		want := split(input, most)
		for how, src := range map[string]io.Reader{
			"whole":        bytes.NewReader(input),
			"byte by byte": iotest.OneByteReader(bytes.NewReader(input)),
			"cut":          cutAt(input, cut),
		} {
			got, err := readAll(ndjson.NewReader(src, most))
			if !errors.Is(err, io.EOF) {
				t.Fatalf("%s: %v", how, err)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s:\n got %q\nwant %q", how, got, want)
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

// split is the reader in the simplest words, with all of the input at hand.
func split(input []byte, most int) []string {
	var got []string
	lines := bytes.Split(input, []byte("\n"))
	if len(lines[len(lines)-1]) == 0 {
		lines = lines[:len(lines)-1]
	}
	for i, line := range lines {
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) > most {
			got = append(got, mark("tooLong", i+1))
			continue
		}
		if i == 0 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		line = bytes.Trim(line, " \t\r")
		if len(line) == 0 {
			continue
		}
		if json.Valid(line) {
			got = append(got, string(bytes.ToValidUTF8(line, []byte("\ufffd"))))
		} else {
			got = append(got, mark("bad", i+1))
		}
	}
	return got
}

func BenchmarkReader(b *testing.B) {
	input := bytes.Repeat([]byte("{\"time\":1700000000000,\"load\":[0.5,0.25]}\n"), 1000)
	b.SetBytes(int64(len(input)))
	b.ReportAllocs()
	for b.Loop() {
		r := ndjson.NewReader(bytes.NewReader(input), 0)
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	}
}
