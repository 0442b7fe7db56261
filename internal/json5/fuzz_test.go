package json5_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/leat-dev/leat/internal/json5"
)

// FuzzParse holds what is true of any source: no panic, positions inside the
// source, and encoding/json's value for everything that it accepts.
func FuzzParse(f *testing.F) {
	for _, v := range readVerdicts(f) {
		f.Add([]byte(v.Source))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		root, err := json5.Parse(src)
		if err != nil {
			checkErrors(t, src, err)
		}
		if root != nil {
			checkPlaces(t, src, root)
		}
		var want any
		if json.Unmarshal(src, &want) != nil {
			return
		}
		if err != nil {
			t.Fatalf("encoding/json accepts it: %v", err)
		}
		if got := plain(root); !same(got, want) {
			t.Fatalf("\n got %#v\nwant %#v", got, want)
		}
	})
}

func checkErrors(t *testing.T, src []byte, err error) {
	t.Helper()
	var list json5.Errors
	if !errors.As(err, &list) || len(list) == 0 {
		t.Fatalf("%T with %d errors", err, len(list))
	}
	for _, e := range list {
		if e.Msg == "" {
			t.Error("an error without a message")
		}
		checkPos(t, src, e.Pos)
	}
}

func checkPlaces(t *testing.T, src []byte, n *json5.Node) {
	t.Helper()
	checkPos(t, src, n.Pos)
	for _, item := range n.Items {
		checkPlaces(t, src, item)
	}
	for _, m := range n.Members {
		checkPos(t, src, m.KeyPos)
		checkPlaces(t, src, m.Value)
	}
}

func checkPos(t *testing.T, src []byte, p json5.Pos) {
	t.Helper()
	if p.Line < 1 || p.Col < 1 || p.Offset < 0 || p.Offset > len(src) {
		t.Fatalf("%+v lies outside %d bytes", p, len(src))
	}
}
