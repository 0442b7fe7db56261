package pattern

import (
	"slices"
	"strings"
	"testing"
)

func TestNamesAreOfTokensWithDotsBetweenThem(t *testing.T) {
	for _, c := range []struct{ name, wrong string }{
		{"machine.cpu", ""},
		{"a", ""},
		{"größe.毎日", ""},
		{"a-b_c:d@e#f", ""},
		{strings.Repeat("a", MaxBytes), ""},
		{"", `the name of a topic is empty; write one like machine.cpu`},
		{strings.Repeat("a", MaxBytes+1), `the name of a topic has 257 bytes; it may have 256`},
		{"a\xff", `"a\xff" is not UTF-8`},
		{"room/kitchen", `"room/kitchen" has a slash; write dots between tokens, as in machine.cpu`},
		{".a", `".a" has an empty token; write one dot between two tokens, and none at an end`},
		{"a.", `"a." has an empty token; write one dot between two tokens, and none at an end`},
		{"a..b", `"a..b" has an empty token; write one dot between two tokens, and none at an end`},
		{".", `"." has an empty token; write one dot between two tokens, and none at an end`},
		{"the room", `"the room" has white space at byte 3; a token has none: write - or _`},
		{"a\u00a0b", `"a\u00a0b" has white space at byte 1; a token has none: write - or _`},
		{"a\u2028b", `"a\u2028b" has white space at byte 1; a token has none: write - or _`},
		{"a\x00", `"a\x00" has a control character at byte 1; a token has none`},
		{"a\x7f", `"a\x7f" has a control character at byte 1; a token has none`},
		{"room.*", `"room.*" is not the name of one topic; write it whole, without * and >`},
		{"room.>", `"room.>" is not the name of one topic; write it whole, without * and >`},
		{"a*b", `"a*b" is not the name of one topic; write it whole, without * and >`},
	} {
		if err := ValidName(c.name); said(err) != c.wrong {
			t.Errorf("%q: %v, want %q", c.name, err, c.wrong)
		}
	}
}

func TestPatternsHaveStarsAndALastArrowAsWholeTokens(t *testing.T) {
	for _, c := range []struct{ pattern, wrong string }{
		{"machine.cpu", ""},
		{"*", ""},
		{">", ""},
		{"*.*.>", ""},
		{"a.*.b", ""},
		{"", `the pattern of topics is empty; write one like machine.cpu`},
		{"*..a", `"*..a" has an empty token; write one dot between two tokens, and none at an end`},
		{"a b.*", `"a b.*" has white space at byte 1; a token has none: write - or _`},
		{">.a", `">.a": > stands for all tokens that follow, so it comes last; write * for one token`},
		{"a.>.>", `"a.>.>": > stands for all tokens that follow, so it comes last; write * for one token`},
		{"room.k*", `"room.k*": * and > stand for whole tokens, not for a part of "k*"; write * in its place`},
		{"**", `"**": * and > stand for whole tokens, not for a part of "**"; write * in its place`},
		{"a>", `"a>": * and > stand for whole tokens, not for a part of "a>"; write * in its place`},
	} {
		if err := Check(c.pattern); said(err) != c.wrong {
			t.Errorf("%q: %v, want %q", c.pattern, err, c.wrong)
		}
	}
}

func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestPatternsMatchTokenByToken(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{"room.kitchen", []string{"room.kitchen"}, []string{"room", "room.kitchen.oven", "room.kitchens", "oom.kitchen"}},
		{"room.*", []string{"room.kitchen", "room.a"}, []string{"room", "room.kitchen.oven", "rooms.kitchen"}},
		{"*.cpu", []string{"machine.cpu"}, []string{"cpu", "a.b.cpu", "machine.cpu.0"}},
		{"machine.>", []string{"machine.cpu", "machine.cpu.0"}, []string{"machine", "machines.cpu"}},
		{"*.>", []string{"a.b", "a.b.c"}, []string{"a"}},
		{">", []string{"a", "a.b"}, nil},
	} {
		for _, name := range c.yes {
			if !Match(c.pattern, name) {
				t.Errorf("%s does not match %s", c.pattern, name)
			}
		}
		for _, name := range c.no {
			if Match(c.pattern, name) {
				t.Errorf("%s matches %s", c.pattern, name)
			}
		}
	}
}

// sequences are all sequences of up to n of these tokens.
func sequences(n int, tokens ...string) [][]string {
	all := [][]string{}
	for longest := [][]string{{}}; n > 0; n-- {
		var next [][]string
		for _, s := range longest {
			for _, token := range tokens {
				next = append(next, append(slices.Clone(s), token))
			}
		}
		all = append(all, next...)
		longest = next
	}
	return all
}

// matches is what the page on names says of patterns, word by word.
func matches(pattern, name []string) bool {
	if len(pattern) == 0 || len(name) == 0 {
		return len(pattern) == len(name)
	}
	switch pattern[0] {
	case ">":
		return len(pattern) == 1
	case "*":
		return matches(pattern[1:], name[1:])
	default:
		return pattern[0] == name[0] && matches(pattern[1:], name[1:])
	}
}

// The names have a token that no pattern has: without it a star would be no more
// than a and b together.
func TestContainsIsWhatComparingAllNamesSays(t *testing.T) {
	names := sequences(5, "a", "b", "c")
	var patterns [][]string
	for _, p := range sequences(4, "a", "b", "*", ">") {
		if Check(strings.Join(p, ".")) == nil {
			patterns = append(patterns, p)
		}
	}
	sets := make([][]bool, len(patterns))
	for i, p := range patterns {
		sets[i] = make([]bool, len(names))
		for j, n := range names {
			sets[i][j] = matches(p, n)
			if got := Match(strings.Join(p, "."), strings.Join(n, ".")); got != sets[i][j] {
				t.Fatalf("Match(%v, %v) is %v", p, n, got)
			}
		}
	}
	contained := 0
	for i, wide := range patterns {
		for j, narrow := range patterns {
			want := true
			for k, in := range sets[j] {
				want = want && (!in || sets[i][k])
			}
			if want {
				contained++
			}
			if got := Contains(strings.Join(wide, "."), strings.Join(narrow, ".")); got != want {
				t.Fatalf("Contains(%v, %v) is %v", wide, narrow, got)
			}
		}
	}
	if contained <= len(patterns) || contained == len(patterns)*len(patterns) {
		t.Fatalf("%d of %d pairs: the test proves nothing", contained, len(patterns)*len(patterns))
	}
}

func TestWildIsWhatMatchesMoreThanOneName(t *testing.T) {
	for p, want := range map[string]bool{"a.b": false, "a": false, "*": true, "a.>": true, "a.*.b": true} {
		if Wild(p) != want {
			t.Errorf("Wild(%s) is not %v", p, want)
		}
	}
}

func TestMatchingAllocatesNothing(t *testing.T) {
	all := testing.AllocsPerRun(100, func() {
		if !Match("machine.*.>", "machine.cpu.0") || Match("machine.*", "room.kitchen") || ValidName("machine.cpu.0") != nil {
			t.Error("they do not match as they should")
		}
	})
	if all != 0 {
		t.Errorf("%v allocations", all)
	}
}

// FuzzPatterns holds what is true of any two texts.
func FuzzPatterns(f *testing.F) {
	for _, p := range [][2]string{
		{"a.*", "a.b"},
		{"a.>", "a.*"},
		{">", "*.>"},
		{"a..b", "a"},
		{"a>", "*b"},
		{"\xff", "/"},
		{"a b", "\x00"},
		{"größe.*", "größe.毎日"},
		{"", "."},
	} {
		f.Add(p[0], p[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, s := range []string{a, b} {
			if ValidName(s) == nil && (Check(s) != nil || Wild(s)) {
				t.Fatalf("%q is a name and no pattern of it alone", s)
			}
			if Check(s) == nil && !Wild(s) && ValidName(s) != nil {
				t.Fatalf("%q is a pattern without * and > and yet no name", s)
			}
			for _, err := range []error{ValidName(s), Check(s)} {
				if err != nil && (strings.ContainsAny(err.Error(), "\r\n\x00") || len(err.Error()) > 2048) {
					t.Fatalf("an error cannot be printed: %q", err)
				}
			}
			if Check(s) == nil && (!Contains(s, s) || !Contains(">", s)) {
				t.Fatalf("%q is not in itself, or not in everything", s)
			}
		}
		contained := Contains(a, b) // must not panic, whatever they are
		if Check(a) != nil || Check(b) != nil {
			return
		}
		if want := matches(strings.Split(a, "."), strings.Split(b, ".")); ValidName(b) == nil && (Match(a, b) != want || contained != want) {
			t.Fatalf("%q matches %q: not %v", a, b, want)
		}
		if contained && Contains(b, a) && a != b {
			t.Fatalf("%q and %q contain one another", a, b)
		}
	})
}
