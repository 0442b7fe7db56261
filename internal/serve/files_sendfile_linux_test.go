package serve

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"runtime/trace"
	"sync/atomic"
	"testing"
	"testing/fstest"
)

// sparse makes a file of that size that takes no room, and serves it.
func sparse(t *testing.T, size int64) *Files {
	t.Helper()
	fsys, dir := folderOf(t, nil)
	file, err := os.Create(filepath.Join(dir, "large.zip"))
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return &Files{FS: fsys}
}

// download serves one file over TCP and returns how many bytes came.
func download(t *testing.T, files *Files, name, ranges string) int64 {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		files.ServeFile(w, r, r.URL.Path, FileOptions{})
	}))
	defer srv.Close()
	r, err := http.NewRequest("GET", srv.URL+"/"+name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ranges != "" {
		r.Header.Set("Range", ranges)
	}
	resp, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestTheKernelSendsTheFile looks for the system call in an execution trace,
// which holds the stack of each.
func TestTheKernelSendsTheFile(t *testing.T) {
	const size = 8 << 20
	traced := func(files *Files, ranges string, want int64) bool {
		t.Helper()
		var buf bytes.Buffer
		if err := trace.Start(&buf); err != nil {
			t.Fatal(err)
		}
		n := download(t, files, "large.zip", ranges)
		trace.Stop()
		if n != want {
			t.Errorf("%d bytes, want %d", n, want)
		}
		return bytes.Contains(buf.Bytes(), []byte("syscall.Sendfile"))
	}
	folder := sparse(t, size)
	if !traced(folder, "", size) {
		t.Error("a file of a folder is copied")
	}
	if !traced(folder, "bytes=1000-", size-1000) {
		t.Error("a range of a file is copied")
	}
	memory := &Files{FS: fstest.MapFS{"large.zip": {Data: make([]byte, size)}}}
	if traced(memory, "", size) {
		t.Error("the trace shows sendfile for a file in memory: this test sees nothing")
	}
}

// TestTheConnectionIsHandedTheFile sees the way to the system call: the
// connection's ReadFrom with an *os.File beneath.
func TestTheConnectionIsHandedTheFile(t *testing.T) {
	const size = 1 << 20
	files := sparse(t, size)
	var handed atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		files.ServeFile(w, r, r.URL.Path, FileOptions{})
	}))
	srv.Listener = watchedListener{srv.Listener, &handed}
	srv.Start()
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL + "/large.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	// The last bytes come before the server has counted them.
	srv.Close()
	if n := handed.Load(); n < size-1024 { // net/http copies the first 512
		t.Errorf("the connection was handed %d bytes of %d", n, size)
	}
}

type watchedListener struct {
	net.Listener
	handed *atomic.Int64
}

func (l watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return watchedConn{conn.(*net.TCPConn), l.handed}, nil
}

type watchedConn struct {
	*net.TCPConn
	handed *atomic.Int64
}

func (c watchedConn) ReadFrom(src io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(src)
	if limited, ok := src.(*io.LimitedReader); ok {
		if _, ok := limited.R.(*os.File); ok {
			c.handed.Add(n)
		}
	}
	return n, err
}

func TestALargeFileIsServedInConstantMemory(t *testing.T) {
	const large, part = 1 << 30, 1 << 27
	files := sparse(t, large)
	for ranges, want := range map[string]int64{
		"":                                     large,
		"bytes=-134217728":                     part,
		"bytes=0-67108863,536870912-603979775": part, // in two
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if n := download(t, files, "large.zip", ranges); n < want {
			t.Errorf("%q: %d bytes, want %d", ranges, n, want)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
			t.Errorf("%q: %d bytes allocated for %d", ranges, used, want)
		}
	}
}

func TestNoDescriptorStaysOpen(t *testing.T) {
	files := sparse(t, 1000)
	count := func() int {
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(open)
	}
	requests := []request{
		{path: "/large.zip"},
		{path: "/large.zip", headers: []string{"Range: bytes=0-1,3-4"}},
		{path: "/large.zip", headers: []string{"Range: bytes=5000-"}},
		{path: "/large.zip", headers: []string{"If-Match: \"x\"", "Accept-Encoding: br"}, options: FileOptions{Compressed: true}},
		{path: "/large.zip/"},
		{path: "/"},
		{path: "/none"},
	}
	before := count()
	for range 20 {
		for _, q := range requests {
			bodyOf(t, q.to(files))
		}
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}
