package leat_test

import (
	"net/http"
	"testing"
	"testing/fstest"

	"github.com/leat-dev/leat"
)

func TestRoutesLeadToFilesAndElsewhere(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	_, url := start(t, &leat.Config{
		FS: fstest.MapFS{"index.html": file("home"), "docs/index.html": file("docs"), "a.txt": file("a"), ".env": file("secret")},
		Redirects: []leat.Redirect{
			{From: "/moved", To: "/a.txt", Status: http.StatusMovedPermanently},
			{From: "/away?to=it", To: "https://example.com/it"},
		},
		Routes: []leat.Route{
			{Match: "/old/{page}", Redirect: "/new/{page}?from=$1"},
			{Match: "/static", Trim: "/static"},
			{Match: "/static/", Trim: "/static", Attachment: true, Headers: map[string]string{"X-Route": "static"}},
			{},
		},
	}, nil)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, c := range []struct {
		path     string
		status   int
		body     string
		location string
	}{
		{"/", 200, "home", ""},
		{"/docs", 301, "Moved Permanently\n", "./docs/"},
		{"/docs/", 200, "docs", ""},
		{"/x/..//a.txt", 200, "a", ""},
		{"/static", 301, "Moved Permanently\n", "./static/"}, // or its page's links would lead nowhere
		{"/static/", 200, "home", ""},
		{"/static/docs?q=1", 301, "Moved Permanently\n", "./docs/?q=1"},
		{"/static/a.txt", 200, "a", ""},
		{"/.env", 404, "Not Found\n", ""},
		{"/static/%2eenv", 404, "Not Found\n", ""},
		{"/%2e%2e/a.txt", 400, "the URL's path leads out of the site\n", ""},
		{"/moved", 301, "Moved Permanently\n", "/a.txt"},
		{"/away?to=it", 302, "Found\n", "https://example.com/it"},
		{"/away", 404, "Not Found\n", ""},
		{"/old/a%20b%3f", 302, "Found\n", "/new/a%20b%3F?from=a%20b%3F"},
		{"/old/%2f%2fevil.com", 302, "Found\n", "/new/evil.com?from=evil.com"},
	} {
		resp, err := client.Get(url + c.path)
		if err != nil {
			t.Fatal(err)
		}
		got := body(t, resp)
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if resp.StatusCode != c.status || got != c.body || resp.Header.Get("Location") != c.location {
			t.Errorf("%s: %d %q %q, want %d %q %q", c.path, resp.StatusCode, got, resp.Header.Get("Location"), c.status, c.body, c.location)
		}
		if c.path == "/static/a.txt" && (resp.Header.Get("Content-Disposition") == "" || resp.Header.Get("X-Route") != "static") {
			t.Errorf("%s: %v", c.path, resp.Header)
		}
	}
}
