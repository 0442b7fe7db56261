package protocol_test

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// An opening is a request and what a server must answer (RFC 6455, 4.2). Autobahn
// has no case for it.
type opening struct {
	name   string
	first  string   // the request's first line; "": as it should be
	fields []string // these replace those of the same name; "Name" alone leaves it out
	path   string
	status int
	want   string // a field of the answer; "Name" alone must not be there
}

// ask is the request's bytes.
func (o opening) ask() string {
	first := o.first
	if first == "" {
		first = "GET " + o.path + " HTTP/1.1"
	}
	lines := []string{
		first, "Host: leat.example:81", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
	}
	for i := len(lines) - 1; i > 0; i-- {
		name, _, _ := strings.Cut(lines[i], ":")
		for _, f := range o.fields {
			if own, _, _ := strings.Cut(f, ":"); strings.EqualFold(own, name) {
				lines = append(lines[:i], lines[i+1:]...)
				break
			}
		}
	}
	for _, f := range o.fields {
		if strings.Contains(f, ":") {
			lines = append(lines, f)
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

const accepted = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

// deflated is an opening with an offer of compression.
func deflated(name, answer string, offers ...string) opening {
	o := opening{name: "RFC 7692, " + name, status: 101, want: "Sec-WebSocket-Extensions"}
	if answer != "" {
		o.want += ": " + answer
	}
	for _, offer := range offers {
		o.fields = append(o.fields, "Sec-WebSocket-Extensions: "+offer)
	}
	return o
}

const aloneBoth = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

func openings() []opening {
	f := func(fields ...string) []string { return fields }
	kept := func(name, answer, offer string) opening {
		o := deflated(name, answer, offer)
		o.path = "/kept"
		return o
	}
	return []opening{
		{name: "4.2.2 the example of the RFC", status: 101, want: accepted},
		{name: "4.2.2 the answer upgrades to websocket", status: 101, want: "Upgrade: websocket"},
		{name: "4.2.2 the answer's Connection has Upgrade", status: 101, want: "Connection: Upgrade"},
		{name: "4.2.2 nothing is granted that was not offered", status: 101, want: "Sec-WebSocket-Extensions"},
		{name: "4.2.2 no subprotocol is chosen that was not offered", status: 101, want: "Sec-WebSocket-Protocol"},
		{name: "4.2.1 names of fields in any case", fields: f("UPGRADE: websocket", "connection: Upgrade", "sec-websocket-KEY: dGhlIHNhbXBsZSBub25jZQ=="), status: 101, want: accepted},
		{name: "4.2.1 websocket in any case", fields: f("Upgrade: WebSocket"), status: 101, want: accepted},
		{name: "4.2.1 upgrade in any case", fields: f("Connection: UPGRADE"), status: 101, want: accepted},
		{name: "4.2.1 Connection is a list", fields: f("Connection: keep-alive, Upgrade"), status: 101, want: accepted},
		{name: "4.2.1 Connection is a list with odd spaces", fields: f("Connection:\tkeep-alive\t,\t upgrade ,,"), status: 101, want: accepted},
		{name: "4.2.1 Connection on two lines", fields: f("Connection: keep-alive", "Connection: Upgrade"), status: 101, want: accepted},
		{name: "4.2.1 Upgrade is a list", fields: f("Upgrade: h2c, websocket"), status: 101, want: accepted},
		{name: "4.2.1 Upgrade on two lines", fields: f("Upgrade: h2c", "Upgrade: websocket"), status: 101, want: accepted},
		{name: "4.2.1 spaces around the values", fields: f("Sec-WebSocket-Key:   dGhlIHNhbXBsZSBub25jZQ==\t", "Sec-WebSocket-Version:\t13 "), status: 101, want: accepted},
		{name: "4.2.1 a path with a query", path: "/open?a=b%20c", status: 101, want: accepted},
		{name: "4.2.1 the whole URL in the first line", first: "GET http://leat.example:81/open HTTP/1.1", status: 101, want: accepted},

		{name: "4.2.1 POST", first: "POST /open HTTP/1.1", status: 405, want: "Allow: GET"},
		{name: "4.2.1 HEAD", first: "HEAD /open HTTP/1.1", status: 405, want: "Allow: GET"},
		{name: "4.2.1 HTTP/1.0", first: "GET /open HTTP/1.0", status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.2.1 no Host", fields: f("Host"), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.2.1 no Upgrade", fields: f("Upgrade"), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.2.1 another Upgrade", fields: f("Upgrade: h2c"), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.2.1 a word that has websocket in it", fields: f("Upgrade: websockets"), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.2.1 no Connection", fields: f("Connection"), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.2.1 Connection without upgrade", fields: f("Connection: keep-alive"), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.2.1 a word that has upgrade in it", fields: f("Connection: not-upgrade"), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.2.1 no key", fields: f("Sec-WebSocket-Key"), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.2.1 two keys", fields: f("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA=="), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.2.1 an empty key", fields: f("Sec-WebSocket-Key: "), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.2.1 a key of 15 bytes", fields: f("Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4P"), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.2.1 a key of 17 bytes", fields: f("Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEBE="), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.2.1 a key of 18 bytes", fields: f("Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEBES"), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.2.1 a key without its padding", fields: f("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.2.1 a key that is not base64", fields: f("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!!=="), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.4 no version", fields: f("Sec-WebSocket-Version"), status: 426, want: "Sec-WebSocket-Version: 13"},
		{name: "4.4 version 12", fields: f("Sec-WebSocket-Version: 12"), status: 426, want: "Sec-WebSocket-Version: 13"},
		{name: "4.4 version 14", fields: f("Sec-WebSocket-Version: 14"), status: 426, want: "Sec-WebSocket-Version: 13"},
		{name: "4.4 version 013", fields: f("Sec-WebSocket-Version: 013"), status: 426, want: "Sec-WebSocket-Version: 13"},
		{name: "4.4 a version that is a word", fields: f("Sec-WebSocket-Version: thirteen"), status: 426, want: "Sec-WebSocket-Version: 13"},
		{name: "4.4 two versions", fields: f("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13"), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.4 a list of versions", fields: f("Sec-WebSocket-Version: 13, 8"), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.2.1 a body, which would be taken for frames, and need not come", fields: f("Content-Length: 6"), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.2.1 a body in chunks that need not come", fields: f("Transfer-Encoding: chunked"), status: 400, want: "Sec-WebSocket-Accept"},

		{name: "10.2 the server's own origin", fields: f("Origin: http://leat.example:81"), status: 101, want: accepted},
		{name: "10.2 its own origin behind TLS", fields: f("Origin: https://leat.example:81"), status: 101, want: accepted},
		{name: "10.2 its own origin in capitals", fields: f("Origin: http://LEAT.example:81"), status: 101, want: accepted},
		{name: "10.2 another host", fields: f("Origin: http://evil.example:81"), status: 403, want: "Sec-WebSocket-Accept"},
		{name: "10.2 another port", fields: f("Origin: http://leat.example:82"), status: 403, want: "Sec-WebSocket-Accept"},
		{name: "10.2 another host that begins alike", fields: f("Origin: http://leat.example.evil.example"), status: 403, want: "Sec-WebSocket-Accept"},
		{name: "10.2 another host that ends alike", fields: f("Origin: http://evil-leat.example:81"), status: 403, want: "Sec-WebSocket-Accept"},
		{name: "10.2 its host as a user", fields: f("Origin: http://leat.example:81@evil.example"), status: 403, want: "Sec-WebSocket-Accept"},
		{name: "10.2 null", fields: f("Origin: null"), status: 403, want: "Sec-WebSocket-Accept"},
		{name: "10.2 an empty origin", fields: f("Origin: "), status: 403, want: "Sec-WebSocket-Accept"},
		{name: "10.2 two origins, one of them its own", fields: f("Origin: http://leat.example:81", "Origin: http://evil.example"), status: 403, want: "Sec-WebSocket-Accept"},
		{name: "10.2 an origin that is allowed", fields: f("Origin: https://app.friend.example"), status: 101, want: accepted, path: "/friends"},
		{name: "10.2 an origin that is not", fields: f("Origin: https://friend.example.evil"), status: 403, want: "Sec-WebSocket-Accept", path: "/friends"},

		{name: "4.2.2 the server's best subprotocol", fields: f("Sec-WebSocket-Protocol: v1, v2"), path: "/protocols", status: 101, want: "Sec-WebSocket-Protocol: v2"},
		{name: "4.2.2 subprotocols on two lines", fields: f("Sec-WebSocket-Protocol: v0", "Sec-WebSocket-Protocol: v1"), path: "/protocols", status: 101, want: "Sec-WebSocket-Protocol: v1"},
		{name: "4.2.2 subprotocols are told by case", fields: f("Sec-WebSocket-Protocol: V1"), path: "/protocols", status: 101, want: "Sec-WebSocket-Protocol"},
		{name: "4.2.2 none in common", fields: f("Sec-WebSocket-Protocol: v0"), path: "/protocols", status: 101, want: "Sec-WebSocket-Protocol"},
		{name: "4.2.2 none in common where one is required", fields: f("Sec-WebSocket-Protocol: v0"), path: "/required", status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.2.2 none where one is required", path: "/required", status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.1 a subprotocol that is no token", fields: f("Sec-WebSocket-Protocol: v1, a b"), path: "/protocols", status: 400, want: "Sec-WebSocket-Accept"},
		{name: "4.1 a subprotocol twice", fields: f("Sec-WebSocket-Protocol: v1, v1"), path: "/protocols", status: 400, want: "Sec-WebSocket-Accept"},

		{name: "9.1 an extension that nobody knows", fields: f("Sec-WebSocket-Extensions: x-webkit-deflate-frame, foo; bar=\"b\""), status: 101, want: "Sec-WebSocket-Extensions"},
		{name: "9.1 extensions that are no list", fields: f("Sec-WebSocket-Extensions: permessage-deflate;;"), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "9.1 a quoted value that never ends", fields: f("Sec-WebSocket-Extensions: foo; bar=\"b"), status: 400, want: "Sec-WebSocket-Accept"},
		{name: "9.1 a quoted value that is no token", fields: f("Sec-WebSocket-Extensions: foo; bar=\"b c\""), status: 400, want: "Sec-WebSocket-Accept"},
		deflated("7 an offer", aloneBoth, "permessage-deflate"),
		deflated("7 an offer in capitals", aloneBoth, "PerMessage-Deflate"),
		deflated("7 an offer behind others", aloneBoth, "foo, bar; baz", "permessage-deflate"),
		deflated("7.1.1.1 server_no_context_takeover", aloneBoth, "permessage-deflate; server_no_context_takeover"),
		deflated("7.1.1.2 client_no_context_takeover", aloneBoth, "permessage-deflate; client_no_context_takeover"),
		deflated("7.1.2.1 server_max_window_bits=10", aloneBoth+"; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=10"),
		deflated("7.1.2.1 the value in quotes", aloneBoth+"; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=\"10\""),
		deflated("7.1.2.1 server_max_window_bits=15 is granted by its name", aloneBoth+"; server_max_window_bits=15", "permessage-deflate; server_max_window_bits=15"),
		deflated("7.1.2.1 server_max_window_bits=8", aloneBoth+"; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=8"),
		deflated("7.1.2.2 client_max_window_bits", aloneBoth, "permessage-deflate; client_max_window_bits"),
		deflated("7.1.2.2 client_max_window_bits=11", aloneBoth+"; client_max_window_bits=11", "permessage-deflate; client_max_window_bits=11"),
		deflated("7 an unknown parameter is declined", "", "permessage-deflate; foo"),
		deflated("7 a parameter twice is declined", "", "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10"),
		deflated("7 the same word twice is declined", "", "permessage-deflate; client_max_window_bits; client_max_window_bits"),
		deflated("7.1.1.1 a value for none is declined", "", "permessage-deflate; server_no_context_takeover=1"),
		deflated("7.1.1.2 a value for none is declined", "", "permessage-deflate; client_no_context_takeover=true"),
		deflated("7.1.2.1 no value for one is declined", "", "permessage-deflate; server_max_window_bits"),
		deflated("7.1.2.1 7 is declined", "", "permessage-deflate; server_max_window_bits=7"),
		deflated("7.1.2.1 16 is declined", "", "permessage-deflate; server_max_window_bits=16"),
		deflated("7.1.2.1 010 is declined", "", "permessage-deflate; server_max_window_bits=010"),
		deflated("7.1.2.2 7 is declined", "", "permessage-deflate; client_max_window_bits=7"),
		deflated("7.1.2.2 a word is declined", "", "permessage-deflate; client_max_window_bits=ten"),
		kept("7.1.1 contexts are kept", "permessage-deflate", "permessage-deflate"),
		kept("7.1.1.1 the server does not keep its own", "permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover"),
		kept("7.1.1.2 the client does not keep its own", "permessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover"),
		kept("7.1.2.1 no more bits than asked for", "permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=9"),
		kept("7.1.2.2 no bits where none were offered", "permessage-deflate", "permessage-deflate; client_max_window_bits"),
		deflated("5.1 the first good offer counts", aloneBoth+"; server_max_window_bits=12", "permessage-deflate; foo, permessage-deflate; server_max_window_bits=12, permessage-deflate"),
		deflated("5.1 offers on two lines", aloneBoth+"; server_max_window_bits=12", "permessage-deflate; foo", "permessage-deflate; server_max_window_bits=12"),
	}
}

func TestOpeningHandshakesOfClients(t *testing.T) {
	addr := startOpenings(t)
	for _, o := range openings() {
		if o.path == "" {
			o.path = "/open"
		}
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			l, r := o.send(t, addr, 0)
			if r.StatusCode != o.status {
				b, _ := io.ReadAll(r.Body)
				t.Fatalf("%s, want %d: %s", r.Status, o.status, b)
			}
			name, value, there := strings.Cut(o.want, ": ")
			if got := strings.Join(r.Header.Values(name), " | "); got != value || !there && got != "" {
				t.Errorf("%s is %q, want %q", name, got, value)
			}
			if o.status != 101 {
				if r.Header.Get("Content-Type") == "" && o.first == "" {
					t.Error("the refusal says nothing")
				}
				return
			}
			if err := l.agree(r.Header.Get("Sec-Websocket-Extensions"), r.Header.Get("Sec-Websocket-Extensions") != ""); err != nil {
				t.Fatal(err)
			}
			lives(t, l)
		})
	}
}

// lives says hello on a connection and closes it.
func lives(t *testing.T, l *link) {
	t.Helper()
	for _, do := range (steps{send(text(hello)), getsText(hello), closes(1000, "")}).all() {
		if err := do(l); err != nil {
			t.Fatal(err)
		}
	}
}

// send sends the request, cut bytes at a time, with more behind it, and answers
// what comes back.
func (o opening) send(t *testing.T, addr string, cut int, more ...piece) (*link, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	l := newLink(conn, bufio.NewReader(conn), true)
	t.Cleanup(l.close)
	b := []byte(o.ask())
	for _, p := range more {
		b = p.append(l, b)
	}
	l.out <- chunk{b: b, cut: cut}
	method, _, _ := strings.Cut(o.ask(), " ")
	r, err := http.ReadResponse(l.in, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	return l, r
}

func TestOpeningHandshakesInPieces(t *testing.T) {
	addr := startOpenings(t)
	o := opening{path: "/open"}
	t.Run("4.2.1 octet by octet", func(t *testing.T) {
		l, r := o.send(t, addr, 1)
		if r.StatusCode != 101 {
			t.Fatal(r.Status)
		}
		lives(t, l)
	})
	t.Run("4.1 frames in the same write are not lost", func(t *testing.T) {
		l, r := o.send(t, addr, 0, text("early"), ping("too"), text(pattern(5000)), binry(bytesOf(70_000)))
		if r.StatusCode != 101 {
			t.Fatal(r.Status)
		}
		got := map[string]bool{}
		for range 4 {
			e, err := l.next()
			if err != nil {
				t.Fatal(err)
			}
			got[e.data] = true
		}
		if !got["early"] || !got["too"] || !got[pattern(5000)] || !got[bytesOf(70_000)] {
			t.Error("something is lost")
		}
		lives(t, l)
	})
	t.Run("4.1 a frame that began in the same write", func(t *testing.T) {
		l, r := o.send(t, addr, 0, raw("\x81\x85\x00\x00\x00\x00He"))
		if r.StatusCode != 101 {
			t.Fatal(r.Status)
		}
		for _, do := range (steps{send(raw("llo")), getsText("Hello")}).all() {
			if err := do(l); err != nil {
				t.Fatal(err)
			}
		}
		lives(t, l)
	})
	t.Run("5.1 a violation in the same write", func(t *testing.T) {
		l, r := o.send(t, addr, 0, frame{b0: fin | opText, payload: "unmasked", flip: true})
		if r.StatusCode != 101 {
			t.Fatal(r.Status)
		}
		for _, do := range fails(1002).all() {
			if err := do(l); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("a refusal leaves the connection to HTTP", func(t *testing.T) {
		o := opening{path: "/open", fields: []string{"Sec-WebSocket-Version: 12"}}
		l, r := o.send(t, addr, 0)
		if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != 426 {
			t.Fatal(err, r.Status)
		}
		if r.Close {
			t.Fatal("it is closed")
		}
		l.out <- chunk{b: []byte(opening{path: "/open"}.ask())}
		if r, err := http.ReadResponse(l.in, nil); err != nil || r.StatusCode != 101 {
			t.Fatal(err, r)
		}
		lives(t, l)
	})
}

// startOpenings starts a server whose paths have rules of their own.
func startOpenings(t *testing.T) string {
	t.Helper()
	srv, err := leat.New(&leat.Config{
		Listen:   []string{"http://127.0.0.1:0"},
		Name:     "leat.example",
		Logger:   slog.New(slog.DiscardHandler),
		Timeouts: leat.Timeouts{Inactivity: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	handle := func(path string, o leat.SocketOptions) {
		o.Message = func(s *leat.Socket, m leat.Message) { _, _ = s.Send(m) }
		srv.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { _, _ = leat.Upgrade(w, r, &o) })
	}
	handle("/open", leat.SocketOptions{})
	handle("/kept", leat.SocketOptions{ContextTakeover: true})
	handle("/friends", leat.SocketOptions{Origins: []string{"https://*.friend.example"}})
	handle("/protocols", leat.SocketOptions{Protocols: []string{"v2", "v1"}})
	handle("/required", leat.SocketOptions{Protocols: []string{"v2", "v1"}, RequireProtocol: leat.On})
	return run(t, srv)
}
