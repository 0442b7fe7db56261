package conf_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/conf"
)

var update = flag.Bool("update", false, "rewrite golden files")

// golden compares got with a file, or writes the file.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s is no longer\n%s\nbut\n%s", file, want, got)
	}
}

// TestGoldenMistakesAreAllNamedWithTheirCure reads each file of
// testdata/mistakes and compares what is said about it.
func TestGoldenMistakesAreAllNamedWithTheirCure(t *testing.T) {
	files, err := filepath.Glob("testdata/mistakes/*.json5")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json5"), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, _, err := conf.Parse(src, filepath.Base(file))
			if c != nil || err == nil {
				t.Fatalf("it was accepted: %+v", c)
			}
			checkErrors(t, err)
			golden(t, strings.TrimSuffix(file, ".json5")+".txt", []byte(err.Error()+"\n"))
		})
	}
}

// checkErrors holds what is true of all errors of one file.
func checkErrors(t *testing.T, err error) {
	t.Helper()
	var list conf.Errors
	if !errors.As(err, &list) || len(list) == 0 || len(list) != len(list.Unwrap()) {
		t.Fatalf("%T: %v", err, err)
	}
	line, col := 1, 1
	for _, e := range list {
		if e.File == "" || e.Problem == "" || strings.Contains(e.Error(), "\n") {
			t.Errorf("%+v", e)
		}
		if e.Line < line || e.Line == line && e.Col < col {
			t.Errorf("%v stands behind %d:%d", e, line, col)
		}
		line, col = e.Line, e.Col
	}
}
