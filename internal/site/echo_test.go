package site_test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/site"
)

// dial opens a WebSocket in the blocking style.
func dial(t *testing.T, url string, o *leat.DialOptions) *leat.Socket {
	t.Helper()
	s, err := leat.Dial(t.Context(), "ws"+strings.TrimPrefix(url, "http"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// next reads a message, in a copy that stays good.
func next(t *testing.T, s *leat.Socket) leat.Message {
	t.Helper()
	m, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m.Data = bytes.Clone(m.Data)
	return m
}

func TestEchoSendsBackWhatCame(t *testing.T) {
	at := start(t, nil)
	for _, deflate := range []leat.Switch{leat.On, leat.Off} {
		s := dial(t, at.url+"/ws/echo", &leat.DialOptions{SocketOptions: leat.SocketOptions{Deflate: deflate}})
		for _, m := range []leat.Message{
			leat.Text("hello"), leat.Text(""), leat.Binary(nil), leat.Binary([]byte{0, 255, 128}),
			leat.Text(strings.Repeat("Wasser 水 ", 10_000)), leat.Binary(bytes.Repeat([]byte{1, 2, 3}, 300_000)),
		} {
			if _, err := s.Send(m); err != nil {
				t.Fatal(err)
			}
			if got := next(t, s); got.Type != m.Type || !bytes.Equal(got.Data, m.Data) || !got.Last {
				t.Errorf("%d bytes of type %d came back as %d of type %d", len(m.Data), m.Type, len(got.Data), got.Type)
			}
		}
	}
}

// Frames are counted where they are seen: by a client that preserves them.
func TestEchoSendsPiecesBackAsTheyCame(t *testing.T) {
	at := start(t, func(c *leat.Config) { c.WebSockets.PreserveFrames = leat.On })
	s := dial(t, at.url+"/ws/echo", &leat.DialOptions{SocketOptions: leat.SocketOptions{PreserveFrames: leat.On}})
	pieces := []leat.Message{
		{Type: leat.TextMessage, Data: []byte("W\xc3")}, // a character may be cut (RFC 6455, 5.6)
		{Type: leat.TextMessage, Data: []byte("\xa4"), Continuation: true},
		{Type: leat.TextMessage, Data: []byte("sser"), Continuation: true, Last: true},
	}
	for _, p := range pieces {
		if _, err := s.Send(p); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range pieces {
		if got := next(t, s); string(got.Data) != string(p.Data) || got.Last != p.Last || got.Continuation != p.Continuation {
			t.Errorf("%q came back as %q, last %v, continuation %v", p.Data, got.Data, got.Last, got.Continuation)
		}
	}
}

func TestEchoHoldsToTheRoutesLimits(t *testing.T) {
	at := start(t, func(c *leat.Config) {
		for i := range c.Routes {
			if c.Routes[i].Match == "/ws/echo" {
				c.Routes[i].Limits = leat.Limits{MaxMessage: 1000, MaxPacket: 300, WebSockets: 1}
			}
		}
	})
	s := dial(t, at.url+"/ws/echo", &leat.DialOptions{SocketOptions: leat.SocketOptions{Protocols: []string{"mirror", "echo"}, PreserveFrames: leat.On}})
	if got := s.Subprotocol(); got != "echo" { // the server's preference
		t.Errorf("the subprotocol is %q", got)
	}
	_, err := leat.Dial(t.Context(), "ws"+strings.TrimPrefix(at.url, "http")+"/ws/echo", nil)
	var refused *leat.DialError
	if !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable {
		t.Errorf("a second one gets %v", err)
	}
	if _, err := s.SendText(strings.Repeat("x", 700)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{300, 300, 100} {
		if got := next(t, s); len(got.Data) != want {
			t.Errorf("a piece of %d bytes, want %d", len(got.Data), want)
		}
	}
	if _, err := s.SendText(strings.Repeat("x", 1001)); err != nil {
		t.Fatal(err)
	}
	got := 0 // of the 1000 that may be, which are echoed before the one too many is seen
	for {
		m, err := s.Read(t.Context())
		if err != nil {
			break
		}
		if got += len(m.Data); m.Last || got > 1000 {
			t.Fatalf("%d bytes of the message too large are echoed, the last of them: %v", got, m.Last)
		}
	}
	<-s.Done()
	if s.CloseStatus() != leat.CloseTooBig || !strings.Contains(s.CloseReason(), "limits.maxMessage") {
		t.Errorf("closed with %d %q", s.CloseStatus(), s.CloseReason())
	}
}

// The server has room for a few of the messages alone: it stops reading rather
// than lose one or hold all.
func TestEchoWaitsForAPeerThatSendsFasterThanItReads(t *testing.T) {
	at := start(t, func(c *leat.Config) { c.Limits.Queue = 16 << 10; c.Limits.SendBuffer = 16 << 10 })
	s := dial(t, at.url+"/ws/echo", &leat.DialOptions{SocketOptions: leat.SocketOptions{Deflate: leat.Off, Queue: 64 << 10}})
	const messages, size = 400, 50_000
	sent := make(chan error, 1)
	go func() {
		for i := range messages {
			if _, err := s.Write(t.Context(), leat.Binary(bytes.Repeat([]byte{byte(i)}, size))); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for i := range messages {
		got := next(t, s)
		if len(got.Data) != size || got.Data[0] != byte(i) || got.Data[size-1] != byte(i) {
			t.Fatalf("message %d is %d bytes of %d", i, len(got.Data), got.Data[0])
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestWebSocketsArePingedUnlessTheConfigurationSaysOtherwise(t *testing.T) {
	for _, c := range []struct{ set, want time.Duration }{
		{0, 25 * time.Second},
		{time.Minute, time.Minute},
		{leat.Never, leat.Never},
	} {
		config := &leat.Config{}
		config.WebSockets.Ping = c.set
		site.Fill(config)
		if got := config.WebSockets.Ping; got != c.want {
			t.Errorf("%v becomes %v, want %v", c.set, got, c.want)
		}
	}
}

func TestAPlainRequestForAWebSocketIsToldSo(t *testing.T) {
	at := start(t, nil)
	for _, path := range []string{"/ws/echo", "/ws/chat"} {
		resp := ask(t, at.url+path)
		if text := body(t, resp); resp.StatusCode != http.StatusBadRequest || !strings.Contains(text, "this URL is a WebSocket") {
			t.Errorf("%s: status %d, %s", path, resp.StatusCode, text)
		}
	}
	if resp := ask(t, at.url+"/ws/nothing"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("/ws/nothing: status %d", resp.StatusCode)
	}
}
