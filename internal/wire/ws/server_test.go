package ws_test

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/wire/ws"
)

// The handshake of RFC 6455, 1.2, with what a test changes: a line "Name: value"
// replaces the field, a second one adds to it, "Name:" alone takes it away.
func handshake(changes ...string) (ws.Request, http.Header) {
	h := http.Header{}
	for _, line := range []string{
		"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
	} {
		name, value, _ := strings.Cut(line, ": ")
		h.Set(name, value)
	}
	change(h, changes)
	return ws.Request{Method: "GET", Major: 1, Minor: 1, Host: "server.example.com", Header: h.Values}, h
}

func change(h http.Header, changes []string) {
	begun := map[string]bool{}
	for _, line := range changes {
		name, value, _ := strings.Cut(line, ":")
		name = textproto.CanonicalMIMEHeaderKey(name)
		if !begun[name] {
			h.Del(name)
		}
		begun[name] = true
		if value != "" {
			h.Add(name, strings.TrimPrefix(value, " "))
		}
	}
}

func field(a ws.Answer, name string) (value string) {
	for _, f := range a.Header {
		if f.Name == name {
			value += f.Value
		}
	}
	return value
}

func TestAcceptKeyIsTheOneOfSection1_3(t *testing.T) {
	if got := ws.AcceptKey("dGhlIHNhbXBsZSBub25jZQ=="); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Error(got)
	}
	if got := ws.NewKey([16]byte([]byte("the sample nonce"))); got != "dGhlIHNhbXBsZSBub25jZQ==" {
		t.Error(got)
	}
}

func TestHandshakeIsDecidedBySection4_2_1(t *testing.T) {
	for _, c := range []struct {
		name    string
		changes []string
		status  int
	}{
		{"the example", nil, 101},
		{"tokens in any case", []string{"Upgrade: WebSocket", "Connection: uPGRADE"}, 101},
		{"Upgrade in a list", []string{"Upgrade: h2c, websocket"}, 101},
		{"Upgrade on two lines", []string{"Upgrade: h2c", "Upgrade: websocket"}, 101},
		{"Upgrade missing", []string{"Upgrade:"}, 400},
		{"Upgrade to something else", []string{"Upgrade: h2c"}, 400},
		{"Upgrade to something that begins alike", []string{"Upgrade: websocket2"}, 400},
		{"Connection in a list", []string{"Connection: keep-alive, Upgrade"}, 101},
		{"Connection on two lines", []string{"Connection: keep-alive", "Connection: Upgrade"}, 101},
		{"Connection with empty elements", []string{"Connection: , Upgrade,,"}, 101},
		{"Connection missing", []string{"Connection:"}, 400},
		{"Connection says something else", []string{"Connection: close"}, 400},
		{"Connection says not-upgrade", []string{"Connection: not-upgrade"}, 400},
		{"Key missing", []string{"Sec-WebSocket-Key:"}, 400},
		{"Key empty", []string{"Sec-WebSocket-Key: "}, 400},
		{"Key of 15 bytes", []string{"Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4P"}, 400},
		{"Key of 17 bytes", []string{"Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEBE="}, 400},
		{"Key of 18 bytes", []string{"Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEBES"}, 400},
		{"Key of section 4.1's example", []string{"Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC=="}, 101},
		{"Key that is not base64", []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!=="}, 400},
		{"Key for URLs", []string{"Sec-WebSocket-Key: ____________________ZQ=="}, 400},
		{"Key without its padding", []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"}, 400},
		{"two Keys", []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}, 400},
		{"Version missing", []string{"Sec-WebSocket-Version:"}, 426},
		{"Version 8", []string{"Sec-WebSocket-Version: 8"}, 426},
		{"Version 8 without a good key", []string{"Sec-WebSocket-Version: 8", "Sec-WebSocket-Key:"}, 426},
		{"Version 99", []string{"Sec-WebSocket-Version: 99"}, 426},
		{"Version 013", []string{"Sec-WebSocket-Version: 013"}, 426},
		{"two Versions", []string{"Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"}, 400},
		{"two Versions in a line", []string{"Sec-WebSocket-Version: 13, 8"}, 400},
		{"a subprotocol that is no token", []string{"Sec-WebSocket-Protocol: chat, a/b"}, 400},
		{"a subprotocol twice", []string{"Sec-WebSocket-Protocol: chat, chat"}, 400},
		{"an empty list of subprotocols", []string{"Sec-WebSocket-Protocol: "}, 101},
		{"extensions that are none", []string{"Sec-WebSocket-Extensions: a; ;"}, 400},
		{"unknown extensions", []string{"Sec-WebSocket-Extensions: x-webkit-deflate-frame, foo; bar=\"baz\""}, 101},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, _ := handshake(c.changes...)
			a := (&ws.Policy{}).Decide(r)
			if a.Status != c.status || (a.Text == "") != (a.Status == 101) {
				t.Fatalf("%d %q, want %d", a.Status, a.Text, c.status)
			}
			if a.Status == 426 && field(a, "Sec-WebSocket-Version") != "13" {
				t.Errorf("4.2.2: 426 without the version: %v", a.Header)
			}
		})
	}
}

func TestHandshakeNeedsGETByHTTP1_1WithAHost(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*ws.Request)
		status int
	}{
		{"POST", func(r *ws.Request) { r.Method = "POST" }, 405},
		{"HEAD", func(r *ws.Request) { r.Method = "HEAD" }, 405},
		{"get", func(r *ws.Request) { r.Method = "get" }, 405},
		{"HTTP/1.0", func(r *ws.Request) { r.Minor = 0 }, 400},
		{"HTTP/2", func(r *ws.Request) { r.Major, r.Minor = 2, 0 }, 400},
		{"no Host", func(r *ws.Request) { r.Host = "" }, 400},
	} {
		r, _ := handshake()
		c.change(&r)
		a := (&ws.Policy{}).Decide(r)
		if a.Status != c.status || a.Status == 405 && field(a, "Allow") != "GET" {
			t.Errorf("%s: %+v, want %d", c.name, a, c.status)
		}
	}
}

func TestAnswerIsTheOneOfSection4_2_2(t *testing.T) {
	r, _ := handshake("Sec-WebSocket-Protocol: chat, superchat", "Sec-WebSocket-Extensions: permessage-deflate")
	a := (&ws.Policy{Protocols: []string{"superchat"}}).Decide(r)
	want := []ws.Field{
		{Name: "Upgrade", Value: "websocket"},
		{Name: "Connection", Value: "Upgrade"},
		{Name: "Sec-WebSocket-Accept", Value: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
		{Name: "Sec-WebSocket-Protocol", Value: "superchat"},
	}
	if a.Status != 101 || !slices.Equal(a.Header, want) || a.Protocol != "superchat" || a.Deflate != nil {
		t.Errorf("%+v", a)
	}
}

func TestSubprotocolIsTheOneTheServerPrefers(t *testing.T) {
	for _, c := range []struct {
		name    string
		offered []string
		server  []string
		require bool
		status  int
		want    string
	}{
		{"the server's order counts", []string{"Sec-WebSocket-Protocol: a, b, c"}, []string{"c", "a"}, false, 101, "c"},
		{"on two lines", []string{"Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: b"}, []string{"b"}, true, 101, "b"},
		{"case counts", []string{"Sec-WebSocket-Protocol: Chat"}, []string{"chat"}, false, 101, ""},
		{"none in common", []string{"Sec-WebSocket-Protocol: a"}, []string{"b"}, false, 101, ""},
		{"none in common, but required", []string{"Sec-WebSocket-Protocol: a"}, []string{"b"}, true, 400, ""},
		{"none offered, but required", nil, []string{"b"}, true, 400, ""},
		{"none wanted", []string{"Sec-WebSocket-Protocol: a"}, nil, false, 101, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, _ := handshake(c.offered...)
			a := (&ws.Policy{Protocols: c.server, RequireProtocol: c.require}).Decide(r)
			if a.Status != c.status || a.Protocol != c.want || field(a, "Sec-WebSocket-Protocol") != c.want {
				t.Errorf("%+v", a)
			}
		})
	}
}

func TestOriginIsCheckedAsSection10_2Asks(t *testing.T) {
	for _, c := range []struct {
		origin, host string
		patterns     string
		want         bool
	}{
		{"http://example.com", "example.com", "", true},
		{"https://example.com", "example.com", "", true}, // TLS may end at a proxy
		{"https://EXAMPLE.com", "Example.COM", "", true},
		{"http://example.com", "example.com:80", "", true},
		{"https://example.com:443", "example.com", "", true},
		{"https://example.com", "example.com:80", "", false},
		{"http://example.com:8080", "example.com:8080", "", true},
		{"http://example.com:8080", "example.com", "", false},
		{"http://example.com", "example.com:8080", "", false},
		{"http://[::1]:8080", "[::1]:8080", "", true},
		{"http://[::1]", "[::1]", "", true},
		{"http://evil.com", "example.com", "", false},
		{"http://example.com.evil.com", "example.com", "", false},
		{"http://evilexample.com", "example.com", "", false},
		{"http://example.com@evil.com", "example.com", "", false},
		{"http://example.com/", "example.com", "", false},
		{"example.com", "example.com", "", false},
		{"null", "example.com", "", false},
		{"null", "null", "", false},
		{"", "example.com", "", false},
		{"http://", "", "", false},
		{"file://", "example.com", "", false},
		{"http://a.com http://b.com", "a.com", "", false},
		{"http://example.com", "example.com", "https://other.com", true},

		{"https://app.example.com", "api.example.com", "https://app.example.com", true},
		{"https://APP.example.com", "api.example.com", "https://App.example.com", true},
		{"https://app.example.com:443", "api.example.com", "https://app.example.com", true},
		{"https://app.example.com", "api.example.com", "https://app.example.com:443", true},
		{"http://app.example.com", "api.example.com", "https://app.example.com", false},
		{"https://app.example.com:8443", "api.example.com", "https://app.example.com", false},
		{"https://a.example.com", "api", "https://*.example.com", true},
		{"https://a.b.example.com", "api", "https://*.example.com", true},
		{"https://example.com", "api", "https://*.example.com", false},
		{"https://.example.com", "api", "https://*.example.com", false},
		{"https://evilexample.com", "api", "https://*.example.com", false},
		{"https://a.example.com.evil.com", "api", "https://*.example.com", false},
		{"http://a.example.com", "api", "https://*.example.com", false},
		{"http://localhost:5173", "api", "http://localhost:*", true},
		{"http://localhost", "api", "http://localhost:*", true},
		{"http://other:5173", "api", "http://localhost:*", false},
		{"http://app.example.com", "api", "app.example.com", true},
		{"https://app.example.com", "api", "app.example.com", true},
		{"https://app.example.com:8443", "api", "app.example.com", false},
		{"https://whatever", "api", "https://*", true},
		{"chrome-extension://abcdef", "api", "chrome-extension://abcdef", true},
		{"null", "api", "null", true},
		{"null", "api", "https://*", false},
		{"null", "api", "*", true},
		{"file://", "api", "*", true},
		{"https://b", "api", "https://a https://b", true},
	} {
		if got := ws.OriginAllowed([]string{c.origin}, c.host, strings.Fields(c.patterns)); got != c.want {
			t.Errorf("%q at %q with %q: %v", c.origin, c.host, c.patterns, got)
		}
	}
	if !ws.OriginAllowed(nil, "example.com", nil) {
		t.Error("a client without an origin is no browser")
	}
	if ws.OriginAllowed([]string{"http://a", "http://a"}, "a", []string{"*"}) {
		t.Error("two origins are none")
	}
	r, _ := handshake("Origin: http://evil.com")
	if a := (&ws.Policy{}).Decide(r); a.Status != 403 || !strings.Contains(a.Text, "http://evil.com") {
		t.Errorf("%+v", a)
	}
	r, _ = handshake("Origin: https://server.example.com")
	if a := (&ws.Policy{}).Decide(r); a.Status != 101 {
		t.Errorf("%+v", a)
	}
}

func TestOriginPatternsAreChecked(t *testing.T) {
	for p, good := range map[string]bool{
		"*": true, "null": true, "https://a.com": true, "https://*.a.com:8443": true, "http://localhost:*": true, "a.com": true, "https://*": true,
		"[::1]:80": true, "": false, "https://": false, "https://a.com/": false, "https://a.*.com": false, "https://a*.com": false, "a b": false,
		"https://a.com:x": false, "https://a.com:": false, "https://user@a.com": false, "::1": false,
	} {
		if err := ws.CheckOriginPattern(p); (err == nil) != good {
			t.Errorf("%q: %v", p, err)
		}
	}
}
