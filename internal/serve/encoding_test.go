package serve

import (
	"strings"
	"testing"
)

func TestTheClientsWeightsChooseTheCoding(t *testing.T) {
	for _, c := range []struct {
		header string
		want   string // in the order of preference; the plain file comes last
	}{
		{"gzip, deflate, br, zstd", "br zstd gzip"},
		{"gzip", "gzip"},
		{"x-gzip", "gzip"},
		{"GZIP;Q=1", "gzip"},
		{"br;q=0", ""},
		{"br;q=0, gzip", "gzip"},
		{"br;q=0.0, gzip;q=0.001", "gzip"},
		{"br;q=0.5, gzip;q=0.8", "gzip br"},
		{"br;q=0.5 ,\tgzip ; q=0.5", "br gzip"},
		{"*", "br zstd gzip"},
		{"*;q=0", ""},
		{"*;q=0, gzip", "gzip"},
		{"gzip, *;q=0.5", "gzip br zstd"},
		{"*, br;q=0", "zstd gzip"},
		{"identity", ""},
		{"identity;q=0", ""},
		{"identity;q=0, gzip", "gzip"},
		{"identity, br;q=0.9", ""},
		{"identity;q=0.5, br;q=0.9, gzip;q=0.1", "br"},
		{"", ""},
		{"deflate, compress", ""},
		// What is malformed is not accepted.
		{"br;q=2", ""},
		{"br;q=1.001", ""},
		{"br;q=0.1234", ""},
		{"br;q=", ""},
		{"br;q=-1", ""},
		{"br;q=+1", ""},
		{"br;level=3", ""},
		{"br;q=.5, gzip", "gzip"},
		{",,br,", "br"},
		{"brotli, xbr, br-foo", ""},
	} {
		var names []string
		for _, coding := range acceptable([]string{c.header}) {
			names = append(names, coding.name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%q: %q, want %q", c.header, got, c.want)
		}
	}
	if got := acceptable(nil); len(got) != 0 {
		t.Errorf("no header: %v", got)
	}
	if got := acceptable([]string{"br;q=0.1", "gzip"}); len(got) != 2 || got[0].name != "gzip" {
		t.Errorf("two lines: %v", got)
	}
}

func TestTheCompressedFileStandsInForThePlainOne(t *testing.T) {
	fsys, _ := folderOf(t, map[string]string{
		"all.js": "plain", "all.js.br": "brotli", "all.js.zst": "zstandard", "all.js.gz": "gzipped",
		"gz.css": "plain", "gz.css.gz": "gzipped", "none.txt": "plain", "only.txt.gz": "gzipped",
		"index.html": "plain", "index.html.br": "brotli", "dir.txt": "plain", "dir.txt.gz/x": "",
	})
	files := &Files{FS: fsys}
	for _, c := range []struct {
		path, accept, coding, body, contentType string
	}{
		{"/all.js", "gzip, br, zstd", "br", "brotli", "text/javascript; charset=utf-8"},
		{"/all.js", "gzip, br;q=0.5, zstd", "zstd", "zstandard", "text/javascript; charset=utf-8"},
		{"/all.js", "br;q=0", "", "plain", "text/javascript; charset=utf-8"},
		{"/all.js", "identity", "", "plain", "text/javascript; charset=utf-8"},
		{"/gz.css", "br, gzip;q=0.1", "gzip", "gzipped", "text/css; charset=utf-8"}, // br is not there
		{"/gz.css", "br", "", "plain", "text/css; charset=utf-8"},
		{"/none.txt", "br, gzip", "", "plain", "text/plain; charset=utf-8"},
		{"/", "br", "br", "brotli", "text/html; charset=utf-8"},
		{"/dir.txt", "gzip", "", "plain", "text/plain; charset=utf-8"},
		{"/all.js", "*;q=0", "", "plain", "text/javascript; charset=utf-8"}, // rather than 406 (RFC 9110, 12.5.3)
	} {
		q := request{path: c.path, headers: []string{"Accept-Encoding: " + c.accept}, options: FileOptions{Compressed: true}}
		resp := q.to(files)
		body := bodyOf(t, resp)
		h := resp.Header
		if resp.StatusCode != 200 || body != c.body || h.Get("Content-Encoding") != c.coding || h.Get("Content-Type") != c.contentType {
			t.Errorf("%s for %q: %d %q %v", c.path, c.accept, resp.StatusCode, body, h)
		}
		if h.Get("Vary") != "Accept-Encoding" { // the plain answer too (RFC 9110, 12.5.5)
			t.Errorf("%s for %q: Vary %q", c.path, c.accept, h.Get("Vary"))
		}
		if h.Get("Content-Length") == "" {
			t.Errorf("%s for %q: no Content-Length", c.path, c.accept)
		}
	}
	if resp := (request{path: "/only.txt", headers: []string{"Accept-Encoding: gzip"}, options: FileOptions{Compressed: true}}).to(files); resp.StatusCode != 404 {
		t.Errorf("a compressed file without its plain one: %d", resp.StatusCode)
	}
	if resp := (request{path: "/all.js", headers: []string{"Accept-Encoding: br"}}).to(files); resp.Header.Get("Content-Encoding") != "" || resp.Header.Get("Vary") != "" {
		t.Errorf("not asked for: %v", resp.Header)
	}
}

func TestEachVariantHasItsOwnTagAndRanges(t *testing.T) {
	fsys, _ := folderOf(t, map[string]string{"a.js": "0123456789", "a.js.br": "abcdefghij", "a.js.gz": "ABCDEFGHIJ"})
	files := &Files{FS: fsys}
	options := FileOptions{Compressed: true}
	seen := map[string]string{}
	for _, c := range []struct{ accept, part string }{{"identity", "234"}, {"br", "cde"}, {"gzip", "CDE"}} {
		accept := "Accept-Encoding: " + c.accept
		tag := request{path: "/a.js", headers: []string{accept}, options: options}.to(files).Header.Get("ETag")
		if other, ok := seen[tag]; ok {
			t.Errorf("%s and %s both have %s", other, c.accept, tag)
		}
		seen[tag] = c.accept
		resp := request{path: "/a.js", headers: []string{accept, "Range: bytes=2-4", "If-Range: " + tag}, options: options}.to(files)
		if body := bodyOf(t, resp); resp.StatusCode != 206 || body != c.part || resp.Header.Get("Content-Range") != "bytes 2-4/10" {
			t.Errorf("%s: %d %q %v", c.accept, resp.StatusCode, body, resp.Header)
		}
		resp = request{path: "/a.js", headers: []string{accept, "If-None-Match: " + tag}, options: options}.to(files)
		if resp.StatusCode != 304 || resp.Header.Get("Vary") != "Accept-Encoding" || resp.Header.Get("ETag") != tag {
			t.Errorf("%s: %d %v", c.accept, resp.StatusCode, resp.Header)
		}
	}
}

func TestAnErrorIsNotEncoded(t *testing.T) {
	fsys, _ := folderOf(t, map[string]string{"a.js": "0123456789", "a.js.br": "abcdefghij"})
	q := request{path: "/a.js", headers: []string{"Accept-Encoding: br", "Range: bytes=99-"}, options: FileOptions{Compressed: true}}
	resp := q.to(&Files{FS: fsys})
	if resp.StatusCode != 416 || resp.Header.Get("Content-Encoding") != "" || resp.Header.Get("ETag") != "" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}

func FuzzAcceptable(f *testing.F) {
	f.Add("gzip, br;q=0.5, *;q=0")
	f.Add("identity;q=0.3,zstd")
	f.Fuzz(func(t *testing.T, header string) {
		got := acceptable([]string{header})
		if len(got) > len(codings) {
			t.Fatalf("%q: %v", header, got)
		}
		for _, c := range got {
			lower := strings.ToLower(header)
			if !strings.Contains(lower, c.name) && !strings.Contains(lower, "*") {
				t.Errorf("%q: %s was not named", header, c.name)
			}
		}
	})
}
