package json5_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/json5"
)

func TestEveryNodeAndKeyKnowsItsPlace(t *testing.T) {
	tests := []struct{ name, source, want string }{
		{"one value", `7`, "7@1:1"},
		{"space in front", "  \n\t7", "7@2:2"},
		{"a byte order mark does not count", "\uFEFF7", "7@1:1"},
		{"an object", `{a: 1, "b": 'x'}`, `{@1:1 a@1:2 1@1:5 b@1:8 "x"@1:13`},
		{"columns count characters", `{"日本": '😀', é: 1}`, `{@1:1 日本@1:2 "😀"@1:8 é@1:13 1@1:16`},
		{"LF", "[\n1,\n 2]", "[@1:1 1@2:1 2@3:2"},
		{"CRLF is one line end", "[\r\n1,\r\n 2]", "[@1:1 1@2:1 2@3:2"},
		{"CR", "[\r1,\r 2]", "[@1:1 1@2:1 2@3:2"},
		{"the line ends of ECMAScript", "[\u20281,\u2029 2]", "[@1:1 1@2:1 2@3:2"},
		{"after a comment of two lines", "/* a\n b */ 1", "1@2:7"},
		{"after a text of two lines", "['a\\\r\nb', 1]", `[@1:1 "ab"@1:2 1@2:5`},
		{"nested", "{\n  a: {\n    b: [true, null],\n  },\n}", "{@1:1 a@2:3 {@2:6 b@3:5 [@3:8 true@3:9 null@3:15"},
		{"numbers keep their source", "[+.5, 0xFF, 9007199254740993]", "[@1:1 +.5@1:2 0xFF@1:7 9007199254740993@1:13"},
		{"a key with an escape", `{\u0061b: 1}`, "{@1:1 ab@1:2 1@1:11"},
		{"a tab is one column", "{\ta:\t1}", "{@1:1 a@1:3 1@1:6"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root, err := json5.Parse([]byte(test.source))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(places(root), " "); got != test.want {
				t.Errorf("\n got %s\nwant %s", got, test.want)
			}
		})
	}
}

// places lists every node and key below n as text@line:column.
func places(n *json5.Node) []string {
	text := map[json5.Kind]string{
		json5.Null: "null", json5.Bool: fmt.Sprint(n.Bool), json5.Number: n.Text,
		json5.String: fmt.Sprintf("%q", n.Text), json5.Array: "[", json5.Object: "{",
	}[n.Kind]
	list := []string{fmt.Sprintf("%s@%v", text, n.Pos)}
	for _, item := range n.Items {
		list = append(list, places(item)...)
	}
	for _, m := range n.Members {
		list = append(list, fmt.Sprintf("%s@%v", m.Key, m.KeyPos))
		list = append(list, places(m.Value)...)
	}
	return list
}

func TestOffsetsPointAtTheBytes(t *testing.T) {
	source := "\uFEFF{ /* é */ 'ключ': [1, \"б\"] }"
	root, err := json5.Parse([]byte(source))
	if err != nil {
		t.Fatal(err)
	}
	m := root.Members[0]
	for want, pos := range map[string]json5.Pos{
		"{": root.Pos, "'ключ'": m.KeyPos, "[1": m.Value.Pos, "1,": m.Value.Items[0].Pos, `"б"`: m.Value.Items[1].Pos,
	} {
		if !strings.HasPrefix(source[pos.Offset:], want) {
			t.Errorf("%s: offset %d points at %q", want, pos.Offset, source[pos.Offset:])
		}
	}
}
