//go:build unix

package serve

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestWhatIsNoFileIsNotThereAndNobodyWaitsForIt(t *testing.T) {
	fsys, dir := folderOf(t, map[string]string{"a.txt": "a", "a.txt.gz/x": "", "secret.txt": "x"})
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "a.txt.br"), 0o644); err != nil {
		t.Fatal(err)
	}
	// A socket's path has room for 100 bytes.
	t.Chdir(dir)
	l, err := net.Listen("unix", "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Symlink("pipe", "link"); err != nil {
		t.Fatal(err)
	}
	files := &Files{FS: fsys}
	for _, path := range []string{"/pipe", "/pipe/", "/socket", "/link"} {
		if got := (request{path: path}).to(files).StatusCode; got != 404 {
			t.Errorf("%s: %d", path, got)
		}
	}
	q := request{path: "/a.txt", headers: []string{"Accept-Encoding: br, gzip"}, options: FileOptions{Compressed: true}}
	if resp := q.to(files); resp.StatusCode != 200 || resp.Header.Get("Content-Encoding") != "" {
		t.Errorf("siblings that are no files: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestOpeningAPipeDoesNotWait(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	// What openQuiet does when a file became a pipe after it was looked at.
	file, err := root.OpenFile("pipe", os.O_RDONLY|nonblock, 0)
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
}

// A failing file system answers every Open with one error.
type failing struct{ err error }

func (f failing) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: f.err}
}

func TestAnErrorOfTheSystemHasItsStatus(t *testing.T) {
	for err, want := range map[error]int{
		fs.ErrNotExist: 404, fs.ErrPermission: 403, syscall.EACCES: 403, syscall.ENOTDIR: 404, syscall.ENAMETOOLONG: 404, syscall.ELOOP: 404,
		syscall.EMFILE: 503, syscall.ENFILE: 503, syscall.EIO: 500,
	} {
		if got := (request{path: "/a"}).to(&Files{FS: failing{err}}).StatusCode; got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
}
