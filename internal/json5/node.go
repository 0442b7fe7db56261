package json5

import (
	"fmt"
	"strings"
)

// Kind says which of its fields a Node uses.
type Kind uint8

// The kinds of values.
const (
	Null   Kind = iota
	Bool        // Node.Bool
	Number      // Node.Number, and its source in Node.Text
	String      // Node.Text
	Array       // Node.Items
	Object      // Node.Members
)

// String names the kind as a message does: "a number", "a list".
func (k Kind) String() string {
	names := [...]string{"null", "true or false", "a number", "a text", "a list", "an object"}
	return names[k]
}

// Pos is a place in the source. Line and Col begin at 1, and Col counts
// characters, not bytes; a byte order mark in front of the file does not
// count. Lines end as in ECMAScript: LF, CR, CRLF, U+2028, U+2029.
type Pos struct {
	Line, Col int
	Offset    int // in bytes, from 0
}

// String is "line:column".
func (p Pos) String() string { return fmt.Sprintf("%d:%d", p.Line, p.Col) }

// Node is one value. A Number's Text is what the source says, sign and
// hexadecimal prefix included, so that integers beyond 2^53 stay exact.
type Node struct {
	Kind    Kind
	Pos     Pos
	Bool    bool
	Number  float64
	Text    string
	Items   []*Node
	Members []Member
}

// Member is one key and its value. An object keeps its members in the order
// of the source, and both of two with the same key.
type Member struct {
	Key    string
	KeyPos Pos
	Value  *Node
}

// Error is one mistake in the source.
type Error struct {
	Pos  Pos
	Msg  string
	Hint string // what to write instead; may be empty
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return fmt.Sprintf("%v: %s", e.Pos, e.Msg)
	}
	return fmt.Sprintf("%v: %s; %s", e.Pos, e.Msg, e.Hint)
}

// Errors are the mistakes of one source, in its order; there is at least one.
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives each of them to errors.As.
func (e Errors) Unwrap() []error {
	list := make([]error, len(e))
	for i, err := range e {
		list[i] = err
	}
	return list
}
