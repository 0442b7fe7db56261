package leat_test

import (
	"flag"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files")

// TestAPI holds the public surface: testdata/api.txt is what a user sees.
func TestAPI(t *testing.T) {
	const golden = "testdata/api.txt"
	got := output(t, exec.Command("go", "doc", "-all", "."))
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if read(t, golden) != string(got) {
		t.Error("the public API changed; if you mean it: make golden, and say why in the commit")
	}
}

func TestEveryPublicTypeHasAnExample(t *testing.T) {
	for _, typ := range publicDoc(t).Types {
		n := len(typ.Examples)
		for _, f := range append(typ.Funcs, typ.Methods...) {
			n += len(f.Examples)
		}
		if n == 0 {
			t.Errorf("type %s has no Example", typ.Name)
		}
	}
}

// publicDoc is what go doc knows of the package.
func publicDoc(t *testing.T) *doc.Package {
	t.Helper()
	fset := token.NewFileSet()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var parsed []*ast.File
	for _, name := range files {
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
	}
	p, err := doc.NewFromFiles(fset, parsed, module)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
