package leat_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/wire/ws"
)

// topicTransports are the ways to follow a topic.
var topicTransports = []string{
	"ndjson HTTP/1.1", "ndjson HTTP/1.0", "ndjson HTTP/2",
	"sse HTTP/1.1", "sse HTTP/1.0", "sse HTTP/2",
	"ws", "ws deflated",
}

// A topicFeed is somebody who follows topics.
type topicFeed struct {
	t     *testing.T
	resp  *http.Response
	peer  *wsPeer // of a WebSocket
	take  func() (*feedRecord, error)
	leave func()
}

// followTopic begins to follow topics. Header lines are added to the request's.
func followTopic(t *testing.T, over, url string, header ...string) *topicFeed {
	t.Helper()
	f := beginFeed(t, over, url, header...)
	if f.peer == nil && f.resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(f.resp.Body)
		t.Fatalf("%s of %s: %s: %s", over, url, f.resp.Status, text)
	}
	return f
}

// beginFeed is followTopic for what may be refused.
func beginFeed(t *testing.T, over, url string, header ...string) *topicFeed {
	t.Helper()
	kind, proto, _ := strings.Cut(over, " ")
	if kind == "ws" {
		if proto == "deflated" {
			header = append(header, "Sec-WebSocket-Extensions: permessage-deflate")
		}
		p := shake(t, url, header...)
		f := &topicFeed{t: t, resp: p.resp, leave: func() { _ = p.conn.Close() }}
		if p.resp.StatusCode == http.StatusSwitchingProtocols {
			f.peer, f.take = p, p.record
		}
		return f
	}
	if kind == "sse" {
		header = append(header, "Accept: text/event-stream")
	}
	f := &topicFeed{t: t}
	if proto == "HTTP/2" {
		f.resp, f.leave = overHTTP2(t, http.MethodGet, url, "", header...)
	} else {
		host, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
		s := reach(t, "http://"+host, "GET /"+path+" "+proto+"\r\nHost: "+host+"\r\n"+strings.Join(append(header, "\r\n"), "\r\n"))
		f.resp, f.leave = s.response(), func() { _ = s.Close() }
	}
	in := bufio.NewReader(f.resp.Body)
	if f.take = func() (*feedRecord, error) { return takeLine(in) }; kind == "sse" {
		f.take = func() (*feedRecord, error) { return takeEvent(in) }
	}
	return f
}

// overHTTP2 makes a request over HTTP/2 on a connection of its own.
func overHTTP2(t *testing.T, method, url, body string, header ...string) (*http.Response, func()) {
	t.Helper()
	ctx, leave := context.WithTimeout(context.Background(), patience)
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	t.Cleanup(leave)
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.ProtoMajor != 2 {
		t.Fatalf("it is %s", resp.Proto)
	}
	return resp, func() {
		leave()
		_ = resp.Body.Close()
		tr.CloseIdleConnections()
	}
}

func parseRecord(text string) (*feedRecord, error) {
	r := &feedRecord{raw: text}
	if err := json.Unmarshal([]byte(text), r); err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	return r, nil
}

func takeLine(in *bufio.Reader) (*feedRecord, error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			if line != "" {
				err = fmt.Errorf("a torn line %q: %w", line, err)
			}
			return nil, err
		}
		if line != "\n" {
			return parseRecord(line)
		}
	}
}

func takeEvent(in *bufio.Reader) (*feedRecord, error) {
	r := &feedRecord{}
	var data []string
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		r.raw += line
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "\n" && data == nil:
			*r = feedRecord{} // a comment
		case line == "\n":
			text := strings.Join(data, "\n")
			if r.Event != "" && strings.HasPrefix(r.Event, "leat.") {
				c, err := parseRecord(text)
				if err != nil {
					return nil, err
				}
				if "leat."+c.Control != r.Event || c.ID != r.ID {
					return nil, fmt.Errorf("the event and its data differ: %s", r.raw)
				}
				c.raw, c.field = r.raw, r.field
				return c, nil
			}
			r.Data = json.RawMessage(text)
			return r, nil
		case name == "data":
			data = append(data, value)
		case name == "id":
			r.ID = value
		case name == "event":
			r.Event = value
		case name == "retry":
			r.field = value
		}
	}
}

// A closed WebSocket ends with this.
type closedWith struct {
	code   int
	reason string
}

func (c *closedWith) Error() string { return fmt.Sprintf("close %d %s", c.code, c.reason) }

// record reads a message of a WebSocket, and inflates it.
func (p *wsPeer) record() (*feedRecord, error) {
	for {
		h, payload, err := p.next()
		switch {
		case err != nil:
			return nil, err
		case h.Opcode == ws.OpClose:
			code, reason, err := ws.ParseClose(payload)
			if err != nil {
				return nil, err
			}
			return nil, &closedWith{code, string(reason)}
		case h.Opcode == ws.OpPing || h.Opcode == ws.OpPong:
			continue
		case h.Opcode == ws.OpBinary:
			return &feedRecord{raw: string(payload), Encoding: "binary"}, nil
		}
		if h.RSV1 {
			tail := "\x00\x00\xff\xff\x01\x00\x00\xff\xff"
			if payload, err = io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader(tail)))); err != nil {
				return nil, fmt.Errorf("inflating: %w", err)
			}
		}
		r, err := parseRecord(string(payload))
		if err == nil && h.RSV1 {
			r.field = "deflated"
		}
		return r, err
	}
}

// next reads a record.
func (f *topicFeed) next() *feedRecord {
	f.t.Helper()
	r, err := f.take()
	if err != nil {
		f.t.Fatalf("no record: %v", err)
	}
	return r
}

// control reads a control of this name.
func (f *topicFeed) control(name string) *feedRecord {
	f.t.Helper()
	r := f.next()
	if r.Control != name {
		f.t.Fatalf("%s, want the control %s", r.raw, name)
	}
	return r
}

// message reads one with these data.
func (f *topicFeed) message(data string) *feedRecord {
	f.t.Helper()
	r := f.next()
	if r.Control != "" || string(r.Data) != data {
		f.t.Fatalf("%q, want a message with %s", r.raw, data)
	}
	return r
}

// ends waits for a clean end, or for that close of a WebSocket.
func (f *topicFeed) ends(code int) {
	f.t.Helper()
	r, err := f.take()
	var c *closedWith
	switch {
	case err == nil:
		f.t.Fatalf("%q, want the end", r.raw)
	case f.peer != nil && (!errors.As(err, &c) || c.code != code):
		f.t.Fatalf("%v, want the close %d", err, code)
	case f.peer == nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		f.t.Fatalf("the end is %v", err)
	}
}

// shakeWith makes a handshake and sends a text: in one piece with it, or behind the
// answer.
func shakeWith(t *testing.T, url string, atOnce bool, text string) *wsPeer {
	t.Helper()
	frame := string(ws.AppendFrame(nil, ws.Header{Fin: true, Opcode: ws.OpText, Masked: true, Key: peerKey}, []byte(text)))
	if !atOnce {
		p := connect(t, url)
		p.raw([]byte(frame))
		return p
	}
	host, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	s := reach(t, "http://"+host, "GET /"+path+" HTTP/1.1\r\nHost: "+host+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"+frame)
	return &wsPeer{t: t, conn: s, in: s.in, resp: s.response()}
}
