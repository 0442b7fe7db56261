package serve

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// OpenDocuments opens a folder to serve files from. No name and no symbolic
// link leads out of it ([os.Root]); what is neither a file nor a directory
// cannot be opened, and opening never waits. A folder that is replaced by
// another of its name, as builds and deployments do, is seen as the new one.
func OpenDocuments(dir string) (fs.FS, io.Closer, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, nil, err
	}
	f := &folder{dir: dir}
	if _, err := f.current(); err != nil {
		return nil, nil, err
	}
	return f, f, nil
}

// A folder is the file system of a directory, whichever has its name.
type folder struct {
	dir string

	mu     sync.Mutex
	root   *os.Root
	id     fs.FileInfo // of root
	closed bool
}

// current is the root for the directory that has the name now.
func (f *folder) current() (*os.Root, error) {
	info, err := os.Stat(f.dir)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, fs.ErrClosed
	}
	if f.root != nil && os.SameFile(info, f.id) {
		return f.root, nil
	}
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, err
	}
	id, err := root.Stat(".")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	if f.root != nil {
		_ = f.root.Close() // opened for reading; who is using it still can
	}
	f.root, f.id = root, id
	return root, nil
}

// Open opens a file or a directory.
func (f *folder) Open(name string) (fs.File, error) {
	local, err := filepath.Localize(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	root, err := f.current()
	if err != nil {
		return nil, err
	}
	file, err := openQuiet(root, local)
	if errors.Is(err, fs.ErrClosed) { // the folder was replaced just now
		if root, err = f.current(); err == nil {
			file, err = openQuiet(root, local)
		}
	}
	if err != nil {
		return nil, err
	}
	return file, nil
}

// openQuiet opens a file or a directory and leaves devices alone, which may
// act when they are opened. It cannot be made to wait by a name that becomes a
// pipe between the look and the act.
func openQuiet(root *os.Root, name string) (*os.File, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() && !info.IsDir() {
		return nil, fmt.Errorf("%s is neither a file nor a directory: %w", name, fs.ErrNotExist)
	}
	return root.OpenFile(name, os.O_RDONLY|nonblock, 0)
}

// Close ends the use of the folder; files that are open stay so.
func (f *folder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	return f.root.Close()
}
