package ndjson_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/leat-dev/leat/internal/wire/ndjson"
)

// golden is ../testdata/ndjson.golden, which the browser's reader is held to as well.
type golden struct {
	Append []struct{ Name, Value, Bytes string }
	Read   []struct {
		Name, Bytes, Hex string
		Max              int
		Want             []json.RawMessage
	}
}

func readGolden(t testing.TB) golden {
	t.Helper()
	text, err := os.ReadFile("../testdata/ndjson.golden")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&g); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestAppendWritesTheGoldenBytes(t *testing.T) {
	for _, c := range readGolden(t).Append {
		got := ndjson.Append([]byte("before"), []byte(c.Value))
		if want := "before" + c.Bytes; string(got) != want {
			t.Errorf("%s: %q, want %q", c.Name, got, want)
		}
	}
}

func TestReaderReadsTheGoldenBytesCutAnywhere(t *testing.T) {
	for _, c := range readGolden(t).Read {
		input := []byte(c.Bytes)
		if c.Hex != "" {
			input, _ = hex.DecodeString(c.Hex)
		}
		want := make([]string, 0, len(c.Want))
		for _, w := range c.Want {
			var text string
			if json.Unmarshal(w, &text) != nil {
				text = compact(t, w)
			} else {
				text = string(bytes.ToValidUTF8([]byte(text), []byte("\ufffd")))
			}
			want = append(want, text)
		}
		check := func(how string, src io.Reader) {
			t.Helper()
			got, err := readAll(ndjson.NewReader(src, c.Max))
			if !errors.Is(err, io.EOF) {
				t.Errorf("%s, %s: ended with %v", c.Name, how, err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, %s:\n got %q\nwant %q", c.Name, how, got, want)
			}
		}
		check("whole", bytes.NewReader(input))
		check("byte by byte", iotest.OneByteReader(bytes.NewReader(input)))
		check("with the error of the last read", iotest.DataErrReader(bytes.NewReader(input)))
		for i := range input {
			check("cut", io.MultiReader(bytes.NewReader(input[:i]), bytes.NewReader(input[i:])))
		}
	}
}

// readAll returns the records, and what is bad in the golden's words.
func readAll(r *ndjson.Reader) ([]string, error) {
	var got []string
	for {
		line, err := r.Next()
		var bad *ndjson.BadLine
		switch {
		case err == nil:
			got = append(got, string(bytes.ToValidUTF8(line, []byte("\ufffd"))))
		case !errors.As(err, &bad):
			return got, err
		case errors.Is(err, ndjson.ErrTooLong):
			got = append(got, mark("tooLong", bad.Line))
		default:
			got = append(got, mark("bad", bad.Line))
		}
	}
}

func mark(what string, line int) string {
	text, _ := json.Marshal(map[string]int{what: line})
	return string(text)
}

func compact(t *testing.T, text []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
