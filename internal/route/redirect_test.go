package route_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/route"
)

func redirects(t testing.TB, list ...route.Redirect) *route.Redirects {
	t.Helper()
	table, err := route.CompileRedirects(list)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestRedirectsReplaceThePartsOfTo(t *testing.T) {
	for _, c := range []struct {
		from, to  string
		url, want string // want is empty when the request is not redirected
	}{
		// Location is a path alone while the origin stays (RFC 9110, 10.2.2).
		{"/old", "/new.html", "http://h:4000/old?a=1", "/new.html"},
		{"/old", "/new.html", "http://h/old/", ""},
		{"/old", "/new?b=2#top", "http://h/old?a=1", "/new?b=2#top"},
		{"/old", "?b=2", "http://h/old?a=1", "/old?b=2"},
		{"/old", "#top", "http://h/old?a=1", ""},
		{"/old?a=1", "/new", "http://h/old?a=1", "/new"},
		{"/old?a=1", "/new", "http://h/old?a=2", ""},
		{"/old?", "/new", "http://h/old?a=2", ""},
		{"/old?", "/new", "http://h/old", "/new"},
		{"/a%20b", "/c d", "http://h/a%20b", "/c%20d"},
		{"", "/new", "http://h/any", "/new"},
		{"", "/new", "http://h/new", ""},

		// Scheme, host and port.
		{"http://", "https://", "http://h/x?y=1", "https://h/x?y=1"},
		{"http", "https", "http://h:8080/x", "https://h/x"},
		{"http://", "https://", "https://h/x", ""},
		{"", "https://", "https://h:8443/x", ""},
		{"http://", "https://:4443", "http://h:4080/x", "https://h:4443/x"},
		{":80", ":8080", "http://h/x", "http://h:8080/x"},
		{":4080", ":80", "http://h:4080/x", "http://h/x"},
		{":4081", "https://example.com:4443/index.html", "http://h:4081/x?z=1", "https://example.com:4443/index.html"},
		{"www.example.com", "example.com", "http://WWW.Example.com:4000/x", "http://example.com:4000/x"},
		{"http://www.example.com", "https://example.com", "http://www.example.com/x?y", "https://example.com/x?y"},
		{"//a/x", "//b/y", "http://a/x", "http://b/y"},
		{"a/x", "b", "http://a/x", "http://b/x"},
		{"a", "A", "http://a/x", ""},
		{"[::1]:4000", "localhost:4000", "http://[::1]:4000/x", "http://localhost:4000/x"},
		{"[::1]", "http://[::2]", "http://[::1]:4000/x", "http://[::2]/x"},
		{"/x", "http://h/y", "http://h/x", "/y"},
		{"/x", "https://h/y", "http://h/x", "https://h/y"},
	} {
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		table := redirects(t, route.Redirect{From: c.from, To: c.to})
		got, status, ok := table.Find(u.Scheme, u.Host, u.Path, u.RawQuery)
		if got != c.want || ok != (c.want != "") || ok && status != 302 {
			t.Errorf("%q to %q: %s goes to %q (%d %t), want %q", c.from, c.to, c.url, got, status, ok, c.want)
		}
	}
}

func TestTheFirstRedirectThatLeadsElsewhereWins(t *testing.T) {
	table := redirects(t,
		route.Redirect{From: "/a", To: "/a", Status: 301},
		route.Redirect{From: "/a", To: "/b", Status: 308},
		route.Redirect{From: "/a", To: "/c"})
	if got, status, ok := table.Find("http", "h", "/a", ""); got != "/b" || status != 308 || !ok {
		t.Errorf("%q %d %t", got, status, ok)
	}
	if _, _, ok := redirects(t).Find("http", "h", "/a", ""); ok {
		t.Error("an empty table redirects")
	}
}

func TestALocationCannotBeForged(t *testing.T) {
	here := redirects(t, route.Redirect{To: "?seen=1"}, route.Redirect{To: "/elsewhere"})
	away := redirects(t, route.Redirect{To: "https://"})
	keep := redirects(t, route.Redirect{To: ":9"})
	for _, path := range []string{"//evil.com", `/\evil.com`, `\\evil.com`, "evil.com", "///evil.com", "/\r\nSet-Cookie: a=b", "/\t/evil.com", "", "/%0d%0a", "/é\x00\xff"} {
		for _, query := range []string{"", "a=1", "\r\nX: y", "#f", "a b\x00é\\"} {
			for _, table := range []*route.Redirects{here, away, keep} {
				location, _, ok := table.Find("http", "good.example:4000", path, query)
				if !ok {
					t.Fatalf("%q is not redirected", path)
				}
				checkLocation(t, location, "good.example")
			}
		}
	}
}

// checkLocation takes a location as a browser does and looks at the host.
func checkLocation(t *testing.T, location, host string) {
	t.Helper()
	for i := range len(location) {
		if c := location[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			t.Errorf("%q holds the byte %#x", location, c)
		}
	}
	base, err := url.Parse("http://" + host)
	if err != nil {
		t.Fatal(err)
	}
	u, err := base.Parse(location)
	if err != nil {
		t.Errorf("%q: %v", location, err)
	} else if u.Hostname() != base.Hostname() {
		t.Errorf("%q leads to %q", location, u.Host)
	}
}

func TestAHostThatIsNoHostIsABadRequest(t *testing.T) {
	table := redirects(t, route.Redirect{From: "http://", To: "https://"})
	for _, host := range []string{"", "a@b", "a/b", "a?b", "a\r\nb", "a b", "[::1", "a[", "é"} {
		if location, status, ok := table.Find("http", host, "/x", ""); location != "" || status != 400 || !ok {
			t.Errorf("%q: %q %d %t", host, location, status, ok)
		}
	}
}

func TestARedirectThatCannotWorkIsAnError(t *testing.T) {
	for _, c := range []struct {
		r    route.Redirect
		want string
	}{
		{route.Redirect{From: "/a#b", To: "/c"}, "'#'"},
		{route.Redirect{From: "/a", To: ""}, "to nothing"},
		{route.Redirect{From: "/a", To: "/b", Status: 200}, "308"},
		{route.Redirect{From: "/a", To: "/b", Status: 304}, "308"},
		{route.Redirect{From: "/100%", To: "/b"}, "%25"},
		{route.Redirect{From: "/a", To: "/../b"}, "above the root"},
		{route.Redirect{From: "h:", To: "/b"}, "port"},
		{route.Redirect{From: "h:0", To: "/b"}, "port"},
		{route.Redirect{From: "h:70000", To: "/b"}, "port"},
		{route.Redirect{From: "/a", To: "ftp://x/"}, "port"},
		{route.Redirect{From: "/a", To: "a b"}, "in the place of a host"},
	} {
		_, err := route.CompileRedirects([]route.Redirect{{From: "/fine", To: "/ok"}, c.r})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "rule 1: ") {
			t.Errorf("%+v: %v, want %q in it", c.r, err, c.want)
		}
	}
}

func FuzzRedirect(f *testing.F) {
	f.Add("http", "h:1", "//evil.com", "a=1\r\n")
	f.Add("https", "[::1]", `/\x`, "#")
	table := redirects(f, route.Redirect{From: "/a", To: "/b"}, route.Redirect{From: "https://", To: "http://"}, route.Redirect{To: "?x#y"})
	f.Fuzz(func(t *testing.T, scheme, host, path, query string) {
		location, _, ok := table.Find(scheme, host, path, query)
		if !ok || location == "" {
			return
		}
		if !strings.HasPrefix(location, "http://") && (location[0] != '/' || strings.HasPrefix(location, "//")) {
			t.Fatalf("%q", location)
		}
		for i := range len(location) {
			if c := location[i]; c <= ' ' || c >= 0x7f || c == '\\' {
				t.Fatalf("%q", location)
			}
		}
	})
}
