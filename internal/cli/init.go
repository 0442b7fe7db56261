package cli

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/site"
)

func initVerb() verb {
	return verb{
		name:    "init",
		args:    "DIR",
		summary: "write a small project of your own to start from",
		help: `
DIR gets a page with a moving number, its web.json5 and the Go program that
serves it. Nothing that is there already is written over.`,
		setup: newInit,
	}
}

type initOptions struct{}

func newInit(*flag.FlagSet) run { return initOptions{}.run }

func (initOptions) run(_ context.Context, std stdio, args []string) error {
	if len(args) != 1 {
		return usageError{errors.New("name one folder, as in: leat init hello")}
	}
	dir := args[0]
	files, err := starterFiles(dir)
	if err != nil {
		return err
	}
	// All names are looked at before the first is written, so that a refusal
	// leaves the folder as it was.
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s is there already; name a new folder", path)
		}
	}
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.data, 0o666); err != nil {
			return err
		}
		fmt.Fprintln(std.out, path)
	}
	_, err = fmt.Fprintf(std.out, "\nNow: cd %s && go mod tidy && go run .\n", dir)
	return err
}

// starter holds the files of a new project. Those that would make a package or
// a module here end in .txt.
//
//go:embed starter
var starter embed.FS

// A starterFile is one file of a new project.
type starterFile struct {
	name string
	data []byte
}

func starterFiles(dir string) ([]starterFile, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	files := []starterFile{{"go.mod", goMod(filepath.Base(abs))}}
	for _, source := range []struct {
		name string
		fsys fs.FS
		path string
	}{
		{"main.go", starter, "starter/main.go.txt"},
		{"web.json5", starter, "starter/web.json5"},
		{filepath.Join("site", "index.html"), starter, "starter/site/index.html"},
		{filepath.Join("site", "leat.js"), site.FS(), "files/leat.js"},
		{filepath.Join("site", "subscribe.js"), site.FS(), "files/subscribe.js"},
	} {
		data, err := fs.ReadFile(source.fsys, source.path)
		if err != nil {
			return nil, err
		}
		files = append(files, starterFile{source.name, data})
	}
	return files, nil
}

// goMod returns the go.mod of a new project. A leat that was built from its
// source, and not from a published version, has the project use that source.
func goMod(project string) []byte {
	const leatModule = "github.com/leat-dev/leat"
	name := regexp.MustCompile(`[^A-Za-z0-9._-]+`).ReplaceAllString(project, "-")
	mod := fmt.Sprintf("module example.com/%s\n\ngo 1.26\n\nrequire %s v%s\n", name, leatModule, leat.Version)
	if dir := sourceDir(); dir != "" {
		mod += fmt.Sprintf("\n// The leat that wrote this was built from its source.\nreplace %s => %q\n", leatModule, dir)
	}
	return []byte(mod)
}

// sourceDir returns the folder of the source that this program was built from,
// or "" if it was built from a published version or the folder is not here.
func sourceDir() string {
	if info, ok := debug.ReadBuildInfo(); !ok || info.Main.Sum != "" {
		return ""
	}
	_, file, _, _ := runtime.Caller(0) // DIR/internal/cli/init.go
	dir := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		return ""
	}
	return dir
}
