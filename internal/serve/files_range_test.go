package serve

import (
	"bufio"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

const digits = "0123456789"

func TestARangeIsAPartOfTheFile(t *testing.T) {
	files := &Files{FS: fstest.MapFS{"a.txt": {Data: []byte(digits)}, "empty.txt": {}}}
	for _, c := range []struct {
		header, body, contentRange string
		status                     int
	}{
		// RFC 9110, 14.1.2
		{"bytes=2-4", "234", "bytes 2-4/10", 206},
		{"bytes=0-0", "0", "bytes 0-0/10", 206},
		{"bytes=7-", "789", "bytes 7-9/10", 206},
		{"bytes=-3", "789", "bytes 7-9/10", 206},
		{"bytes=-99", digits, "bytes 0-9/10", 206},
		{"bytes=5-999", "56789", "bytes 5-9/10", 206},
		{"bytes=5-99999999999999999999999", "56789", "bytes 5-9/10", 206},
		{"Bytes=2-4", "234", "bytes 2-4/10", 206}, // 14.1: units are case-insensitive
		{"bytes= 2-4 ", "234", "bytes 2-4/10", 206},
		{"bytes=,2-4,,", "234", "bytes 2-4/10", 206},                          // 5.6.1
		{"bytes=2-4, 99-", "234", "bytes 2-4/10", 206},                        // what can be satisfied
		{"bytes=10-", "Requested Range Not Satisfiable\n", "bytes */10", 416}, // 15.5.17
		{"bytes=99999999999999999999999-", "Requested Range Not Satisfiable\n", "bytes */10", 416},
		{"bytes=-0", "Requested Range Not Satisfiable\n", "bytes */10", 416},
		// What is no range of bytes is ignored (14.2).
		{"lines=2-4", digits, "", 200},
		{"bytes", digits, "", 200},
		{"bytes=", digits, "", 200},
		{"bytes=abc", digits, "", 200},
		{"bytes=-", digits, "", 200},
		{"bytes=5-2", digits, "", 200},
		{"bytes=1-2,x", digits, "", 200},
		{"bytes=+1-2", digits, "", 200},
		{"bytes=1--2", digits, "", 200},
	} {
		resp := request{path: "/a.txt", headers: []string{"Range: " + c.header}}.to(files)
		body := bodyOf(t, resp)
		if resp.StatusCode != c.status || body != c.body || resp.Header.Get("Content-Range") != c.contentRange {
			t.Errorf("%s: %d %q %q, want %d %q %q", c.header, resp.StatusCode, body, resp.Header.Get("Content-Range"), c.status, c.body, c.contentRange)
		}
		if got := resp.Header.Get("Content-Length"); got != fmt.Sprint(len(c.body)) {
			t.Errorf("%s: Content-Length %s", c.header, got)
		}
		if c.status != 416 && resp.Header.Get("Accept-Ranges") != "bytes" {
			t.Errorf("%s: Accept-Ranges %q", c.header, resp.Header.Get("Accept-Ranges"))
		}
	}
	for _, header := range []string{"bytes=0-", "bytes=-5", "bytes=0-0", "bytes=5-"} {
		if resp := (request{path: "/empty.txt", headers: []string{"Range: " + header}}).to(files); resp.StatusCode != 200 {
			t.Errorf("%s of an empty file: %d", header, resp.StatusCode)
		}
	}
	if resp := (request{path: "/a.txt", method: "HEAD", headers: []string{"Range: bytes=2-4"}}).to(files); resp.StatusCode != 200 {
		t.Errorf("HEAD with a range: %d, but only GET has ranges (RFC 9110, 14.2)", resp.StatusCode)
	}
	if resp := (request{path: "/a.txt", headers: []string{"Range: bytes=2-4", "Range: bytes=5-6"}}).to(files); resp.StatusCode != 200 {
		t.Errorf("two Range lines: %d", resp.StatusCode)
	}
}

func TestIfRangeAsksForAllWhenTheFileChanged(t *testing.T) {
	fsys, _ := folderOf(t, map[string]string{"a.txt": digits})
	files := &Files{FS: fsys}
	plain := request{path: "/a.txt"}.to(files)
	tag, modified := plain.Header.Get("ETag"), plain.Header.Get("Last-Modified")
	for value, want := range map[string]int{ // RFC 9110, 13.1.5
		tag: 206, "W/" + tag: 200, `"x"`: 200, modified: 206, "Sun, 01 Mar 2026 11:00:00 GMT": 200, "Sun, 01 Mar 2026 13:00:00 GMT": 200, "x": 200,
	} {
		resp := request{path: "/a.txt", headers: []string{"Range: bytes=1-2", "If-Range: " + value}}.to(files)
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", value, resp.StatusCode, want)
		}
	}
	// A range is looked at after the other conditions (RFC 9110, 13.2.2).
	resp := request{path: "/a.txt", headers: []string{"Range: bytes=1-2", "If-None-Match: " + tag}}.to(files)
	if resp.StatusCode != 304 {
		t.Errorf("%d", resp.StatusCode)
	}
}

func TestSeveralRangesKeepTheConnectionInStep(t *testing.T) {
	fsys, _ := folderOf(t, map[string]string{"a.txt": digits})
	files := &Files{FS: fsys}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		files.ServeFile(w, r, r.URL.Path, FileOptions{})
	}))
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	br := bufio.NewReader(conn)
	for range 3 {
		fmt.Fprint(conn, "GET /a.txt HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1,4-5,-1\r\n\r\n")
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		kind, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		if err != nil || kind != "multipart/byteranges" || resp.StatusCode != 206 || resp.ContentLength <= 0 || resp.Header.Get("Content-Range") != "" {
			t.Fatalf("%d %q (%v)", resp.StatusCode, resp.Header, err)
		}
		mr := multipart.NewReader(resp.Body, params["boundary"])
		for _, want := range []string{"bytes 0-1/10 01", "bytes 4-5/10 45", "bytes 9-9/10 9"} {
			part, err := mr.NextPart()
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(part)
			if got := part.Header.Get("Content-Range") + " " + string(b); err != nil || got != want {
				t.Errorf("%q (%v), want %q", got, err, want)
			}
			if got := part.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" { // of the file (RFC 9110, 14.6)
				t.Errorf("a part has the type %q", got)
			}
		}
		if _, err := mr.NextPart(); err != io.EOF {
			t.Error(err)
		}
		if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
			t.Errorf("%q (%v) behind the last part", rest, err)
		}
	}
}

func TestRangesThatWasteAreIgnored(t *testing.T) {
	files := &Files{FS: fstest.MapFS{"a.txt": {Data: []byte(strings.Repeat(digits, 1000))}}}
	for header, want := range map[string]int{
		"0-1,3-4":                           206,
		"0-5,3-8":                           206, // two that overlap are allowed (RFC 9110, 14.2)
		"0-5,3-8,4-9":                       200,
		"0-,0-,0-":                          200,
		"0-,-9000":                          200, // more than the file
		strings.Repeat("0-0,", 20):          200,
		manyRanges(maxRanges):               206,
		manyRanges(maxRanges + 1):           200,
		strings.Repeat("99999-,", 100):      200,
		strings.Repeat(",", 10000) + "5-6,": 206,
	} {
		resp := request{path: "/a.txt", headers: []string{"Range: bytes=" + header}}.to(files)
		if bodyOf(t, resp); resp.StatusCode != want {
			t.Errorf("%.40s…: %d, want %d", header, resp.StatusCode, want)
		}
	}
}

func manyRanges(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d-%d,", 2*i, 2*i)
	}
	return b.String()
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-1", "bytes=-5,3-", "bytes=5-2", "bytes=,,1-1", "lines=1", "bytes=9-,-0", "bytes=99999999999999999999-"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 || size > 1<<16 {
			return
		}
		files := &Files{FS: fstest.MapFS{"a": {Data: make([]byte, size)}}}
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/a", nil)
		r.Header["Range"] = []string{header}
		files.ServeFile(w, r, "/a", FileOptions{})
		switch got := int64(w.Body.Len()); {
		case w.Code == 200 && got == size:
		case w.Code == 206 && got > 0 && got <= size+maxRanges*300:
		case w.Code == 416 && w.Header().Get("Content-Range") == fmt.Sprintf("bytes */%d", size):
		default:
			t.Errorf("%q of %d bytes: %d with %d bytes, %v", header, size, w.Code, got, w.Header())
		}
		if want := fmt.Sprint(w.Body.Len()); w.Header().Get("Content-Length") != want {
			t.Errorf("%q of %d bytes: Content-Length %s, want %s", header, size, w.Header().Get("Content-Length"), want)
		}
	})
}
