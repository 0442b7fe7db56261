package route_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/route"
)

func TestCleanTakesDotsAndEmptySegmentsOut(t *testing.T) {
	for path, want := range map[string]string{
		"":               "/",
		"/":              "/",
		"/a/b":           "/a/b",
		"/a/b/":          "/a/b/",
		"//":             "/",
		"//a///b//":      "/a/b/",
		"/.":             "/",
		"/a/.":           "/a/",
		"/a/./b":         "/a/b",
		"/a/../b":        "/b",
		"/a/..":          "/",
		"/a/b/..":        "/a/",
		"/a/b/../":       "/a/",
		"/a//../b":       "/b",
		"/...":           "/...",
		"/..a/.b/c..":    "/..a/.b/c..",
		`/a\..\b`:        `/a\..\b`,
		"/a\r\nb":        "/a\r\nb",
		"/\xff/\u202e/x": "/\xff/\u202e/x",
	} {
		if got, ok := route.Clean(path); !ok || got != want {
			t.Errorf("%q: %q %t, want %q", path, got, ok, want)
		}
	}
}

func TestCleanRefusesPathsThatLeaveTheRoot(t *testing.T) {
	for _, path := range []string{"/..", "/../x", "/a/../..", "/./..", "//..", "/a/../../b", "a", "*", "a/b", "\x00", "/a\x00b"} {
		if got, ok := route.Clean(path); ok {
			t.Errorf("%q is accepted as %q", path, got)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "/", "//a/./b/../", "/..", "/a\x00", "a/b", `/\..\`, "/a/b/c/../../../.."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		clean, ok := route.Clean(path)
		if !ok {
			if clean != "" {
				t.Errorf("%q: refused with %q", path, clean)
			}
			return
		}
		if again, ok := route.Clean(clean); !ok || again != clean {
			t.Errorf("%q: %q is cleaned once more to %q", path, clean, again)
		}
		if clean[0] != '/' || strings.Contains(clean, "//") || strings.Contains(clean, "\x00") {
			t.Errorf("%q: %q", path, clean)
		}
		given := strings.Split(path, "/")
		for s := range strings.SplitSeq(clean, "/") {
			if s == "." || s == ".." || s != "" && !slices.Contains(given, s) {
				t.Errorf("%q: %q has the segment %q", path, clean, s)
			}
		}
		if strings.HasSuffix(path, "/") && !strings.HasSuffix(clean, "/") {
			t.Errorf("%q: %q has lost its slash", path, clean)
		}
	})
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{"", "/a/", "/{x}", "^/{x}$", `^\p{Greek}[[:alpha:]{x}]`, `^\Q{x}`, `^[]{x}`, "^{a}{a}", `^\`} {
		f.Add(s, "/a/b")
	}
	f.Fuzz(func(t *testing.T, match, path string) {
		table, err := route.Compile([]route.Rule{{Match: match}})
		if err != nil {
			return
		}
		_, params, ok := table.Find(path)
		if !ok {
			return
		}
		for name, value := range params.All() {
			if got, ok := params.Get(name); !ok || got != value || !strings.Contains(path, value) {
				t.Errorf("%q with %q: %s is %q", match, path, name, got)
			}
			if got := route.Expand("{"+name+"}", params); got != value {
				t.Errorf("%q with %q: {%s} expands to %q", match, path, name, got)
			}
		}
	})
}
