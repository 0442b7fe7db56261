package conf

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// object is a JSON object in the making.
type object map[string]any

// Schema is the JSON Schema (2020-12) of web.json5, for editors. It knows
// every key and the form of each value; what takes more than that to tell
// (whether an expression compiles, whether a key is in effect) it accepts.
func Schema() []byte {
	top := grow(atTop).schema()
	top["properties"].(object)["web"] = object{"$ref": "#/$defs/server"}
	schema := object{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "web.json5",
		"if":      object{"required": []string{"web"}},
		"then":    object{"$ref": "#/$defs/top"},
		"else":    object{"$ref": "#/$defs/flat"},
		"$defs": object{
			"top":      top,
			"flat":     grow(atTop | inServer).schema(),
			"server":   grow(inServer).schema(),
			"route":    grow(inRoute).schema(),
			"redirect": grow(inRedirect).schema(),
			"topic":    grow(inTopic).schema(),
			"tokenKey": grow(inTokenKey).schema(),

			"size": sizes.schema(), "sizeOrZero": orZero(sizes).schema(),
			"number": counts.schema(), "numberOrZero": orZero(counts).schema(),
			"duration": times.schema(), "durationOrZero": orZero(times).schema(),
		},
	}
	out, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		panic(err) // a mistake in the table, which a test finds
	}
	return append(out, '\n')
}

func (t *tree) schema() object {
	properties := object{}
	for name, kid := range t.kids {
		switch {
		case kid.row == nil:
			properties[name] = kid.schema()
		case kid.kids == nil:
			properties[name] = kid.row.schema()
		default:
			properties[name] = object{"anyOf": []any{kid.row.schema(), kid.schema()}}
		}
	}
	return object{
		"type":                 "object",
		"properties":           properties,
		"patternProperties":    object{"^_": true},
		"additionalProperties": false,
	}
}

func (w *row) schema() object {
	schema := maps.Clone(w.kind.schema())
	if w.state == protects {
		schema = object{"anyOf": []any{schema, object{"enum": []any{nil, false, ""}}}}
	}
	schema["description"] = strings.TrimSpace(w.stateText() + " " + strings.ReplaceAll(w.doc, "`", ""))
	switch {
	case w.def == "" || w.keep:
	case w.kind == flag || w.kind == toggle:
		schema["default"] = w.def == "true"
	default:
		schema["default"] = w.def
	}
	return schema
}

// stateText says in a sentence what does not go without saying.
func (w *row) stateText() string {
	switch w.state {
	case later:
		return "Not yet in effect."
	case protects:
		return "Not yet in effect, and an error."
	case unneeded:
		return "Not needed: " + strings.ReplaceAll(w.why, "`", "") + "."
	default:
		return ""
	}
}

// schema is the forms of a quantity: a number, or a text in any case.
func (q *quantity) schema() object {
	least := object{"exclusiveMinimum": 0}
	if q.zero {
		least = object{"minimum": 0}
	}
	least["type"] = "number"
	words := slices.Sorted(maps.Keys(unbounded))
	units := slices.Sorted(maps.Keys(q.units))
	pattern := `^\s*(` + anyCase(words) + `|\+?([0-9]+(\.[0-9]+)?|\.[0-9]+)\s*(` + anyCase(units) + `))\s*$`
	return object{"anyOf": []any{least, object{"type": "string", "pattern": pattern}}}
}

// anyCase is a regular expression for some words in any case.
func anyCase(words []string) string {
	var b strings.Builder
	for i, word := range words {
		if i > 0 {
			b.WriteByte('|')
		}
		for _, c := range word {
			b.WriteString("[" + string(c) + string(unicode.ToUpper(c)) + "]")
		}
	}
	return b.String()
}
