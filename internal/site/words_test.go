package site

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzNamesAndTextsAreBoundedAndClean(f *testing.F) {
	for _, seed := range []string{"Ada", " Ada  Lovelace\n", "\u202e", "\x00", "水", strings.Repeat("x", 2001), "\xff", "a\r\nb\r"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, why := cleanName(s)
		if (name == "") == (why == "") {
			t.Errorf("the name is %q, and %q", name, why)
		}
		if why == "" {
			if again, _ := cleanName(name); again != name || utf8.RuneCountInString(name) > mostName || strings.ContainsAny(name, "\x00\r\n\t\u202e") {
				t.Errorf("the name is %q, then %q", name, again)
			}
		}
		text, why := cleanText(s)
		if (text == "") == (why == "") {
			t.Errorf("the text is %q, and %q", text, why)
		}
		if why == "" {
			if again, _ := cleanText(text); again != text || utf8.RuneCountInString(text) > mostText || strings.ContainsAny(text, "\x00\r\x7f\u009b") {
				t.Errorf("the text is %q, then %q", text, again)
			}
		}
	})
}
