package leat_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/leat-dev/leat"
)

// TestReadme compiles every complete Go program in README.md and loads every
// configuration.
func TestReadme(t *testing.T) {
	for i, program := range blocks(t, "README.md", "go") {
		if !strings.Contains(program, "package main") {
			continue
		}
		// The name keeps ./... away from it.
		dir, err := os.MkdirTemp(".", "_readme") //nolint:usetesting // in the module, so that the import resolves
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		file := filepath.Join(dir, "main.go")
		if err := os.WriteFile(file, []byte(program), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("go", "vet", file).CombinedOutput(); err != nil {
			t.Errorf("README.md, program %d: %s", i+1, out)
		}
	}
	loadsAll(t, "README.md")
}

func TestConfigurationsInTheDocumentsLoad(t *testing.T) {
	for _, document := range []string{"docs/streaming.md", "docs/websockets.md", "docs/web-json5.md", "docs/actions.md"} {
		loadsAll(t, document)
	}
}

// loadsAll loads every configuration in a document.
func loadsAll(t *testing.T, document string) {
	t.Helper()
	for i, config := range blocks(t, document, "json5") {
		file := filepath.Join(t.TempDir(), "web.json5")
		if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := leat.Load(file); err != nil {
			t.Errorf("%s, configuration %d: %v", document, i+1, err)
		}
	}
}

// blocks returns the fenced code blocks of a Markdown file in one language.
func blocks(t *testing.T, file, language string) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```").FindAllStringSubmatch(read(t, file), -1) {
		all = append(all, m[1])
	}
	if len(all) == 0 {
		t.Errorf("%s: no %s block", file, language)
	}
	return all
}
