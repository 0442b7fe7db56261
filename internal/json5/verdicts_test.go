package json5_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/leat-dev/leat/internal/json5"
)

// verdict is a line of testdata/verdicts.json: what the reference
// implementation of JSON5 1.0 says to a source.
type verdict struct {
	Source string
	OK     bool
	Value  any
}

func TestEveryVerdictIsThatOfTheReference(t *testing.T) {
	for _, v := range readVerdicts(t) {
		root, err := json5.Parse([]byte(v.Source))
		switch {
		case v.OK && err != nil:
			t.Errorf("%q is right, but: %v", v.Source, err)
		case !v.OK && err == nil:
			t.Errorf("%q is wrong, but was read as %#v", v.Source, plain(root))
		case v.OK && !same(plain(root), expand(v.Value)):
			t.Errorf("%q\n got %#v\nwant %#v", v.Source, plain(root), expand(v.Value))
		}
	}
}

func readVerdicts(t testing.TB) []verdict {
	t.Helper()
	src, err := os.ReadFile("testdata/verdicts.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []verdict
	if err := json.NewDecoder(bytes.NewReader(src)).Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list
}

// plain makes of a tree what encoding/json makes of the same source.
func plain(n *json5.Node) any {
	switch n.Kind {
	case json5.Bool:
		return n.Bool
	case json5.Number:
		return n.Number
	case json5.String:
		return n.Text
	case json5.Array:
		list := make([]any, len(n.Items))
		for i, item := range n.Items {
			list[i] = plain(item)
		}
		return list
	case json5.Object:
		object := map[string]any{}
		for _, m := range n.Members {
			object[m.Key] = plain(m.Value)
		}
		return object
	default:
		return nil
	}
}

// expand undoes how verdicts.mjs writes numbers and objects.
func expand(v any) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = expand(item)
		}
		return list
	case map[string]any:
		if text, ok := v["number"].(string); ok {
			f, _ := strconv.ParseFloat(text, 64)
			return f
		}
		object := map[string]any{}
		for _, m := range v["members"].([]any) {
			object[m.([]any)[0].(string)] = expand(m.([]any)[1])
		}
		return object
	default:
		return v
	}
}

// same is reflect.DeepEqual, but NaN is itself and -0 is not 0.
func same(a, b any) bool {
	switch a := a.(type) {
	case float64:
		b, ok := b.(float64)
		return ok && (math.Float64bits(a) == math.Float64bits(b) || a != a && b != b)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !same(a[i], b[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k := range a {
			if other, ok := b[k]; !ok || !same(a[k], other) {
				return false
			}
		}
		return true
	default:
		return a == b
	}
}
