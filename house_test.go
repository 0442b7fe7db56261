package leat_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/leat-dev/leat"

// platforms are the systems on which the house must stand: a file for another
// system must not open a forbidden door.
var platforms = []string{"linux", "darwin", "windows"}

// TestImports holds the import direction drawn in ARCHITECTURE.md.
func TestImports(t *testing.T) {
	allowed := readRules(t, "ARCHITECTURE.md")
	for _, goos := range platforms {
		for _, p := range list(t, goos, "./...") {
			room := rel(p.ImportPath)
			doors, ok := allowed[drawnAs(allowed, room)]
			if !ok {
				t.Errorf("%s: room is not drawn in ARCHITECTURE.md", room)
				continue
			}
			for _, imp := range p.Imports {
				if imp != module && !strings.HasPrefix(imp, module+"/") {
					continue
				}
				if door := rel(imp); !slices.Contains(doors, drawnAs(allowed, door)) {
					t.Errorf("%s: %s imports %s; ARCHITECTURE.md allows only %v", goos, room, door, doors)
				}
			}
		}
	}
}

// A listed package is what go list says of one.
type listed struct {
	ImportPath, Doc string
	Imports         []string
	Module          *struct{ Path string }
}

// list returns the packages that go list finds for goos.
func list(t *testing.T, goos string, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Doc,Imports,Module"}, args...)...)
	cmd.Env = append(os.Environ(), "GOOS="+goos)
	dec := json.NewDecoder(bytes.NewReader(output(t, cmd)))
	var all []listed
	for dec.More() {
		var p listed
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func output(t *testing.T, cmd *exec.Cmd) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, &stderr)
	}
	return out
}

func rel(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

// drawnAs returns the name under which ARCHITECTURE.md draws a room: its own,
// or a folder's with a star.
func drawnAs(rules map[string][]string, room string) string {
	if _, ok := rules[room]; !ok {
		return path.Join(path.Dir(room), "*")
	}
	return room
}

// readRules returns, per room, everything below it (transitively).
func readRules(t *testing.T, file string) map[string][]string {
	t.Helper()
	m := regexp.MustCompile("(?s)```imports\n(.*?)```").FindStringSubmatch(read(t, file))
	if m == nil {
		t.Fatalf("%s: no imports block", file)
	}
	below := map[string][]string{}
	split := func(s string) []string {
		var out []string
		for f := range strings.SplitSeq(s, ",") {
			if f = strings.TrimSpace(f); f != "" && f != "NONE" {
				out = append(out, f)
			}
		}
		return out
	}
	for line := range strings.Lines(m[1]) {
		lo, hi, ok := strings.Cut(line, "<")
		if !ok {
			continue
		}
		for _, h := range split(hi) {
			if _, dup := below[h]; !dup {
				below[h] = nil
			}
			for _, l := range split(lo) {
				below[h] = append(append(below[h], l), below[l]...)
			}
		}
	}
	return below
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// rootNeeds are the modules that the root package stands on, and why. Whoever
// embeds Leat carries them too, so the list is short and each has a reason.
var rootNeeds = map[string]string{
	"github.com/golang-jwt/jwt/v5": "checks the tokens of who reads and publishes; what is subtle in it has been attacked for years",

	"github.com/klauspost/compress": "compresses WebSocket messages without a window that lives on, which compress/flate cannot; RFC 7692 wants its own flush",

	"golang.org/x/sys": "TCP_NOTSENT_LOWAT, which bounds what the kernel keeps for a reader; package syscall has no name for it",
}

func TestRootPackageStandsOnFewModules(t *testing.T) {
	found := map[string]bool{}
	for _, goos := range platforms {
		for _, p := range list(t, goos, "-deps", ".") {
			if p.Module != nil && p.Module.Path != module {
				found[p.Module.Path] = true
			}
		}
	}
	for m := range found {
		if rootNeeds[m] == "" {
			t.Errorf("the root package now needs %s; if it must, say why in rootNeeds", m)
		}
	}
	for m := range rootNeeds {
		if !found[m] {
			t.Errorf("the root package no longer needs %s", m)
		}
	}
}

func TestEveryPackageHasADocComment(t *testing.T) {
	for _, p := range list(t, "linux", "./...") {
		if p.Doc == "" {
			t.Errorf("%s: no package comment", p.ImportPath)
		}
	}
}

// tracked returns the files that git tracks.
func tracked(t *testing.T) []string {
	t.Helper()
	out := strings.Split(string(output(t, exec.Command("git", "ls-files", "-z"))), "\x00")
	return slices.DeleteFunc(out, func(file string) bool {
		info, err := os.Stat(file)
		return err != nil || !info.Mode().IsRegular() // deleted, not yet committed
	})
}

// TestFilesNameNoMachine keeps the folders of one machine and the addresses of
// package registries out of the tree: both differ from place to place.
func TestFilesNameNoMachine(t *testing.T) {
	// Cut in two, so that this file does not name them either.
	banned := regexp.MustCompile(strings.Join([]string{
		`(^|[\s"'=(])/(ro` + `ot|wo` + `rk|home/\w+|Users/\w+)/`,
		`proxy\.go` + `lang`, `sum\.go` + `lang`, `registry\.npm` + `js`, `deb\.deb` + `ian`,
	}, "|"))
	for _, file := range tracked(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(b, 0) >= 0 {
			continue // a picture or the like
		}
		n := 0
		for line := range bytes.Lines(b) {
			n++
			if m := banned.Find(line); m != nil {
				t.Errorf("%s:%d: names %s", file, n, bytes.TrimSpace(m))
			}
		}
	}
}
