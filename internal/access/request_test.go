package access

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

func TestATokenIsFoundWhereItMayStand(t *testing.T) {
	const malformed = "write Authorization: Bearer TOKEN"
	for _, c := range []struct {
		what    string
		headers http.Header
		token   string
		from    Where
		wrong   string
	}{
		{"nothing", nil, "", Nowhere, ""},
		{"header", http.Header{"Authorization": {"Bearer a.b.c"}}, "a.b.c", Authorization, ""},
		{"header in small letters", http.Header{"Authorization": {"bearer  a.b.c "}}, "a.b.c", Authorization, ""},
		{"cookie", http.Header{"Cookie": {"x=y; leat-token=a.b.c"}}, "a.b.c", Cookies, ""},
		{"the cookie of the narrower path comes first", http.Header{"Cookie": {"leat-token=a.b.c; leat-token=d.e.f"}}, "a.b.c", Cookies, ""},
		{"empty cookie", http.Header{"Cookie": {"leat-token="}}, "", Nowhere, ""},
		{"cookie of another name", http.Header{"Cookie": {"Leat-Token=a.b.c"}}, "", Nowhere, ""},
		{"subprotocol", http.Header{"Sec-Websocket-Protocol": {"leat, leat.token.a.b.c"}}, "a.b.c", Subprotocol, ""},
		{"second line", http.Header{"Sec-Websocket-Protocol": {"leat", "chat,leat.token.a.b.c,x"}}, "a.b.c", Subprotocol, ""},
		{"header before cookie", http.Header{"Authorization": {"Bearer a.b.c"}, "Cookie": {"leat-token=d.e.f"}}, "a.b.c", Authorization, ""},
		{"subprotocol before cookie", http.Header{"Cookie": {"leat-token=a.b.c"}, "Sec-Websocket-Protocol": {"leat.token.d.e.f"}}, "d.e.f", Subprotocol, ""},
		{"another scheme", http.Header{"Authorization": {"Basic YTpi"}, "Cookie": {"leat-token=a.b.c"}}, "a.b.c", Cookies, ""},
		{"bare", http.Header{"Authorization": {"a.b.c"}, "Cookie": {"leat-token=d.e.f"}}, "", Authorization, malformed},
		{"no token", http.Header{"Authorization": {"Bearer "}}, "", Authorization, malformed},
		{"empty", http.Header{"Authorization": {""}}, "", Authorization, malformed},
		{"two tokens", http.Header{"Authorization": {"Bearer a.b.c d.e.f"}}, "", Authorization, malformed},
		{"a list", http.Header{"Authorization": {"Bearer a.b.c,Bearer"}}, "", Authorization, malformed},
		{"two lines", http.Header{"Authorization": {"Bearer a.b.c", "Basic YTpi"}}, "", Authorization, "there is more than one Authorization; send one"},
		{"empty subprotocol", http.Header{"Sec-Websocket-Protocol": {"leat.token."}}, "", Subprotocol, "the subprotocol leat.token. has no token behind it"},
	} {
		r := httptest.NewRequest("GET", "/live/a", nil)
		r.Header = c.headers
		token, from, err := FromRequest(r)
		wrong := ""
		if err != nil {
			wrong = err.Error()
		}
		if token != c.token || from != c.from || wrong != c.wrong {
			t.Errorf("%s: %q of %q, %v", c.what, token, from, err)
		}
	}
}

func TestTheCookieIsForItsPathAndAsLongAsTheToken(t *testing.T) {
	g := &Grant{Expires: now.Add(90*time.Second + time.Millisecond)}
	const want = "leat-token=a.b.c; Path=/live/room.kitchen; Max-Age=90; HttpOnly; Secure; SameSite=Strict"
	if got := Cookie("a.b.c", g, "/live/room.kitchen", true, now).String(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for _, late := range []time.Duration{90 * time.Second, time.Hour} {
		const gone = "leat-token=; Path=/live/a; Max-Age=0; HttpOnly; SameSite=Strict"
		if got := Cookie("a.b.c", g, "/live/a", false, now.Add(late)).String(); got != gone {
			t.Errorf("%v later: %s\nwant %s", late, got, gone)
		}
	}
}

func TestABrowserSendsTheCookieBackToItsTopicOnly(t *testing.T) {
	g := &Grant{Expires: time.Now().Add(time.Hour)}
	for _, c := range []struct {
		path      string
		elsewhere string // does not get it
	}{
		{"/live/room.kitchen", "/live/room.kitchen2"},
		{"/live/room.kitchen", "/live/"},
		{"/live/gr%C3%B6%C3%9Fe", "/live/gro"},
		{"/live/a%3Bb", "/live/a"},
		{"/live/", "/lives"},
		{"/live/a;b", "/other"}, // no cookie can have this path, so it has the folder's
		{"/a;/b", ""},
	} {
		header := Cookie("a.b.c", g, c.path, false, time.Now()).String()
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		site := &url.URL{Scheme: "http", Host: "example.com"}
		sent, err := http.ParseSetCookie(header)
		if err != nil {
			t.Fatal(err)
		}
		jar.SetCookies(site.JoinPath("/live/x"), []*http.Cookie{sent})
		for path, want := range map[string]int{c.path: 1, c.elsewhere: 0} {
			if path == "" {
				continue
			}
			u, err := site.Parse(path)
			if err != nil {
				t.Fatal(err)
			}
			u.Path = u.EscapedPath() // as browsers compare it
			if got := jar.Cookies(u); len(got) != want {
				t.Errorf("%s: %s gets %v", header, path, got)
			}
		}
	}
}
