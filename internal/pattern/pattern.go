// Package pattern says which topics a pattern names.
//
// A topic's name is of tokens with dots between them: machine.cpu. In a pattern
// the token * stands for any one token, and a last token > for one or more:
//
//	room.*       room.kitchen, but not room.kitchen.oven
//	machine.>    machine.cpu and machine.cpu.0, but not machine
//	>            every topic
//
// Every name is a pattern, too: of the one topic that it names.
package pattern

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxBytes is the length of the longest name or pattern.
const MaxBytes = 256

// ValidName tells whether name can be a topic's; the error says what is wrong
// with it, and what would be right.
func ValidName(name string) error {
	if err := check("name of a topic", name); err != nil {
		return err
	}
	if Wild(name) {
		return fmt.Errorf("%q is not the name of one topic; write it whole, without * and >", name)
	}
	return nil
}

// Check tells whether p is a pattern, or a name; the error says what is wrong
// with it, and what would be right.
func Check(p string) error {
	if err := check("pattern of topics", p); err != nil {
		return err
	}
	for rest, more := p, true; more; {
		var token string
		token, rest, more = strings.Cut(rest, ".")
		switch {
		case token == ">" && more:
			return fmt.Errorf("%q: > stands for all tokens that follow, so it comes last; write * for one token", p)
		case token != "*" && token != ">" && Wild(token):
			return fmt.Errorf("%q: * and > stand for whole tokens, not for a part of %q; write * in its place", p, token)
		}
	}
	return nil
}

// check tells whether s is of tokens that * and > may stand in.
func check(what, s string) error {
	switch {
	case s == "":
		return errors.New("the " + what + " is empty; write one like machine.cpu")
	case len(s) > MaxBytes:
		return fmt.Errorf("the %s has %d bytes; it may have %d", what, len(s), MaxBytes)
	case !utf8.ValidString(s):
		return fmt.Errorf("%q is not UTF-8", s)
	case strings.Contains(s, "/"):
		return fmt.Errorf("%q has a slash; write dots between tokens, as in machine.cpu", s)
	case s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, ".."):
		return fmt.Errorf("%q has an empty token; write one dot between two tokens, and none at an end", s)
	}
	for i, r := range s {
		switch {
		case unicode.IsSpace(r):
			return fmt.Errorf("%q has white space at byte %d; a token has none: write - or _", s, i)
		case unicode.IsControl(r):
			return fmt.Errorf("%q has a control character at byte %d; a token has none", s, i)
		}
	}
	return nil
}

// Wild tells whether a pattern can match more than one topic.
func Wild(pattern string) bool {
	return strings.IndexByte(pattern, '*') >= 0 || strings.IndexByte(pattern, '>') >= 0
}

// Match tells whether a pattern matches a name. Both are valid. It allocates
// nothing.
func Match(pattern, name string) bool { return Contains(pattern, name) }

// Contains tells whether wide matches every name that narrow matches. Both are
// valid. It allocates nothing.
func Contains(wide, narrow string) bool {
	for {
		w, wRest, wMore := strings.Cut(wide, ".")
		n, nRest, nMore := strings.Cut(narrow, ".")
		switch {
		case w == ">":
			return true
		case n == ">", w != "*" && w != n:
			return false
		case !wMore || !nMore:
			return wMore == nMore
		}
		wide, narrow = wRest, nRest
	}
}
