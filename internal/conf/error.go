package conf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// An Error says where web.json5 is wrong and what would be right. An error of
// a Config that no file gave has no File, and Line 0.
type Error struct {
	File      string
	Line, Col int    // from 1
	Path      string // of the key: "routes[0].limits.queue"; empty for the file as a whole
	Problem   string
	Hint      string // what to write instead; may be empty
}

// Error is one line: web.json5:14:9: limits.queue: "64 kilo" is not a size; write 64KB or 65536.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "%s:%d:%d: ", e.File, e.Line, e.Col)
	}
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	b.WriteString(e.Problem)
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Errors are all the mistakes of one file, sorted by their place.
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

// sorted is e by line and column, or nil if there is none.
func (e Errors) sorted() error {
	if len(e) == 0 {
		return nil
	}
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return e
}

// wrongAt says whether something has been reported at a path or below it.
func (r *reader) wrongAt(path string) bool {
	return slices.ContainsFunc(r.errs, func(e *Error) bool {
		rest, below := strings.CutPrefix(e.Path, path)
		return below && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}
