package protocol_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// A reply is what a server answers to a client's opening handshake, and whether
// the client may take it (RFC 6455, 4.1). Autobahn has no case for it.
type reply struct {
	name   string
	first  string   // the status line; "": 101
	fields []string // these replace those of the same name; "Name" alone leaves it out
	o      leat.DialOptions
	status int // of the DialError; 0: the socket opens
}

func (r reply) bytes(key string) string {
	first := r.first
	if first == "" {
		first = "HTTP/1.1 101 Switching Protocols"
	}
	lines := []string{first, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: " + acceptKey(key)}
	for i := len(lines) - 1; i > 0; i-- {
		name, _, _ := strings.Cut(lines[i], ":")
		for _, f := range r.fields {
			if own, _, _ := strings.Cut(f, ":"); strings.EqualFold(own, name) {
				lines = append(lines[:i], lines[i+1:]...)
				break
			}
		}
	}
	for _, f := range r.fields {
		if strings.Contains(f, ":") {
			lines = append(lines, strings.ReplaceAll(f, "<key>", acceptKey(key)))
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func replies() []reply {
	f := func(fields ...string) []string { return fields }
	plain := leat.DialOptions{SocketOptions: leat.SocketOptions{Deflate: leat.Off}}
	kept := leat.DialOptions{SocketOptions: leat.SocketOptions{ContextTakeover: true}}
	chat := leat.DialOptions{SocketOptions: leat.SocketOptions{Protocols: []string{"v2", "v1"}}}
	none := "permessage-deflate; server_no_context_takeover"
	all := []reply{
		{name: "4.1 as it should be"},
		{name: "4.1 names of fields in any case", fields: f("UPGRADE: websocket", "connection: Upgrade", "sec-websocket-ACCEPT: <key>")},
		{name: "4.1 websocket in any case", fields: f("Upgrade: WebSocket")},
		{name: "4.1 Connection is a list in any case", fields: f("Connection: keep-alive, UPGRADE")},
		{name: "4.1 Connection on two lines", fields: f("Connection: keep-alive", "Connection: Upgrade")},
		{name: "4.1 spaces around the key's answer", fields: f("Sec-WebSocket-Accept:  \t<key> ")},
		{name: "4.1 other words for the status", first: "HTTP/1.1 101 Web Socket Protocol Handshake"},
		{name: "4.1 no words for the status", first: "HTTP/1.1 101 "},
		{name: "4.1 other fields", fields: f("Server: other", "Date: Sun, 22 Nov 2026 00:00:00 GMT", "Set-Cookie: a=b")},

		{name: "4.1 200", first: "HTTP/1.1 200 OK", fields: f("Content-Length: 0"), status: 200},
		{name: "4.1 204", first: "HTTP/1.1 204 No Content", status: 204},
		{name: "4.1 a redirect is not followed", first: "HTTP/1.1 302 Found", fields: f("Content-Length: 0", "Location: /elsewhere"), status: 302},
		{name: "4.1 401", first: "HTTP/1.1 401 Unauthorized", fields: f("Content-Length: 0", "WWW-Authenticate: Basic"), status: 401},
		{name: "4.1 426", first: "HTTP/1.1 426 Upgrade Required", fields: f("Content-Length: 0", "Sec-WebSocket-Version: 99"), status: 426},
		{name: "4.1 503", first: "HTTP/1.1 503 Service Unavailable", fields: f("Content-Length: 0", "Retry-After: 5"), status: 503},
		{name: "4.1 no Upgrade", fields: f("Upgrade"), status: 101},
		{name: "4.1 another Upgrade", fields: f("Upgrade: h2c"), status: 101},
		{name: "4.1 an Upgrade too many", fields: f("Upgrade: websocket, h2c"), status: 101},
		{name: "4.1 no Connection", fields: f("Connection"), status: 101},
		{name: "4.1 Connection without upgrade", fields: f("Connection: keep-alive"), status: 101},
		{name: "4.1 a word that has upgrade in it", fields: f("Connection: upgraded"), status: 101},
		{name: "4.1 no answer to the key", fields: f("Sec-WebSocket-Accept"), status: 101},
		{name: "4.1 the answer to another key", fields: f("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), status: 101},
		{name: "4.1 the key's answer in capitals", fields: f("Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO="), status: 101},
		{name: "4.1 two answers to the key", fields: f("Sec-WebSocket-Accept: <key>", "Sec-WebSocket-Accept: <key>"), status: 101},

		{name: "4.1 one of the subprotocols", o: chat, fields: f("Sec-WebSocket-Protocol: v1")},
		{name: "4.1 none of the subprotocols", o: chat},
		{name: "4.1 a subprotocol that was not offered", fields: f("Sec-WebSocket-Protocol: v1"), status: 101},
		{name: "4.1 another subprotocol", o: chat, fields: f("Sec-WebSocket-Protocol: v3"), status: 101},
		{name: "4.1 a subprotocol in other capitals", o: chat, fields: f("Sec-WebSocket-Protocol: V1"), status: 101},
		{name: "4.1 an empty subprotocol", o: chat, fields: f("Sec-WebSocket-Protocol: "), status: 101},
		{name: "4.1 two subprotocols", o: chat, fields: f("Sec-WebSocket-Protocol: v1, v2"), status: 101},
		{name: "4.1 two lines of subprotocols", o: chat, fields: f("Sec-WebSocket-Protocol: v1", "Sec-WebSocket-Protocol: v1"), status: 101},
	}
	extension := func(name string, o leat.DialOptions, status int, lines ...string) {
		for i := range lines {
			lines[i] = "Sec-WebSocket-Extensions: " + lines[i]
		}
		all = append(all, reply{name: name, o: o, fields: lines, status: status})
	}
	good := func(name string, o leat.DialOptions, lines ...string) { extension(name, o, 0, lines...) }
	bad := func(name string, o leat.DialOptions, lines ...string) { extension(name, o, 101, lines...) }
	var zero leat.DialOptions
	good("7692 7 the offer is granted", zero, none)
	good("7692 7 the offer is granted in capitals", zero, "PERMESSAGE-deflate; Server_No_Context_Takeover")
	good("7692 7.1.1.2 the client is told to forget", kept, "permessage-deflate; client_no_context_takeover")
	good("7692 7.1.2.1 the server's window", zero, none+"; server_max_window_bits=9")
	good("7692 7.1.2.1 the server's window in quotes", zero, none+`; server_max_window_bits="9"`)
	good("7692 7.1.2.2 the client's window", zero, none+"; client_max_window_bits=9")
	good("7692 7.1.2.2 the client's window of 8", zero, none+"; client_max_window_bits=8")
	bad("9.1 an extension that was not offered", plain, "permessage-deflate")
	bad("9.1 an extension that nobody knows", zero, "foo")
	bad("9.1 an extension that nobody knows, beside a good one", zero, none+", foo")
	bad("9.1 the extension twice", zero, none+", "+none)
	bad("9.1 the extension on two lines", zero, none, none)
	bad("9.1 extensions that are no list", zero, none+";")
	bad("7692 7.1.1.1 what the client demands is not granted", zero, "permessage-deflate")
	bad("7692 7 an unknown parameter", zero, none+"; foo")
	bad("7692 7 a parameter twice", zero, none+"; server_no_context_takeover")
	bad("7692 7 a window twice", zero, none+"; server_max_window_bits=9; server_max_window_bits=9")
	bad("7692 7.1.1.1 a value for none", zero, "permessage-deflate; server_no_context_takeover=true")
	bad("7692 7.1.2.1 no value for one", zero, none+"; server_max_window_bits")
	bad("7692 7.1.2.2 no value for one", zero, none+"; client_max_window_bits")
	bad("7692 7.1.2.1 a window of 7", zero, none+"; server_max_window_bits=7")
	bad("7692 7.1.2.1 a window of 16", zero, none+"; server_max_window_bits=16")
	bad("7692 7.1.2.2 a window of 16", zero, none+"; client_max_window_bits=16")
	bad("7692 7.1.2.2 a window of 09", zero, none+"; client_max_window_bits=09")
	return all
}

func TestOpeningHandshakesOfServers(t *testing.T) {
	srv, err := leat.New(&leat.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range replies() {
		t.Run(r.name, func(t *testing.T) {
			r.o.Server = srv
			dialed, l, request := r.meet(t)
			l.out <- chunk{b: []byte(r.bytes(request.Header.Get("Sec-Websocket-Key")))}
			d := <-dialed
			if r.status == 0 {
				if d.err != nil {
					t.Fatal(d.err)
				}
				var answer string
				for _, field := range r.fields {
					if value, is := strings.CutPrefix(field, "Sec-WebSocket-Extensions: "); is {
						answer = strings.ReplaceAll(strings.ToLower(value), `"`, "")
					}
				}
				if err := l.agree(answer, answer != ""); err != nil {
					t.Fatal(err)
				}
				lives(t, l)
				return
			}
			var refused *leat.DialError
			if !errors.As(d.err, &refused) || refused.Status != r.status {
				t.Fatalf("%v, want a DialError with status %d", d.err, r.status)
			}
			if e, err := l.next(); e.op != 0 || err != nil {
				t.Errorf("behind a handshake that failed comes %v, %v", e, err)
			}
		})
	}
}

// A dialed is what Dial answers.
type dialed struct {
	s   *leat.Socket
	err error
}

// meet has Dial connect to the raw peer and reads its request.
func (r reply) meet(t *testing.T) (<-chan dialed, *link, *http.Request) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	done := make(chan dialed, 1)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	go func() {
		r.o.Message = func(s *leat.Socket, m leat.Message) { _, _ = s.Send(m) }
		s, err := leat.Dial(ctx, "ws://"+listener.Addr().String()+"/a%20path?b=c", &r.o)
		done <- dialed{s, err}
	}()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	l := newLink(conn, bufio.NewReader(conn), false)
	t.Cleanup(l.close)
	request, err := http.ReadRequest(l.in)
	if err != nil {
		t.Fatal(err)
	}
	return done, l, request
}

func TestOpeningHandshakeOfTheClient(t *testing.T) {
	seen := map[string]bool{}
	for range 3 {
		r := reply{o: leat.DialOptions{
			SocketOptions: leat.SocketOptions{Protocols: []string{"v2", "v1"}},
			Header:        http.Header{"Authorization": {"Bearer x"}, "Origin": {"http://leat.example"}},
		}}
		dialed, l, request := r.meet(t)
		for name, want := range map[string]string{
			"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Version": "13", "Sec-Websocket-Protocol": "v2, v1",
			"Authorization": "Bearer x", "Origin": "http://leat.example", "Content-Length": "", "Transfer-Encoding": "",
		} {
			if got := strings.Join(request.Header.Values(name), " | "); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if request.Method != "GET" || request.Proto != "HTTP/1.1" || request.RequestURI != "/a%20path?b=c" || request.Host != l.conn.LocalAddr().String() {
			t.Errorf("%s %s %s, Host %s", request.Method, request.RequestURI, request.Proto, request.Host)
		}
		if got := strings.Join(request.Header.Values("Sec-Websocket-Extensions"), " | "); got != aloneBoth+"; client_max_window_bits" {
			t.Errorf("it offers %q", got)
		}
		key := request.Header.Values("Sec-Websocket-Key")
		if b, err := base64.StdEncoding.DecodeString(strings.Join(key, "|")); err != nil || len(b) != 16 || seen[key[0]] {
			t.Errorf("the key is %q", key)
		}
		seen[key[0]] = true
		l.out <- chunk{b: []byte(r.bytes(key[0]))}
		if d := <-dialed; d.err != nil {
			t.Fatal(d.err)
		}
		lives(t, l)
	}
}

func TestOpeningHandshakeAnswersInPieces(t *testing.T) {
	for _, c := range []struct {
		name string
		cut  int
		more []piece
		want steps
	}{
		{"4.1 octet by octet", 1, nil, nil},
		{
			"4.1 frames in the same write are not lost", 0,
			[]piece{text("early"), binry(bytesOf(70_000))},
			steps{getsText("early"), getsBinary(bytesOf(70_000))},
		},
		{
			"4.1 a frame that began in the same write", 0,
			[]piece{raw("\x81\x05He")},
			steps{send(raw("llo")), getsText("Hello")},
		},
		{"4.1 octet by octet, with a frame", 1, []piece{ping("now")}, steps{getsPong("now")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r reply
			dialed, l, request := r.meet(t)
			b := []byte(r.bytes(request.Header.Get("Sec-Websocket-Key")))
			for _, p := range c.more {
				b = p.append(l, b)
			}
			l.out <- chunk{b: b, cut: c.cut}
			if d := <-dialed; d.err != nil {
				t.Fatal(d.err)
			}
			for _, do := range c.want.all() {
				if err := do(l); err != nil {
					t.Fatal(err)
				}
			}
			lives(t, l)
		})
	}
}

// What is no answer ends Dial at once, or when its time is over.
func TestOpeningHandshakeAnswersThatAreNone(t *testing.T) {
	for name, answer := range map[string]chunk{
		"the end of TCP":           {end: true},
		"garbage":                  {b: []byte("\x00\xff\x81\x05Hello\r\n\r\n")},
		"another protocol":         {b: []byte("SSH-2.0-OpenSSH_9.2\r\n")},
		"half a status line":       {b: []byte("HTTP/1.1 10")},
		"a header that never ends": {b: []byte("HTTP/1.1 101 Switching Protocols\r\n" + strings.Repeat("X: y\r\n", 100_000))},
		"a line that never ends":   {b: []byte("HTTP/1.1 101 " + strings.Repeat("x", 1<<20))},
		"a frame":                  {b: []byte("\x81\x05Hello")},
		"silence":                  {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			done := make(chan error, 1)
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			go func() {
				_, err := leat.Dial(ctx, "ws://"+listener.Addr().String(), nil)
				done <- err
			}()
			conn, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			l := newLink(conn, bufio.NewReader(conn), false)
			defer l.close()
			l.out <- answer
			select {
			case err := <-done:
				var refused *leat.DialError
				if !errors.As(err, &refused) {
					t.Errorf("%v", err)
				}
			case <-time.After(patience):
				t.Error("Dial does not return")
			}
		})
	}
}
