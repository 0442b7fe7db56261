package json5_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/json5"
)

func TestMistakesAreNamedWithTheirCure(t *testing.T) {
	tests := []struct{ source, want string }{
		{"webSockets {\n ping: 1\n}", "1:1: the outer braces are missing; write { before the first key and } after the last\n1:11: missing ':' after the key \"webSockets\""},
		{"{\n  webSockets {}\n}", `2:13: missing ':' after the key "webSockets"`},
		{"{a = 1, b => 2}", "1:4: write ':' in place of '=' after the key \"a\"\n1:11: write ':' in place of '=' after the key \"b\""},
		{"{a: 1\n b: 2}", `1:6: missing ',' after the value of "a"`},
		{"[1\n 2]", `1:3: missing ',' between two items of the list`},
		{"{a: 1; b: 2}", `1:6: write ',' in place of ';'`},
		{"[1,,2]", `1:4: ',' stands alone; remove it`},
		{"{a: 1}}", `1:7: '}' comes after the end of an object`},
		{"{a: [1}", `1:7: '}' cannot close a list that begins at 1:5; write ']'`},
		{"{a: {b: 1]}", `1:10: ']' cannot close an object that begins at 1:5; write '}'`},
		{"{a: {\nb: 1", "2:5: the file ends inside an object that begins at 1:5; write the missing '}'"},
		{"{a: 1, b}", `1:9: the key "b" has no value`},
		{"{a: , b: 1}", `1:3: the key "a" has no value`},
		{"{max-age: 1}", `1:2: the key max-age needs quotes; write 'max-age'`},
		{"{2: 1}", `1:2: the key 2 needs quotes; write '2'`},
		{"{{a: 1}}", "1:2: a key is wanted here, not '{'; several values stand in a list: [ … ]"},
		{"{handler: action, x: 1}", `1:11: action needs quotes; write 'action'`},
		{"{inactivity: 5 mins\n}", `1:14: 5 mins needs quotes; write '5 mins'`},
		{"{queue: 64KB // why\n}", `1:9: 64KB needs quotes; write '64KB'`},
		{"{match: /ws/{x}/y }", `1:9: /ws/{x}/y needs quotes; write '/ws/{x}/y'`},
		{"{listen: [http://:80]}", `1:11: http://:80 needs quotes; write 'http://:80'`},
		{"[yes, Off, True]", "1:2: yes needs quotes; write true\n1:7: Off needs quotes; write false\n1:12: True needs quotes; write true"},
		{"{a: ‘x’}", `1:5: ‘x’ needs quotes; write '‘x’'`},
		{"[007]", `1:2: 007 is not a number; write it without the leading zero, or in quotes`},
		{"['a\n']", `1:2: this text has no closing ' on its line`},
		{"{a: '5 mins, b: '2hrs'}", `1:18: a text ends just before '2'; a quote is missing before it, or one too many`},
		{"['it's']", `1:6: a text ends just before 's'; a quote is missing before it, or one too many`},
		{"[`a\nb`]", "1:2: ` does not quote a text; write ' or \", and \\ at the end of a line that goes on"},
		{"# one\n{a: 1}", `1:1: a comment does not begin with '#'; write //`},
		{"/* open", `1:1: this comment has no */`},
		{"[1 / 2]", "1:3: missing ',' between two items of the list\n1:4: / 2 needs quotes; write '/ 2'"},
		{`["\x4", "\u12", "\7"]`, "1:3: this escape needs 2 hexadecimal digits\n1:10: this escape needs 4 hexadecimal digits\n1:18: \\7 is not an escape; write \\x and two hexadecimal digits"},
		{"", "1:1: there is nothing in it; the least is {}"},
		{"{a: :}", "1:5: a value is wanted here, not ':'"},
		{"{a: 1,\n\x00}", "2:1: the key \uFFFD needs quotes; write '\uFFFD'\n2:2: the key \"\\x00\" has no value"},
	}
	for _, test := range tests {
		_, err := json5.Parse([]byte(test.source))
		if err == nil || err.Error() != test.want {
			t.Errorf("%q\n got %v\nwant %s", test.source, err, test.want)
		}
	}
}

func TestAMendedTreeComesWithItsErrors(t *testing.T) {
	root, err := json5.Parse([]byte("{ webSockets { ping: 1min } x: yes, y, z: 2 }"))
	var first *json5.Error
	if !errors.As(err, &first) || first.Pos.String() != "1:13" {
		t.Fatalf("the first error is %v", first)
	}
	want := map[string]any{"webSockets": map[string]any{"ping": "1min"}, "x": true, "z": 2.0}
	if got := plain(root); !same(got, want) {
		t.Errorf("\n got %#v\nwant %#v", got, want)
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != 5 {
		t.Errorf("%d errors:\n%v", n, err)
	}
}

func TestNestingHasTheLimitOfEncodingJSON(t *testing.T) {
	nested := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	if _, err := json5.Parse(nested(10000)); err != nil {
		t.Error(err)
	}
	_, err := json5.Parse(nested(10001))
	if err == nil || err.Error() != "1:10001: nested more than 10000 deep" {
		t.Error(err)
	}
	if _, err := json5.Parse([]byte(strings.Repeat("{a:", 5_000_000))); err == nil {
		t.Error("five million open objects have no error")
	}
}

func TestReadingGivesUpAfterTwentyMistakes(t *testing.T) {
	root, err := json5.Parse([]byte("[" + strings.Repeat("x y,", 1000) + "]"))
	var list json5.Errors
	if !errors.As(err, &list) || len(list) != 20 || root != nil {
		t.Errorf("%d mistakes, tree %v", len(list), root)
	}
}

func TestBytesThatAreNotUTF8AreReplacedAsInEncodingJSON(t *testing.T) {
	root, err := json5.Parse([]byte("[\"a\xff\xfeb\"]"))
	if err != nil || root.Items[0].Text != "a\uFFFD\uFFFDb" {
		t.Errorf("%v %v", root, err)
	}
	if _, err := json5.Parse([]byte("[\xff]")); err == nil {
		t.Error("a byte outside a text was accepted")
	}
}

func TestBothOfTwoMembersWithOneKeyAreKept(t *testing.T) {
	root, err := json5.Parse([]byte("{a: 1,\n a: 2}"))
	if err != nil || len(root.Members) != 2 || root.Members[1].KeyPos.Line != 2 {
		t.Errorf("%v %v", root, err)
	}
}
