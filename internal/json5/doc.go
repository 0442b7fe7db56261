// Package json5 reads JSON5 into a tree that knows the line of everything.
//
// It accepts the whole of JSON5 1.0 (https://spec.json5.org) and nothing
// else, and so everything that encoding/json accepts, with the same values.
// What people write by mistake (a missing colon or comma, a text without
// quotes, a comment with #) is an error that says what to write instead; the
// reader mends it and goes on, so that one reading finds all mistakes.
package json5
