package serve

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// written is when the files of a folder were last modified.
var written = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// folderOf makes a folder with the given files and opens it.
func folderOf(t testing.TB, files map[string]string) (fs.FS, string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, written, written); err != nil {
			t.Fatal(err)
		}
	}
	fsys, closer, err := OpenDocuments(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closer.Close() })
	return fsys, dir
}

// request is one request to ServeFile. Its headers are "Name: value" lines.
type request struct {
	method  string
	path    string // decoded, of the URL
	query   string
	headers []string
	options FileOptions
}

func (q request) to(f *Files) *http.Response {
	method := q.method
	if method == "" {
		method = "GET"
	}
	r := httptest.NewRequest(method, "/", nil)
	r.URL = &url.URL{Path: q.path, RawQuery: q.query}
	for _, h := range q.headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	f.ServeFile(w, r, q.path, q.options)
	return w.Result()
}

func bodyOf(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFilesAreFoundByTheirPath(t *testing.T) {
	fsys, _ := folderOf(t, map[string]string{
		"index.html": "home", "a.txt": "a", "docs/index.html": "docs", "docs/b c.txt": "b", "empty/x": "x",
		"é/ü.txt": "u", "a%2Fb.txt": "percent",
	})
	files := &Files{FS: fsys}
	for _, c := range []struct {
		path, query    string
		status         int
		body, location string
	}{
		{"/", "", 200, "home", ""},
		{"/a.txt", "", 200, "a", ""},
		{"/index.html", "", 200, "home", ""},
		{"/docs/", "", 200, "docs", ""},
		{"/docs/b c.txt", "", 200, "b", ""},
		{"/docs/./x/..//b c.txt", "", 200, "b", ""},
		{"/é/ü.txt", "", 200, "u", ""},
		{"/a%2Fb.txt", "", 200, "percent", ""},
		{"/docs", "", 301, "Moved Permanently\n", "./docs/"},
		{"/docs", "q=1&r=%20", 301, "Moved Permanently\n", "./docs/?q=1&r=%20"},
		{"/x/../docs", "a b\r\nX: y", 301, "Moved Permanently\n", "./docs/?a%20b%0D%0AX:%20y"},
		{"//docs", "", 301, "Moved Permanently\n", "./docs/"},
		{"/A.TXT", "", 404, "Not Found\n", ""},
		{"/a.txt/", "", 404, "Not Found\n", ""},
		{"/a.txt/x", "", 404, "Not Found\n", ""},
		{"/empty/", "", 404, "Not Found\n", ""}, // no listing
		{"/none/", "", 404, "Not Found\n", ""},
		{"/../a.txt", "", 400, "the path is above the root\n", ""},
		{"/docs/../../a.txt", "", 400, "the path is above the root\n", ""},
		{"/a.txt\x00", "", 400, "the path is above the root\n", ""},
		{`/docs\index.html`, "", 404, "Not Found\n", ""},
		{"/\xff\xfe", "", 404, "Not Found\n", ""},
		{"/" + strings.Repeat("x", 5000), "", 404, "Not Found\n", ""},
		{"/" + strings.Repeat("x/", 5000), "", 404, "Not Found\n", ""},
	} {
		resp := request{path: c.path, query: c.query}.to(files)
		body := bodyOf(t, resp)
		if resp.StatusCode != c.status || body != c.body || resp.Header.Get("Location") != c.location {
			t.Errorf("%q: %d %q %q, want %d %q %q", c.path, resp.StatusCode, body, resp.Header.Get("Location"), c.status, c.body, c.location)
		}
	}
}

func TestADirectoryRedirectNeverNamesAHost(t *testing.T) {
	fsys, _ := folderOf(t, map[string]string{"evil.com/index.html": "x", "a:b/index.html": "x", "javascript:alert(1)/index.html": "x"})
	files := &Files{FS: fsys}
	for _, path := range []string{"//evil.com", "///evil.com", "/.//evil.com", "/a:b", "//a:b", "/javascript:alert(1)"} {
		resp := request{path: path}.to(files)
		location := resp.Header.Get("Location")
		u, err := url.Parse("http://good.example" + path)
		if err != nil {
			t.Fatal(err)
		}
		to, err := u.Parse(location)
		if err != nil || resp.StatusCode != 301 || to.Host != "good.example" || to.Scheme != "http" || !strings.HasSuffix(to.Path, "/") {
			t.Errorf("%q: %d %q leads to %v (%v)", path, resp.StatusCode, location, to, err)
		}
	}
}

func TestAMountWithoutASlashIsADirectory(t *testing.T) {
	files := &Files{FS: fstest.MapFS{"index.html": {Data: []byte("home")}, "docs/index.html": {Data: []byte("docs")}}}
	// /static was taken off these before the file is looked for.
	for _, c := range []struct{ url, name, location string }{
		{"/static", "", "./static/"},
		{"/static/", "", ""},
		{"/static/", "/", ""},
		{"/static/docs", "docs", "./docs/"},
		{"/static/docs/", "docs/", ""},
	} {
		w := httptest.NewRecorder()
		files.ServeFile(w, httptest.NewRequest("GET", c.url, nil), c.name, FileOptions{})
		if got := w.Header().Get("Location"); got != c.location {
			t.Errorf("%s with %q: %d %q, want %q", c.url, c.name, w.Code, got, c.location)
		}
	}
}

func TestOnlyGetAndHeadAreForFiles(t *testing.T) {
	files := &Files{FS: fstest.MapFS{"a": {Data: []byte("a")}}}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"} {
		resp := request{method: method, path: "/a"}.to(files)
		if resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD" { // RFC 9110, 15.5.6
			t.Errorf("%s: %d, Allow %q", method, resp.StatusCode, resp.Header.Get("Allow"))
		}
	}
}

func TestHeadHasTheHeadersOfGetAndNoBody(t *testing.T) {
	fsys, _ := folderOf(t, map[string]string{"a.txt": "hello", "a.txt.gz": "gzipped"})
	files := &Files{FS: fsys}
	for _, q := range []request{
		{path: "/a.txt"},
		{path: "/none"},
		{path: "/a.txt", headers: []string{"Accept-Encoding: gzip"}, options: FileOptions{Compressed: true}},
	} {
		get := q.to(files)
		q.method = "HEAD"
		head := q.to(files)
		if body := bodyOf(t, head); body != "" {
			t.Errorf("%s: body %q", q.path, body)
		}
		if get.StatusCode != head.StatusCode || get.Header.Get("Content-Length") == "" {
			t.Errorf("%s: %d and %d", q.path, get.StatusCode, head.StatusCode)
		}
		for name := range get.Header {
			if g, h := get.Header.Get(name), head.Header.Get(name); g != h {
				t.Errorf("%s: %s is %q with GET and %q with HEAD", q.path, name, g, h)
			}
		}
	}
}

func TestDotFilesAreNotThere(t *testing.T) {
	fsys, _ := folderOf(t, map[string]string{
		".env": "x", ".git/config": "x", "a/.b/c": "x", ".well-known/security.txt": "x", ".well-known/.hidden": "x", "...": "x", ".x/index.html": "x",
	})
	files := &Files{FS: fsys}
	for path, plain := range map[string]int{
		"/.env": 404, "/.git/config": 404, "/.git": 404, "/.x/": 404, "/.x": 404, "/a/.b/c": 404, "/...": 404,
		"/.well-known/security.txt": 200, "/.well-known/.hidden": 404,
	} {
		if got := (request{path: path}).to(files).StatusCode; got != plain {
			t.Errorf("%s: %d, want %d", path, got, plain)
		}
		allowed := request{path: path, options: FileOptions{DotFiles: true}}.to(files)
		if got := allowed.StatusCode; got == 404 && path != "/.git" {
			t.Errorf("%s with dotFiles: %d", path, got)
		}
	}
}

func TestNamesThatMeanOtherFilesOnWindowsAreNotThereOnWindows(t *testing.T) {
	for name, want := range map[string]bool{
		"a.txt": true, "a.txt::$DATA": false, "a.txt.": false, "a.txt ": false, "GIT~1/config": false, "c:": false, "a b": true, "a./b": false,
	} {
		if got := servable(name, false, true); got != want {
			t.Errorf("%q: %t", name, got)
		}
		if !servable(name, false, false) {
			t.Errorf("%q cannot be served elsewhere", name)
		}
	}
}

func TestConditionsAreObeyed(t *testing.T) {
	fsys, _ := folderOf(t, map[string]string{"a.txt": "hello"})
	files := &Files{FS: fsys}
	plain := request{path: "/a.txt"}.to(files)
	tag, modified := plain.Header.Get("ETag"), plain.Header.Get("Last-Modified")
	if want := fmt.Sprintf(`"5-%x"`, written.UnixNano()); tag != want { // strong (RFC 9110, 8.8.3)
		t.Fatalf("ETag %s, want %s", tag, want)
	}
	if want := written.UTC().Format(http.TimeFormat); modified != want {
		t.Fatalf("Last-Modified %q, want %q", modified, want)
	}
	const before, after = "Sun, 01 Mar 2026 11:00:00 GMT", "Sun, 01 Mar 2026 13:00:00 GMT"
	for _, c := range []struct {
		why     string
		headers []string
		status  int
	}{
		{"RFC 9110, 13.1.2", []string{"If-None-Match: " + tag}, 304},
		{"weak comparison", []string{"If-None-Match: W/" + tag}, 304},
		{"a list", []string{`If-None-Match: "x", ` + tag}, 304},
		{"a list in two lines (5.3)", []string{`If-None-Match: "x"`, "If-None-Match: " + tag}, 304},
		{"any", []string{"If-None-Match: *"}, 304},
		{"another", []string{`If-None-Match: "x"`}, 200},
		{"malformed", []string{"If-None-Match: x"}, 200},
		{"If-None-Match beats If-Modified-Since (13.1.3)", []string{`If-None-Match: "x"`, "If-Modified-Since: " + modified}, 200},
		{"RFC 9110, 13.1.3", []string{"If-Modified-Since: " + modified}, 304},
		{"later", []string{"If-Modified-Since: " + after}, 304},
		{"earlier", []string{"If-Modified-Since: " + before}, 200},
		{"no date", []string{"If-Modified-Since: yesterday"}, 200},
		{"RFC 9110, 13.1.1, on GET too", []string{"If-Match: " + tag}, 200},
		{"a list", []string{`If-Match: "x"`, "If-Match: " + tag}, 200},
		{"strong comparison", []string{"If-Match: W/" + tag}, 412},
		{"another", []string{`If-Match: "x"`}, 412},
		{"any", []string{"If-Match: *"}, 200},
		{"RFC 9110, 13.1.4", []string{"If-Unmodified-Since: " + before}, 412},
		{"same", []string{"If-Unmodified-Since: " + modified}, 200},
		{"If-Match beats If-Unmodified-Since (13.1.4)", []string{"If-Match: " + tag, "If-Unmodified-Since: " + before}, 200},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			q := request{method: method, path: "/a.txt", headers: c.headers, options: FileOptions{Cache: Cache{MaxAge: time.Hour}}}
			resp := q.to(files)
			body := bodyOf(t, resp)
			if resp.StatusCode != c.status {
				t.Errorf("%s %s: %q: %d, want %d", method, c.why, c.headers, resp.StatusCode, c.status)
			}
			if c.status == 304 {
				// RFC 9110, 15.4.5: what a 200 would say about the copy.
				if body != "" || resp.Header.Get("ETag") != tag || resp.Header.Get("Cache-Control") != "max-age=3600" || resp.Header.Get("Content-Length") != "" {
					t.Errorf("%s: 304 with %q and body %q", c.why, resp.Header, body)
				}
			}
			if c.status == 412 && (resp.Header.Get("Cache-Control") != "no-store" || method == "GET" && body != "Precondition Failed\n") {
				t.Errorf("%s: 412 with %q and body %q", c.why, resp.Header, body)
			}
		}
	}
}

func TestATagChangesWithTheFile(t *testing.T) {
	fsys, dir := folderOf(t, map[string]string{"a": "one"})
	files := &Files{FS: fsys}
	first := request{path: "/a"}.to(files).Header.Get("ETag")
	// The same size and the same second.
	name := filepath.Join(dir, "a")
	if err := os.WriteFile(name, []byte("two"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, written, written.Add(time.Microsecond)); err != nil {
		t.Fatal(err)
	}
	if second := (request{path: "/a"}).to(files).Header.Get("ETag"); second == first {
		t.Errorf("%s for both", first)
	}
}

func TestAFileOfTheFutureWasModifiedNow(t *testing.T) {
	fsys, dir := folderOf(t, map[string]string{"a": "x"})
	future := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "a"), future, future); err != nil {
		t.Fatal(err)
	}
	resp := request{path: "/a"}.to(&Files{FS: fsys})
	modified, err := http.ParseTime(resp.Header.Get("Last-Modified"))
	if err != nil || modified.After(time.Now()) { // RFC 9110, 8.8.2.1
		t.Errorf("Last-Modified %q (%v)", resp.Header.Get("Last-Modified"), err)
	}
}

func TestEmbeddedFilesHaveATagOfTheirContent(t *testing.T) {
	files := &Files{FS: fstest.MapFS{"a": {Data: []byte("one")}, "b": {Data: []byte("two")}, "c": {Data: []byte("one")}}}
	tags := map[string]string{}
	for _, path := range []string{"/a", "/b", "/c", "/a"} {
		resp := request{path: path}.to(files)
		tag := resp.Header.Get("ETag")
		if body := bodyOf(t, resp); len(body) != 3 || len(tag) < 10 || resp.Header.Get("Last-Modified") != "" {
			t.Errorf("%s: %q with ETag %s, Last-Modified %q", path, body, tag, resp.Header.Get("Last-Modified"))
		}
		if old := tags[path]; old != "" && old != tag {
			t.Errorf("%s: %s, then %s", path, old, tag)
		}
		tags[path] = tag
	}
	if tags["/a"] != tags["/c"] || tags["/a"] == tags["/b"] {
		t.Errorf("%v", tags)
	}
	if got := (request{path: "/a", headers: []string{"If-None-Match: " + tags["/a"]}}).to(files).StatusCode; got != 304 {
		t.Errorf("%d", got)
	}
}

func TestTheCacheRuleIsSentAsItStands(t *testing.T) {
	fsys, _ := folderOf(t, map[string]string{"a.css": "x", "b.html": "x"})
	files := &Files{FS: fsys}
	week := 7 * 24 * time.Hour
	for _, c := range []struct {
		path  string
		cache Cache
		want  string
	}{
		{"/a.css", Cache{}, "no-cache"},
		{"/a.css", Cache{MaxAge: week}, "max-age=604800"}, // not 60480000
		{"/a.css", Cache{MaxAge: week, Directives: "public, immutable"}, "public, immutable, max-age=604800"},
		{"/a.css", Cache{Directives: "no-store"}, "no-store"},
		{"/a.css", Cache{MaxAge: week, Extensions: []string{"js", "css"}}, "max-age=604800"},
		{"/a.css", Cache{MaxAge: week, Extensions: []string{".CSS"}}, "max-age=604800"},
		{"/b.html", Cache{MaxAge: week, Extensions: []string{"js", "css"}}, "no-cache"},
		{"/none.css", Cache{MaxAge: week}, "no-store"}, // never for an error
		{"/none.css", Cache{}, "no-store"},
	} {
		resp := request{path: c.path, options: FileOptions{Cache: c.cache}}.to(files)
		if got := resp.Header.Values("Cache-Control"); len(got) != 1 || got[0] != c.want {
			t.Errorf("%s with %+v: %q, want %q", c.path, c.cache, got, c.want)
		}
	}
	w := httptest.NewRecorder()
	w.Header().Set("Cache-Control", "private")
	files.ServeFile(w, httptest.NewRequest("GET", "/a.css", nil), "/a.css", FileOptions{})
	if got := w.Header().Get("Cache-Control"); got != "private" {
		t.Errorf("what was set before became %q", got)
	}
}

func TestAnErrorHasOneContentType(t *testing.T) {
	files := &Files{FS: fstest.MapFS{"a.html": {Data: []byte("x")}}}
	for _, q := range []request{
		{path: "/none.html"},
		{path: "/a.html", headers: []string{`If-Match: "x"`}},
		{path: "/a.html", headers: []string{"Range: bytes=9-"}},
		{path: "/a.html", method: "POST"},
	} {
		resp := q.to(files)
		if got := resp.Header.Values("Content-Type"); len(got) != 1 || got[0] != "text/plain; charset=utf-8" {
			t.Errorf("%+v: %d %q", q, resp.StatusCode, got)
		}
		for name, values := range resp.Header {
			if len(values) != 1 {
				t.Errorf("%+v: %s: %q", q, name, values)
			}
		}
		if got := resp.Header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%+v: X-Content-Type-Options %q", q, got)
		}
	}
}

func TestContentTypesAreTodays(t *testing.T) {
	types := map[string]string{".Foo": "text/x-foo", "bar": "text/x-bar", ".css": "text/x-css"}
	for name, want := range map[string]string{
		"a.html": "text/html; charset=utf-8", "a.HTML": "text/html; charset=utf-8", "a.b.js": "text/javascript; charset=utf-8",
		"a.mjs": "text/javascript; charset=utf-8", "a.json": "application/json", "a.wasm": "application/wasm", "a.webp": "image/webp",
		"a.avif": "image/avif", "a.woff2": "font/woff2", "a.svg": "image/svg+xml", "a.webmanifest": "application/manifest+json",
		"a.ndjson": "application/x-ndjson", "a.md": "text/markdown; charset=utf-8", "a.txt": "text/plain; charset=utf-8",
		"a.js.map": "application/json", "a.mp4": "video/mp4", "a.webm": "video/webm", "a.tar.gz": "application/gzip",
		"a.unknown": "application/octet-stream", "noext": "application/octet-stream", "a.": "application/octet-stream",
		"a.foo": "text/x-foo", "a.BAR": "text/x-bar", "a.css": "text/x-css",
	} {
		files := &Files{FS: fstest.MapFS{name: {Data: []byte("<html>")}}, Types: types}
		resp := request{path: "/" + name}.to(files)
		if got := resp.Header.Get("Content-Type"); got != want || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestTheIndexFileCanBeNamed(t *testing.T) {
	files := &Files{FS: fstest.MapFS{"start.htm": {Data: []byte("start")}, "d/index.html/x": {}}, Index: "start.htm"}
	resp := request{path: "/"}.to(files)
	if body := bodyOf(t, resp); body != "start" || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%q %q", body, resp.Header.Get("Content-Type"))
	}
	files = &Files{FS: files.FS}
	if resp := (request{path: "/d/"}).to(files); resp.StatusCode != 404 {
		t.Errorf("an index that is a directory: %d", resp.StatusCode)
	}
}

func TestAnAttachmentKeepsItsName(t *testing.T) {
	for name, want := range map[string]string{
		"report.pdf":   `attachment; filename="report.pdf"`,
		"a b.pdf":      `attachment; filename="a b.pdf"`,
		"Rücken €.pdf": `attachment; filename="R_cken _.pdf"; filename*=UTF-8''R%C3%BCcken%20%E2%82%AC.pdf`,
		`a"b.pdf`:      `attachment; filename="a_b.pdf"; filename*=UTF-8''a%22b.pdf`,
		"a%20b.pdf":    `attachment; filename="a_20b.pdf"; filename*=UTF-8''a%2520b.pdf`,
		"a\r\nX: y":    `attachment; filename="a__X: y"; filename*=UTF-8''a%0D%0AX%3A%20y`,
	} {
		files := &Files{FS: fstest.MapFS{name: {Data: []byte("x")}}}
		resp := request{path: "/" + name, options: FileOptions{Attachment: true}}.to(files)
		if got := resp.Header.Get("Content-Disposition"); resp.StatusCode != 200 || got != want {
			t.Errorf("%q: %d %s, want %s", name, resp.StatusCode, got, want)
		}
		if resp := (request{path: "/none", options: FileOptions{Attachment: true}}).to(files); resp.Header.Get("Content-Disposition") != "" {
			t.Errorf("a missing file is an attachment: %v", resp.Header)
		}
	}
}

func TestFilesOfAnArchiveAreServedWithRanges(t *testing.T) {
	var archive bytes.Buffer
	zw := zip.NewWriter(&archive)
	w, err := zw.Create("dir/a.txt")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("0123456789", 1000)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	zr, err := zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil {
		t.Fatal(err)
	}
	files := &Files{FS: zr}
	if body := bodyOf(t, request{path: "/dir/a.txt"}.to(files)); body != text {
		t.Errorf("%d bytes", len(body))
	}
	if body := bodyOf(t, request{path: "/dir/a.txt", headers: []string{"Range: bytes=9998-"}}.to(files)); body != "89" {
		t.Errorf("%q", body)
	}
	body := bodyOf(t, request{path: "/dir/a.txt", headers: []string{"Range: bytes=9997-,1-2"}}.to(files))
	if !strings.Contains(body, "\r\n\r\n789\r\n") || !strings.Contains(body, "\r\n\r\n12\r\n") {
		t.Errorf("%q", body)
	}
}
