package protocol_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A setup is how a connection is opened, and what its echo is told.
type setup struct {
	name string // of the connection, where its end is told

	// offer is what a client says in Sec-WebSocket-Extensions, answer what a
	// server says; the raw peer says its part.
	offer, answer string

	takeover   bool  // the echo may keep its context of compression
	maxMessage int64 // 0: mostMessage
	maxFrame   int64 // of what is sent; 0: none
	maxPacket  int64 // of what is received at a time, and sent as a frame; 0: whole messages
	frames     bool  // the echo sends frames as they came
	anyText    bool  // text need not be UTF-8
}

// mostMessage is how large a message an echo takes.
const mostMessage = 16 << 20

func (s setup) limit() int64 {
	if s.maxMessage == 0 {
		return mostMessage
	}
	return s.maxMessage
}

// A subject is a WebSocket library that sends every message back, as server or
// as client.
type subject struct {
	name string
	// addr is where it listens as a server; what a path's last part names is
	// the setup. Empty: it is a client.
	addr string
	// dial opens a connection as a client and returns when that has ended.
	dial func(url string, s setup, ended chan<- outcome)
	// ended is where a server tells how the connection with a name has ended; nil:
	// it does not.
	ended func(name string) chan outcome
	// tells: dial tells it.
	tells bool
	// blocking: Leat's blocking style. sender: its senders instead of an echo.
	blocking, sender bool
	// resets: it ends TCP while there is something to read, which resets it.
	resets bool
}

// open opens a connection with the subject. When the case is over the raw peer's
// end is closed, and a client must come to its end as well.
func (s *subject) open(t testing.TB, how setup) (*link, <-chan outcome, error) {
	t.Helper()
	if s.dial != nil {
		return s.openToClient(t, how)
	}
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		return nil, nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	key := "dGhlIHNhbXBsZSBub25jZQ=="
	path := how.path()
	if s.blocking {
		path += "&blocking"
	}
	if s.sender {
		path += "&sender"
	}
	request := "GET " + path + " HTTP/1.1\r\nHost: " + s.addr +
		"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + "\r\n"
	if how.offer != "" {
		request += "Sec-WebSocket-Extensions: " + how.offer + "\r\n"
	}
	if _, err := conn.Write([]byte(request + "\r\n")); err != nil {
		return nil, nil, err
	}
	in := bufio.NewReaderSize(conn, 64<<10)
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, nil, err
	}
	if r.StatusCode != 101 || r.Header.Get("Sec-Websocket-Accept") != acceptKey(key) {
		return nil, nil, fmt.Errorf("the answer is %s %v", r.Status, r.Header)
	}
	l := newLink(conn, in, true)
	t.Cleanup(l.close)
	l.resets = s.resets
	var ended <-chan outcome
	if s.ended != nil {
		ended = s.ended(how.name)
	}
	return l, ended, l.agree(r.Header.Get("Sec-Websocket-Extensions"), how.offer != "")
}

func (s *subject) openToClient(t testing.TB, how setup) (*link, <-chan outcome, error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer listener.Close()
	done := make(chan struct{})
	told := make(chan outcome, 1)
	go func() {
		defer close(done)
		s.dial("ws://"+listener.Addr().String()+"/", how, told)
	}()
	conn, err := listener.Accept()
	if err != nil {
		return nil, nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	in := bufio.NewReaderSize(conn, 64<<10)
	r, err := http.ReadRequest(in)
	if err != nil {
		return nil, nil, err
	}
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		acceptKey(r.Header.Get("Sec-Websocket-Key")) + "\r\n"
	if how.answer != "" {
		if offered := r.Header.Get("Sec-Websocket-Extensions"); !strings.Contains(offered, "permessage-deflate") {
			return nil, nil, fmt.Errorf("it offers %q", offered)
		}
		answer += "Sec-WebSocket-Extensions: " + how.answer + "\r\n"
	}
	if _, err := conn.Write([]byte(answer + "\r\n")); err != nil {
		return nil, nil, err
	}
	l := newLink(conn, in, false)
	t.Cleanup(func() {
		l.close()
		select {
		case <-done:
		case <-time.After(patience):
			t.Error("the client does not come to its end")
		}
	})
	l.resets = s.resets
	var ended <-chan outcome
	if s.tells {
		ended = told
	}
	return l, ended, l.agree(how.answer, how.answer != "")
}

// path names the setup for a server.
func (s setup) path() string {
	return fmt.Sprintf("/echo?takeover=%t&maxMessage=%d&maxFrame=%d&maxPacket=%d&frames=%t&anyText=%t&name=%s",
		s.takeover, s.limit(), s.maxFrame, s.maxPacket, s.frames, s.anyText, url.QueryEscape(s.name))
}

// setupOf reads a path's setup.
func setupOf(r *http.Request) (s setup) {
	q := r.URL.Query()
	s.takeover, _ = strconv.ParseBool(q.Get("takeover"))
	s.maxMessage, _ = strconv.ParseInt(q.Get("maxMessage"), 10, 64)
	s.maxFrame, _ = strconv.ParseInt(q.Get("maxFrame"), 10, 64)
	s.maxPacket, _ = strconv.ParseInt(q.Get("maxPacket"), 10, 64)
	s.frames, _ = strconv.ParseBool(q.Get("frames"))
	s.anyText, _ = strconv.ParseBool(q.Get("anyText"))
	return s
}

// agree takes a server's Sec-WebSocket-Extensions.
func (l *link) agree(answer string, want bool) error {
	if (answer != "") != want {
		return fmt.Errorf("the answer has the extension %q", answer)
	}
	if !want {
		return nil
	}
	server, client := zipper{keep: true, bits: 15}, zipper{keep: true, bits: 15}
	for i, p := range strings.Split(answer, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch {
		case i == 0 && name == "permessage-deflate":
		case name == "server_no_context_takeover":
			server.keep = false
		case name == "client_no_context_takeover":
			client.keep = false
		case name == "server_max_window_bits":
			server.bits, _ = strconv.Atoi(value)
		case name == "client_max_window_bits":
			client.bits, _ = strconv.Atoi(value)
		default:
			return fmt.Errorf("the answer has the extension %q", answer)
		}
	}
	ours, theirs := &server, client
	if l.client {
		ours, theirs = &client, server
	}
	l.zip = ours
	l.unzip = &unzipper{keep: theirs.keep, bits: theirs.bits}
	return nil
}

// acceptKey is the answer to a Sec-WebSocket-Key (RFC 6455, 4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
