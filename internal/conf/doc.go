// Package conf turns web.json5 into plain values by one table of keys.
//
// The table says, for each key, how its value is read, what it is when the
// file does not set it, what Ioto's default is where that differs, whether
// Leat acts on it yet, and one sentence for the reference page. Parsing,
// defaults, errors, docs/web-json5.md and the JSON Schema all come from it.
package conf
