// Package ndjson turns JSON values into lines and lines back into values.
//
// Newline-delimited JSON is one JSON text (RFC 8259) on each line, ended by a
// line feed. An empty line carries nothing; Leat sends it as a heartbeat.
package ndjson

import (
	"bytes"
	"slices"
)

// Append appends the JSON text as one line to dst and returns the longer slice.
//
// It is exactly one line whatever text holds: line breaks, which JSON allows
// between its tokens only, are compacted away together with the other white
// space there. Append does not check the text. Text that is not JSON
// still gives one line, and that line is not JSON either, so a reader
// reports it. Text that is empty, or only white space with a line break in it,
// gives an empty line, which readers skip.
//
// It allocates only when dst is too small.
func Append(dst, text []byte) []byte {
	dst = slices.Grow(dst, len(text)+1)
	if bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0 {
		dst = append(dst, text...)
	} else {
		dst = appendCompact(dst, text)
	}
	return append(dst, '\n')
}

// AppendHeartbeat appends an empty line, which readers skip.
func AppendHeartbeat(dst []byte) []byte {
	return append(dst, '\n')
}

// appendCompact appends text without white space between its tokens. It keeps
// valid text valid and the same value, and invalid text invalid: a space stays
// where two scalars would grow together, and a line break inside a string
// becomes a raw tab, which JSON forbids there as well.
func appendCompact(dst, text []byte) []byte {
	start := len(dst)
	inString, escaped, space := false, false, false
	for _, c := range text {
		switch {
		case inString:
			if c == '\n' || c == '\r' {
				c = '\t'
			}
			if escaped {
				escaped = false
			} else if c == '\\' {
				escaped = true
			} else if c == '"' {
				inString = false
			}
			dst = append(dst, c)
		case isSpace(c):
			space = true
		default:
			if space && len(dst) > start && !isPunct(c) && !isPunct(dst[len(dst)-1]) {
				dst = append(dst, ' ')
			}
			space = false
			inString = c == '"'
			dst = append(dst, c)
		}
	}
	return dst
}

// isSpace says whether c is JSON's white space (RFC 8259, 2).
func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r'
}

// isPunct says whether c is one of JSON's structural characters.
func isPunct(c byte) bool {
	switch c {
	case '{', '}', '[', ']', ':', ',':
		return true
	}
	return false
}
