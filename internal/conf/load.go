package conf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/leat-dev/leat/internal/json5"
)

// maxFile is more than anybody writes by hand.
const maxFile = 16 << 20

// Load reads a file. Relative paths in it are relative to the folder that it
// is in. The notes are what is not wrong and yet worth knowing: keys without
// effect, defaults that are not Ioto's. The error is an Errors, or says why
// the file could not be read; the Config is nil then.
func Load(name string) (*Config, []string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	src, err := readAll(f, name)
	if err != nil {
		return nil, nil, err
	}
	return parse(src, name, paths{dir: filepath.Dir(name)})
}

// LoadFS is Load for a file in fsys. `documents` is then a folder in fsys.
func LoadFS(fsys fs.FS, name string) (*Config, []string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	src, err := readAll(f, name)
	if err != nil {
		return nil, nil, err
	}
	return parse(src, name, paths{dir: path.Dir(name), embedded: true})
}

func readAll(f io.Reader, name string) ([]byte, error) {
	src, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(src) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxFile)
	}
	return src, err
}

// Parse is Load for what the file holds. Its name is for messages, and for
// the folder that relative paths start from.
func Parse(src []byte, name string) (*Config, []string, error) {
	return parse(src, name, paths{dir: filepath.Dir(name)})
}

func parse(src []byte, name string, p paths) (*Config, []string, error) {
	r := &reader{file: name, paths: p, set: map[string]bool{}, at: map[string]json5.Pos{}, trees: map[place]*tree{}}
	if m := appwebSyntax.FindSubmatch(src); m != nil && (m[1] != nil || directiveKey(string(m[2])) != "") {
		r.report(json5.Pos{Line: 1, Col: 1}, "", "docs/web-json5.md has the key in the place of each directive", "this is a configuration of Appweb")
		return nil, nil, r.errs
	}
	c := &Config{}
	root, err := json5.Parse(src)
	var slips json5.Errors
	if errors.As(err, &slips) {
		for _, e := range slips {
			r.report(e.Pos, "", e.Hint, "%s", e.Msg)
		}
	}
	if root != nil {
		r.document(root, c)
	}
	if c.Documents == "" {
		c.Documents = p.beside("site")
	}
	r.agree(c)
	if err := r.errs.sorted(); err != nil {
		return nil, r.notes, err
	}
	r.compare()
	return c, r.notes, nil
}

// appwebSyntax is a file that begins with a block or a directive of Appweb.
var appwebSyntax = regexp.MustCompile(`^(?:\s|#.*\n)*(?:(<)|([A-Za-z]+)[ \t]+[^\s:={])`)

// compare notes, for a file in Ioto's shape, each default that is not Ioto's.
func (r *reader) compare() {
	if r.web.Line == 0 {
		return
	}
	for w := range rows(inServer) {
		if w.ioto != "" && w.state == inEffect && !r.set[w.path] {
			r.notes = append(r.notes, fmt.Sprintf("%s: %s is not set: it is %s here, and %s in Ioto: %s", r.file, w.path, w.def, w.ioto, w.why))
		}
	}
}

// paths says what the paths in a file are relative to.
type paths struct {
	dir      string
	embedded bool // in an fs.FS, where paths have slashes
}

// beside is the path of a name in the file. @site is the folder site.
func (p paths) beside(name string) string {
	if rest, ok := strings.CutPrefix(name, "@"); ok {
		name = rest
	}
	switch {
	case p.embedded:
		return path.Join(p.dir, name)
	case filepath.IsAbs(name):
		return filepath.Clean(name)
	}
	return filepath.Join(p.dir, name)
}

// outside is beside for what is a file of the system in any case.
func (p paths) outside(name string) string {
	if p.embedded {
		return name
	}
	return p.beside(name)
}

var (
	folder = texted("folder", stringSchema, func(v val, name string) any {
		site := name == "@site" || strings.HasPrefix(name, "@site/")
		switch {
		case name == "":
			return v.wrong("write '.' for the folder of this file", "it is empty")
		case strings.HasPrefix(name, "~"):
			return v.wrong("write the whole path", "%q is not a folder, for ~ is the shell's", name)
		case strings.HasPrefix(name, "@") && !site:
			return v.wrong("write '@site' or a path", "%q is not a folder that Leat knows", name)
		}
		name = v.r.paths.beside(name)
		if v.r.paths.embedded && !fs.ValidPath(name) {
			return v.wrong("write a folder beside the file or below", "%q is not among the embedded files", name)
		}
		return name
	})

	logPath = texted("file name, `'stdout'` or `'stderr'`", stringSchema, func(v val, name string) any {
		if name == "" {
			return v.wrong("write 'stdout', 'stderr' or the name of a file", "it is empty")
		}
		if name == "stdout" || name == "stderr" {
			return name
		}
		return v.r.paths.outside(name)
	})
)
