package serve

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/leat-dev/leat/internal/route"
)

// Files answers requests with the files of one file system. Its methods may be
// called concurrently; its fields must not change after the first call.
type Files struct {
	// FS holds the files: [OpenDocuments] for a folder, or an embedded file
	// system. Files without a time of modification are taken to be constant.
	FS fs.FS
	// Index is the file that answers for a directory; empty is index.html.
	Index string
	// Types are media types by extension, before the built-in ones.
	Types map[string]string

	once  sync.Once
	types map[string]string
	tags  sync.Map // the name of a constant file to the hash of its content
}

// FileOptions say how a file is served. The zero value serves the file plain.
type FileOptions struct {
	Cache Cache
	// Compressed serves name.br, name.zst or name.gz instead of name to
	// clients that accept it.
	Compressed bool
	// Attachment asks the browser to save the file under its name.
	Attachment bool
	// DotFiles allows path segments that start with a dot; without it only
	// .well-known is (RFC 8615).
	DotFiles bool
}

// ServeFile answers with the file of that name, a path in FS as it stands in
// the URL, decoded: a slash at its start is optional, and one at its end asks
// for a directory's index. It answers GET and HEAD with conditions and ranges
// (RFC 9110, 13 and 14), and every error itself. A file is never read into
// memory: where w has ReadFrom, an [os.File] reaches it.
func (f *Files) ServeFile(w http.ResponseWriter, r *http.Request, name string, o FileOptions) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		Error(w, r, http.StatusMethodNotAllowed, "")
		return
	}
	clean, ok := route.Clean("/" + strings.TrimPrefix(name, "/"))
	if !ok {
		Error(w, r, http.StatusBadRequest, "the path is above the root")
		return
	}
	file, err := f.find(clean, o)
	if err != nil {
		Error(w, r, errorStatus(err), "")
		return
	}
	defer file.close()
	slash := strings.HasSuffix(name, "/") || strings.HasSuffix(r.URL.Path, "/") || r.URL.Path == ""
	if file.index && !slash {
		Redirect(w, r, directoryLocation(r), http.StatusMovedPermanently)
		return
	}
	f.serve(w, r, file, o)
}

// An openFile is a regular file that answers a request.
type openFile struct {
	fs.File
	info  fs.FileInfo
	name  string // in the file system
	index bool   // whether it stands for its directory
}

func (f openFile) close() { _ = f.Close() } // it was only read

// find opens the file for a clean path, or a directory's index.
func (f *Files) find(clean string, o FileOptions) (openFile, error) {
	name := strings.Trim(clean, "/")
	if name == "" {
		name = "."
	}
	if !servable(name, o.DotFiles, runtime.GOOS == "windows") {
		return openFile{}, fs.ErrNotExist
	}
	file, err := f.open(name)
	if err != nil {
		return openFile{}, err
	}
	if !file.info.IsDir() {
		if strings.HasSuffix(clean, "/") || !file.info.Mode().IsRegular() {
			file.close()
			return openFile{}, fs.ErrNotExist
		}
		return file, nil
	}
	file.close()
	index := f.Index
	if index == "" {
		index = "index.html"
	}
	file, err = f.openRegular(path.Join(name, index))
	file.index = true
	return file, err
}

func (f *Files) open(name string) (openFile, error) {
	file, err := f.FS.Open(name)
	if err != nil {
		return openFile{}, err
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close() // Stat's error says more
		return openFile{}, err
	}
	return openFile{File: file, info: info, name: name}, nil
}

func (f *Files) openRegular(name string) (openFile, error) {
	file, err := f.open(name)
	if err == nil && !file.info.Mode().IsRegular() {
		file.close()
		return openFile{}, fs.ErrNotExist
	}
	return file, err
}

// servable says whether name may be asked for at all. On Windows some names
// mean other files than they say: a stream behind ':', a dot or a space at the
// end, which is dropped, and the short name of a long one.
func servable(name string, dotFiles, windows bool) bool {
	if !fs.ValidPath(name) || strings.ContainsAny(name, "\\\x00") {
		return false
	}
	if name == "." {
		return true
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment[0] == '.' && !dotFiles && segment != ".well-known" {
			return false
		}
		if windows && (strings.ContainsAny(segment, ":~") || strings.HasSuffix(segment, ".") || strings.HasSuffix(segment, " ")) {
			return false
		}
	}
	return true
}

// errorStatus is the answer to an error of opening a file. What leaves the
// root, is too long or has a file in the place of a directory is not there.
func errorStatus(err error) int {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return http.StatusForbidden
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return http.StatusServiceUnavailable
	case errors.Is(err, syscall.EIO):
		return http.StatusInternalServerError
	}
	return http.StatusNotFound
}

// serve answers with the file, or with its compressed sibling.
func (f *Files) serve(w http.ResponseWriter, r *http.Request, file openFile, o FileOptions) {
	h := w.Header()
	f.once.Do(func() { f.types = lowerTypes(f.Types) })
	h.Set("Content-Type", contentType(file.name, f.types))
	h.Set("X-Content-Type-Options", "nosniff")
	if o.Attachment {
		h.Set("Content-Disposition", Attachment(path.Base(file.name)))
	}
	tag := ""
	if o.Compressed {
		addVary(h, "Accept-Encoding")
		sibling, c := f.sibling(file.name, r.Header.Values("Accept-Encoding"))
		if sibling.File != nil {
			defer sibling.close()
			sibling.index = file.index
			h.Set("Content-Encoding", c.name)
			tag = "-" + c.name
			file = sibling
		}
	}
	content, done := f.content(file)
	defer done()
	if tag, err := f.tag(file, content, tag); err != nil {
		Error(w, r, http.StatusInternalServerError, "")
		return
	} else if tag != "" {
		h.Set("ETag", tag)
	}
	size := file.info.Size()
	fw := &fileWriter{ResponseWriter: w, r: r, size: size, cacheControl: o.Cache.control(file.name)}
	http.ServeContent(fw, fileRequest(r, size), "", modified(file.info), content)
}

// sibling opens the compressed file that the client likes best.
func (f *Files) sibling(name string, accept []string) (openFile, coding) {
	for _, c := range acceptable(accept) {
		if file, err := f.openRegular(name + c.suffix); err == nil {
			return file, c
		}
	}
	return openFile{}, coding{}
}

// modified is the time for Last-Modified, which is never in the future
// (RFC 9110, 8.8.2.1).
func modified(info fs.FileInfo) time.Time {
	t := info.ModTime()
	if now := time.Now(); t.After(now) {
		return now
	}
	return t
}

// addVary adds a field name to Vary unless it is there.
func addVary(h http.Header, field string) {
	for _, line := range h.Values("Vary") {
		for member := range strings.SplitSeq(line, ",") {
			if member = strings.TrimSpace(member); member == "*" || strings.EqualFold(member, field) {
				return
			}
		}
	}
	h.Add("Vary", field)
}

// A fileWriter watches what http.ServeContent answers: what belongs only to a
// success is added there, and its errors are answered as all others are.
type fileWriter struct {
	http.ResponseWriter
	r            *http.Request
	size         int64
	cacheControl string // empty: what is set already, or no-cache
	refused      bool
}

// WriteHeader sends the headers for status.
func (w *fileWriter) WriteHeader(status int) {
	h := w.Header()
	switch status {
	case http.StatusOK, http.StatusPartialContent:
		if status == http.StatusOK && h.Get("Content-Length") == "" { // net/http leaves it out beside Content-Encoding
			h.Set("Content-Length", strconv.FormatInt(w.size, 10))
		}
	case http.StatusNotModified:
		h.Del("Content-Disposition")
	default:
		w.refused = true
		Error(w.ResponseWriter, w.r, status, "")
		return
	}
	if w.cacheControl != "" {
		h.Set("Cache-Control", w.cacheControl)
	} else if h.Get("Cache-Control") == "" {
		// Without it a browser guesses from the file's age how long it is
		// fresh (RFC 9111, 4.2.2), and shows the old page after a change.
		// Asking again costs a 304.
		h.Set("Cache-Control", "no-cache")
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *fileWriter) Write(p []byte) (int, error) {
	if w.refused {
		return len(p), nil // net/http's own text for the error
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom hands a file on to the connection, which uses sendfile.
func (w *fileWriter) ReadFrom(src io.Reader) (int64, error) {
	if to, ok := w.ResponseWriter.(io.ReaderFrom); ok {
		return to.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{w.ResponseWriter}, src)
}

// Unwrap is for [http.ResponseController].
func (w *fileWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
