package serve

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestSymbolicLinksDoNotLeaveTheFolder(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	fsys, dir := folderOf(t, map[string]string{"a.txt": "a", "sub/b.txt": "b"})
	for link, target := range map[string]string{
		"inside": "a.txt", "sub/up": "../a.txt", "there": "sub",
		"absolute": filepath.Join(outside, "secret"), "out": outside, "climb": "../../../../../../../../etc/passwd", "loop": "loop",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	files := &Files{FS: fsys}
	for path, want := range map[string]int{
		"/inside": 200, "/sub/up": 200, "/there/b.txt": 200,
		"/absolute": 404, "/out/secret": 404, "/climb": 404, "/loop": 404, "/out/": 404,
	} {
		if got := (request{path: path}).to(files).StatusCode; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
}

func TestAFolderThatIsReplacedIsSeenAsTheNewOne(t *testing.T) {
	parent := t.TempDir()
	site := filepath.Join(parent, "site")
	build := func(dir, text string) {
		t.Helper()
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build(site, "one")
	fsys, closer, err := OpenDocuments(site)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	files := &Files{FS: fsys}
	get := func() string { return bodyOf(t, request{path: "/a.txt"}.to(files)) }
	if got := get(); got != "one" {
		t.Fatalf("%q", got)
	}

	// A deployment: the new folder is renamed into place.
	build(site+".new", "two")
	if err := errors.Join(os.Rename(site, site+".old"), os.Rename(site+".new", site)); err != nil {
		t.Fatal(err)
	}
	if got := get(); got != "two" {
		t.Errorf("after a rename: %q", got)
	}

	// A build: the folder is removed and made again, under requests.
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if resp := (request{path: "/a.txt"}).to(files); resp.StatusCode != 200 && resp.StatusCode != 404 {
					t.Errorf("%d", resp.StatusCode)
				}
			}
		})
	}
	for range 50 {
		if err := os.RemoveAll(site); err != nil {
			t.Fatal(err)
		}
		build(site, "three")
		if got := get(); got != "three" {
			t.Errorf("after a build: %q", got)
		}
	}
	close(stop)
	wg.Wait()
}

func TestDocumentsMustBeAFolder(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, filepath.Join(dir, "none")} {
		if _, _, err := OpenDocuments(name); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	fsys, closer, err := OpenDocuments(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(closer.Close(), closer.Close()); err != nil {
		t.Error(err)
	}
	if _, err := fsys.Open("file"); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
