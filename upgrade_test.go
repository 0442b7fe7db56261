package leat_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// RFC 6455, 4.2.1 and 4.2.2.
func TestTheHandshakeIsAnsweredByTheRule(t *testing.T) {
	url := echo(t, &leat.Config{Name: "site.example", Timeouts: leat.Timeouts{Inactivity: 90 * time.Second}}, leat.SocketOptions{Protocols: []string{"v2", "v1"}})
	for name, c := range map[string]struct {
		header []string
		status int
		want   string // a header of the answer, or a word of its text
	}{
		"as it should be":           {nil, 101, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
		"lists in any case":         {[]string{"Connection: keep-alive, uPGRADE", "Upgrade: h2c, WebSocket"}, 101, "Upgrade: websocket"},
		"two Connection lines":      {[]string{"Connection: keep-alive", "Connection: Upgrade"}, 101, "Connection: Upgrade"},
		"the server's preference":   {[]string{"Sec-WebSocket-Protocol: v1, v2"}, 101, "Sec-WebSocket-Protocol: v2"},
		"lines of protocols":        {[]string{"Sec-WebSocket-Protocol: v0", "Sec-WebSocket-Protocol: v1"}, 101, "Sec-WebSocket-Protocol: v1"},
		"no protocol in common":     {[]string{"Sec-WebSocket-Protocol: v0"}, 101, ""},
		"its inactivity timeout":    {nil, 101, "X-Inactivity-Timeout: 90"},
		"compression":               {[]string{"Sec-WebSocket-Extensions: permessage-deflate"}, 101, "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		"its own origin behind TLS": {[]string{"Host: localhost:8080", "Origin: https://localhost:8080"}, 101, ""},
		"another origin":            {[]string{"Origin: https://evil.example"}, 403, "origin"},
		"the null origin":           {[]string{"Origin: null"}, 403, "origin"},
		"another port":              {[]string{"Host: localhost:8080", "Origin: http://localhost:8081"}, 403, "origin"},
		"version 8":                 {[]string{"Sec-WebSocket-Version: 8"}, 426, "Sec-WebSocket-Version: 13"},
		"a short key":               {[]string{"Sec-WebSocket-Key: c2hvcnQ="}, 400, "Key"},
		"no upgrade":                {[]string{"Upgrade: h2c"}, 400, "Upgrade: websocket"},
		"a body, without waiting":   {[]string{"Content-Length: 6"}, 400, "body"},
		"connection: not-upgrade":   {[]string{"Connection: not-upgrade"}, 400, "Upgrade"},
	} {
		t.Run(name, func(t *testing.T) {
			p := shake(t, url, c.header...)
			text := ""
			if p.resp.StatusCode != 101 {
				b, _ := io.ReadAll(p.resp.Body)
				text = string(b)
			}
			if p.resp.StatusCode != c.status {
				t.Fatalf("%s: %s", p.resp.Status, text)
			}
			if key, value, ok := strings.Cut(c.want, ": "); ok && c.status != 400 {
				if got := p.resp.Header.Get(key); got != value {
					t.Errorf("%s is %q, want %q", key, got, value)
				}
			} else if !strings.Contains(text, c.want) {
				t.Errorf("the text is %q", text)
			}
			if p.resp.Header.Get("X-Request-Timeout") != "" {
				t.Error("there is no request timeout")
			}
			if c.status == 101 {
				p.text("lives")
				p.want("text lives")
			}
		})
	}
	t.Run("HTTP/1.0", func(t *testing.T) {
		answer := exchange(t, strings.TrimSuffix(url, "/ws"), "GET /ws HTTP/1.0\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
		if !strings.Contains(answer, " 400 ") {
			t.Error(answer)
		}
	})
	t.Run("POST", func(t *testing.T) {
		code, header, _ := status(t, http.MethodPost, url, "Upgrade", "websocket", "Connection", "Upgrade",
			"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version", "13")
		if code != 405 || header.Get("Allow") != "GET" {
			t.Error(code, header)
		}
	})
}

func TestFramesThatComeWithTheHandshakeAreNotLost(t *testing.T) {
	url := echo(t, nil, leat.SocketOptions{})
	conn := dial(t, strings.TrimSuffix(url, "/ws"))
	frames := ws.AppendFrame(nil, ws.Header{Fin: true, Opcode: ws.OpText, Masked: true, Key: peerKey}, []byte("early"))
	if _, err := io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"+string(frames)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 0, 1<<10)
	for !strings.HasSuffix(string(b), "\r\n\r\n\x81\x05early") {
		part := make([]byte, 512)
		n, err := conn.Read(part)
		if err != nil {
			t.Fatalf("%v after %q", err, b)
		}
		b = append(b, part[:n]...)
	}
}

func TestTheConfigurationRules(t *testing.T) {
	c := &leat.Config{
		WebSockets: leat.WebSockets{Protocols: []string{"base"}, Origins: []string{"https://*.friend.example"}},
		Routes: []leat.Route{
			{Match: "/off", Handler: "action", WebSockets: leat.WebSockets{Enable: leat.Off}},
			{Match: "/strict", Handler: "action", WebSockets: leat.WebSockets{RequireProtocol: leat.On}},
			{Match: "/one", Handler: "action", Limits: leat.Limits{WebSockets: 1}},
			{Match: "/timed", Handler: "action", Timeouts: leat.Timeouts{Request: time.Hour, Inactivity: leat.Never}},
			{Match: "/raw", Handler: "action", WebSockets: leat.WebSockets{ValidateUTF: leat.Off, PreserveFrames: leat.On, Deflate: leat.Off}},
			{Match: "/small", Handler: "action", Limits: leat.Limits{MaxMessage: 10}},
			{Match: "/pieces", Handler: "action", Limits: leat.Limits{MaxPacket: 4}},
			{Handler: "action"},
		},
	}
	log := newJournal()
	c.Logger = log.logger()
	srv, url := start(t, c, func(srv *leat.Server) {
		srv.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			_, _ = leat.Upgrade(w, r, &leat.SocketOptions{Message: func(s *leat.Socket, m leat.Message) { _, _ = s.Send(m) }})
		})
	})
	refused := func(t *testing.T, path string, status int, word string, header ...string) {
		t.Helper()
		p := shake(t, url+path, header...)
		text, _ := io.ReadAll(p.resp.Body)
		if p.resp.StatusCode != status || !strings.Contains(string(text), word) {
			t.Errorf("%s: %s", p.resp.Status, text)
		}
	}
	t.Run("webSockets.enable", func(t *testing.T) { refused(t, "/off", 403, "webSockets.enable") })
	t.Run("webSockets.requireProtocol", func(t *testing.T) {
		refused(t, "/strict", 400, "base")
		connect(t, url+"/strict", "Sec-WebSocket-Protocol: base")
	})
	t.Run("webSockets.origins", func(t *testing.T) {
		connect(t, url+"/", "Origin: https://a.friend.example")
		refused(t, "/", 403, "origin", "Origin: https://friend.example.evil")
		log.wait(t, map[string]any{"msg": "websocket refused", "status": 403, "path": "/"})
	})
	t.Run("limits.webSockets", func(t *testing.T) {
		p := connect(t, url+"/one")
		second := shake(t, url+"/one")
		if second.resp.StatusCode != 503 || second.resp.Header.Get("Retry-After") == "" {
			t.Error(second.resp.Status, second.resp.Header)
		}
		p.close(1000, "")
		p.want("close 1000")
		p.wantEnd()
		log.wait(t, map[string]any{"path": "/one", "status": 101, "end": "done"})
		connect(t, url+"/one")
	})
	t.Run("timeouts", func(t *testing.T) {
		p := connect(t, url+"/timed")
		if h := p.resp.Header; h.Get("X-Request-Timeout") != "3600" || h.Get("X-Inactivity-Timeout") != "" {
			t.Error(h)
		}
	})
	t.Run("validateUTF and preserveFrames", func(t *testing.T) {
		p := connect(t, url+"/raw", "Sec-WebSocket-Extensions: permessage-deflate")
		if p.resp.Header.Get("Sec-WebSocket-Extensions") != "" {
			t.Error("it compresses")
		}
		p.frame(ws.Header{Opcode: ws.OpText}, "\xff")
		p.want("text+ \xff")
		p.frame(ws.Header{Opcode: ws.OpContinuation}, "")
		p.want("continuation+")
		p.frame(ws.Header{Fin: true, Opcode: ws.OpContinuation}, "end")
		p.want("continuation end")
	})
	t.Run("limits.maxMessage", func(t *testing.T) {
		p := connect(t, url+"/small")
		p.text("1234567890")
		p.want("text 1234567890")
		p.frame(ws.Header{Opcode: ws.OpText}, "12345")
		p.frame(ws.Header{Opcode: ws.OpContinuation}, "67890")
		p.frame(ws.Header{Opcode: ws.OpContinuation}, "1")
		p.want("close 1009 the message is larger than limits.maxMessage")
		p.wantEnd()
		log.wait(t, map[string]any{"path": "/small", "end": "limits.maxMessage"})
	})
	t.Run("limits.maxPacket", func(t *testing.T) {
		p := connect(t, url+"/pieces")
		p.text("1234567890")
		p.want("text+ 1234", "continuation+ 5678", "continuation 90")
	})
	if n := srv.Stats().SocketsRefused; n < 4 {
		t.Errorf("%d refused", n)
	}
}

func TestUpgradeUnderAnotherServerIsOursAllTheSame(t *testing.T) {
	for name, then := range map[string]func(*leat.Socket){
		"event": nil,
		"blocking": func(s *leat.Socket) {
			m, err := s.Read(s.Context())
			if err == nil {
				_, _ = s.Send(m)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := &leat.SocketOptions{}
			if then == nil {
				o.Message = func(s *leat.Socket, m leat.Message) { _, _ = s.Send(m); _ = s.Close() }
			}
			hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Middleware", "was here")
				s, err := leat.Upgrade(w, r, o)
				if err == nil && then != nil {
					then(s)
				}
			}))
			t.Cleanup(hs.Close)
			p := connect(t, hs.URL+"/")
			if p.resp.Header.Get("X-Middleware") != "was here" {
				t.Error("a header is lost")
			}
			p.text("hello")
			p.want("text hello", "close 1000")
			p.close(1000, "")
			p.wantEnd()
		})
	}
}

func TestAHeaderCannotBreakTheAnswer(t *testing.T) {
	_, url := start(t, nil, func(srv *leat.Server) {
		srv.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Evil", "a\r\nSet-Cookie: stolen=1")
			w.Header().Set("Content-Length", "10")
			_, _ = leat.Upgrade(w, r, &leat.SocketOptions{Message: func(*leat.Socket, leat.Message) {}})
		})
	})
	p := connect(t, url+"/")
	if h := p.resp.Header; h.Get("Set-Cookie") != "" || h.Get("Content-Length") != "" {
		t.Error(h)
	}
}

func TestAWrongOriginPatternIsTheServersMistake(t *testing.T) {
	log := newJournal()
	o := leat.SocketOptions{Origins: []string{"https://app.example.com/"}, Message: func(*leat.Socket, leat.Message) {}}
	url := socketServer(t, &leat.Config{Logger: log.logger()}, &o, nil)
	if p := shake(t, url); p.resp.StatusCode != 500 {
		t.Error(p.resp.Status)
	}
	if line := log.wait(t, map[string]any{"msg": "websocket refused"}); !strings.Contains(line["why"].(string), "https://app.example.com/") {
		t.Error(line)
	}
}

// A middleware's timeout ends a socket of the blocking style, whenever it comes.
func TestARequestContextThatEndsEarlyEndsTheSocket(t *testing.T) {
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		s, err := leat.Upgrade(w, r.WithContext(ctx), nil)
		if err == nil {
			_ = s.Run()
		}
	}))
	t.Cleanup(hs.Close)
	p := connect(t, hs.URL+"/")
	p.want("close 1000")
	p.close(1000, "")
	p.wantEnd()
}
