package sse_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/leat-dev/leat/internal/wire/sse"
)

// golden is ../testdata/sse.golden, which the browser's reader is held to as well.
type golden struct {
	Append []struct {
		Name  string
		Event struct {
			ID, Name, Data string
			Retry          int
			Silent         bool
		}
		Comment *string
		Bytes   string
		Refused string
	}
	Read []struct {
		Name, Bytes string
		Max         int
		Want        []event
		LastEventID string
		Retry       int
	}
}

// event is an sse.Event that can be compared, or what stands for one.
type event struct {
	ID      string `json:"id,omitempty"`
	Name    string `json:"name,omitempty"`
	Data    string `json:"data"`
	Retry   int    `json:"retry,omitempty"`
	TooLong bool   `json:"tooLong,omitempty"`
}

func readGolden(t testing.TB) golden {
	t.Helper()
	text, err := os.ReadFile("../testdata/sse.golden")
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
		got, err := []byte("before"), error(nil)
		switch e := c.Event; {
		case c.Comment != nil:
			got = sse.AppendComment(got, *c.Comment)
		case e.Silent:
			got, err = sse.AppendSilent(got, e.ID, e.Retry)
		default:
			got, err = sse.Append(got, sse.Event{ID: e.ID, Name: e.Name, Data: []byte(e.Data), Retry: e.Retry})
		}
		var refused *sse.FieldError
		if errors.As(err, &refused) {
			if refused.Field != c.Refused {
				t.Errorf("%s: %q is refused, want %q", c.Name, refused.Field, c.Refused)
			}
		} else if err != nil || c.Refused != "" {
			t.Errorf("%s: %v, want %q refused", c.Name, err, c.Refused)
		}
		if want := "before" + c.Bytes; string(got) != want {
			t.Errorf("%s: %q, want %q", c.Name, got, want)
		}
	}
}

func TestReaderReadsTheGoldenBytesCutAnywhere(t *testing.T) {
	for _, c := range readGolden(t).Read {
		check := func(how string, src io.Reader) {
			t.Helper()
			r := sse.NewReader(src, c.Max)
			got, err := readAll(r)
			if !errors.Is(err, io.EOF) {
				t.Errorf("%s, %s: ended with %v", c.Name, how, err)
			}
			if !slices.Equal(got, c.Want) {
				t.Errorf("%s, %s:\n got %+v\nwant %+v", c.Name, how, got, c.Want)
			}
			if got := r.LastEventID(); got != c.LastEventID {
				t.Errorf("%s, %s: last event id %q, want %q", c.Name, how, got, c.LastEventID)
			}
			if got, ok := r.Retry(); got != c.Retry || ok != (c.Retry > 0) {
				t.Errorf("%s, %s: retry %d, %v, want %d", c.Name, how, got, ok, c.Retry)
			}
		}
		check("whole", bytes.NewReader([]byte(c.Bytes)))
		check("byte by byte", iotest.OneByteReader(bytes.NewReader([]byte(c.Bytes))))
		check("with the error of the last read", iotest.DataErrReader(bytes.NewReader([]byte(c.Bytes))))
		for i := range c.Bytes {
			check("cut", io.MultiReader(bytes.NewReader([]byte(c.Bytes[:i])), bytes.NewReader([]byte(c.Bytes[i:]))))
		}
	}
}

func readAll(r *sse.Reader) ([]event, error) {
	got := []event{}
	for {
		e, err := r.Next()
		if errors.Is(err, sse.ErrTooLong) {
			got = append(got, event{TooLong: true})
			continue
		}
		if err != nil {
			return got, err
		}
		got = append(got, event{ID: e.ID, Name: e.Name, Data: string(e.Data), Retry: e.Retry})
	}
}
