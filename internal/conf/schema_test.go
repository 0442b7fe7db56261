package conf_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/leat-dev/leat/internal/conf"
	"github.com/leat-dev/leat/internal/json5"
)

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(conf.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("web.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("web.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// value is a file as the schema sees it.
func value(t *testing.T, src []byte) any {
	t.Helper()
	root, err := json5.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	return plain(root)
}

func plain(n *json5.Node) any {
	switch n.Kind {
	case json5.Bool:
		return n.Bool
	case json5.Number:
		if math.IsInf(n.Number, 0) {
			return "infinite" // which JSON has no number for
		}
		return n.Number
	case json5.String:
		return n.Text
	case json5.Array:
		list := []any{}
		for _, item := range n.Items {
			list = append(list, plain(item))
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

func TestTheSchemaAcceptsWhatLoads(t *testing.T) {
	schema := compileSchema(t)
	var files []string
	for _, pattern := range []string{"testdata/*.json5", "testdata/seeds/*.json5", "../site/*.json5", "../../examples/*/*.json5"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if _, _, err := conf.Load(file); err != nil {
			t.Error(err)
		}
		if err := schema.Validate(value(t, src)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestTheSchemaRefusesWhatItsFormCanTell(t *testing.T) {
	schema := compileSchema(t)
	for _, source := range []string{
		`[]`, `{ lisen: ':80' }`, `{ listen: 80 }`, `{ web: { limits: { fibers: 4 } } }`, `{ web: {}, listen: ':80' }`,
		`{ limits: { queue: '64 kilo' } }`, `{ limits: { queue: 0 } }`, `{ timeouts: { write: '5m' } }`, `{ dotFiles: 'true' }`,
		`{ routes: {} }`, `{ routes: [{ handler: 'cgi' }] }`, `{ routes: [{ limits: { connections: 5 } }] }`, `{ redirect: [{ to: '/', status: 200 }] }`,
		`{ topics: {} }`, `{ topics: [{ matches: 'a' }] }`, `{ topics: [{ match: '' }] }`, `{ topics: [{ slow: 'wait' }] }`, `{ topics: [{ history: 'all' }] }`,
		`{ topics: [{ history: { count: -1 } }] }`, `{ topics: [{ history: { size: 1 } }] }`, `{ topics: [{ maxRate: 0 }] }`, `{ topics: [{ maxRate: 'fast' }] }`,
		`{ topics: [{ source: 'vmstat 1' }] }`, `{ topics: [{ source: { command: 5 } }] }`, `{ topics: [{ subscribe: true }] }`, `{ state: '' }`,
		`{ tokens: { keys: [] } }`, `{ tokens: { keys: [{ algorithm: 'none', env: 'A' }] } }`, `{ tokens: { keys: [{ algorithm: 'HS256', env: 'a b' }] } }`,
	} {
		if schema.Validate(value(t, []byte(source))) == nil {
			t.Errorf("the schema accepts %s", source)
		}
		if _, _, err := conf.Parse([]byte(source), "web.json5"); err == nil {
			t.Errorf("%s loads", source)
		}
	}
}

func TestTheSchemaAcceptsEveryDefault(t *testing.T) {
	// A Config that Fill made is one that a file could say.
	c := &conf.Config{Routes: []conf.Route{{}}, Redirects: []conf.Redirect{{To: "/"}}, Topics: []conf.Topic{{}}}
	conf.Fill(c)
	if err := conf.Validate(c); err != nil {
		t.Error(err)
	}
	if !slices.Equal(c.Listen, []string{"http://127.0.0.1:4000"}) {
		t.Error(c.Listen)
	}
}
