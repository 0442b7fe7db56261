package leat_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// A wsPeer is a client that sends exactly what it is told to.
type wsPeer struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	resp *http.Response
}

// shake sends a handshake and answers what came back. Header lines may replace
// those of the handshake.
func shake(t *testing.T, url string, header ...string) *wsPeer {
	t.Helper()
	host, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	conn := dial(t, "http://"+host)
	return shakeOn(t, conn, host, "/"+path, header...)
}

func shakeOn(t *testing.T, conn net.Conn, host, path string, header ...string) *wsPeer {
	t.Helper()
	lines := []string{
		"GET " + path + " HTTP/1.1", "Host: " + host, "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
	}
	for _, own := range header {
		name, _, _ := strings.Cut(own, ":")
		for i := len(lines) - 1; i > 0; i-- {
			if strings.HasPrefix(strings.ToLower(lines[i]), strings.ToLower(name)+":") {
				lines = append(lines[:i], lines[i+1:]...)
			}
		}
	}
	lines = append(lines, header...)
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &wsPeer{t: t, conn: conn, in: in, resp: resp}
}

// connect is shake for a handshake that must succeed.
func connect(t *testing.T, url string, header ...string) *wsPeer {
	t.Helper()
	p := shake(t, url, header...)
	if p.resp.StatusCode != http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(p.resp.Body)
		t.Fatalf("%s: %s", p.resp.Status, text)
	}
	return p
}

var peerKey = ws.Key{0x37, 0xfa, 0x21, 0x3d}

// frame sends one frame, masked.
func (p *wsPeer) frame(h ws.Header, payload string) {
	p.t.Helper()
	h.Masked, h.Key = true, peerKey
	p.raw(ws.AppendFrame(nil, h, []byte(payload)))
}

func (p *wsPeer) raw(b []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// text sends a whole text message.
func (p *wsPeer) text(s string) {
	p.t.Helper()
	p.frame(ws.Header{Fin: true, Opcode: ws.OpText}, s)
}

// close sends a close.
func (p *wsPeer) close(code int, reason string) {
	p.t.Helper()
	p.raw(ws.AppendClose(nil, ws.Header{Masked: true, Key: peerKey}, code, reason))
}

// next reads one frame. An error is the end of the connection.
func (p *wsPeer) next() (h ws.Header, payload []byte, err error) {
	var head [2]byte
	if _, err = io.ReadFull(p.in, head[:]); err != nil {
		return h, nil, err
	}
	h = ws.Header{Fin: head[0]&0x80 != 0, RSV1: head[0]&0x40 != 0, Opcode: ws.Opcode(head[0] & 15), Masked: head[1]&0x80 != 0}
	more := map[byte]int{126: 2, 127: 8}[head[1]&0x7f]
	h.Length = int64(head[1] & 0x7f)
	if more > 0 {
		long := make([]byte, more)
		if _, err = io.ReadFull(p.in, long); err != nil {
			return h, nil, err
		}
		h.Length = 0
		for _, c := range long {
			h.Length = h.Length<<8 | int64(c)
		}
	}
	payload = make([]byte, h.Length)
	_, err = io.ReadFull(p.in, payload)
	return h, payload, err
}

// want reads one frame and compares it: "text hello", "text+ hel" when more is
// to come, "close 1000 bye".
func (p *wsPeer) want(frames ...string) {
	p.t.Helper()
	for _, want := range frames {
		h, payload, err := p.next()
		if err != nil {
			p.t.Fatalf("want %q, got %v", want, err)
		}
		if got := describe(h, payload); got != want {
			p.t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func describe(h ws.Header, payload []byte) string {
	name := h.Opcode.String()
	if h.RSV1 {
		name += "*"
	}
	if !h.Fin {
		name += "+"
	}
	if h.Opcode == ws.OpClose {
		code, reason, err := ws.ParseClose(payload)
		if err != nil {
			return "close " + err.Error()
		}
		return strings.TrimSpace(fmt.Sprintf("close %d %s", code, reason))
	}
	return strings.TrimSpace(name + " " + string(payload))
}

// wantEnd reads the end of the connection.
func (p *wsPeer) wantEnd() {
	p.t.Helper()
	if h, payload, err := p.next(); !errors.Is(err, io.EOF) {
		p.t.Fatalf("got %s, %v; want the end", describe(h, payload), err)
	}
}

// echo is a server of one action that sends back what comes.
func echo(t *testing.T, c *leat.Config, o leat.SocketOptions) string {
	t.Helper()
	o.Message = func(s *leat.Socket, m leat.Message) {
		if _, err := s.Send(m); err != nil {
			t.Errorf("Send: %v", err)
		}
	}
	return socketServer(t, c, &o, nil)
}

// socketServer upgrades every request of /ws. then, where there is one, is the
// rest of the handler.
func socketServer(t *testing.T, c *leat.Config, o *leat.SocketOptions, then func(*leat.Socket)) string {
	t.Helper()
	_, url := start(t, c, func(srv *leat.Server) {
		srv.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
			s, err := leat.Upgrade(w, r, o)
			if err == nil && then != nil {
				then(s)
			}
		})
	})
	return url + "/ws"
}

// echoes are the handlers of an echo in each style.
func echoes(t *testing.T) map[string]string {
	return map[string]string{
		"event": echo(t, nil, leat.SocketOptions{}),
		"blocking": socketServer(t, nil, nil, func(s *leat.Socket) {
			for {
				m, err := s.Read(s.Context())
				if err != nil {
					return
				}
				if _, err := s.Write(s.Context(), m); err != nil {
					t.Errorf("Write: %v", err)
				}
			}
		}),
	}
}

func TestBothStylesEchoTextAndBinaryAndAnswerAClose(t *testing.T) {
	for name, url := range echoes(t) {
		t.Run(name, func(t *testing.T) {
			p := connect(t, url)
			p.text("hello")
			p.frame(ws.Header{Fin: true, Opcode: ws.OpBinary}, "\x00\xff")
			p.want("text hello", "binary \x00\xff")
			long := strings.Repeat("0123456789abcdef", 20_000)
			p.text(long)
			var got strings.Builder
			for {
				h, payload, err := p.next()
				if err != nil {
					t.Fatal(err)
				}
				if len(payload) > 128<<10 {
					t.Fatalf("a frame of %d bytes", len(payload))
				}
				got.Write(payload)
				if h.Fin {
					break
				}
			}
			if got.String() != long {
				t.Fatal("the long message came back changed")
			}
			p.close(4321, "so long")
			p.want("close 4321")
			p.wantEnd()
		})
	}
}

// RFC 6455, 5.4: a fragmented message, with a ping inside.
func TestAFragmentedMessageIsWholeAndAPingInsideIsAnswered(t *testing.T) {
	for name, url := range echoes(t) {
		t.Run(name, func(t *testing.T) {
			p := connect(t, url)
			p.frame(ws.Header{Opcode: ws.OpText}, "Hel")
			p.frame(ws.Header{Fin: true, Opcode: ws.OpPing}, "inside")
			p.want("pong inside")
			p.frame(ws.Header{Fin: true, Opcode: ws.OpContinuation}, "lo")
			p.want("text Hello")
		})
	}
}

// An outcome is what a Close callback was told.
type outcome struct {
	code   int
	reason string
	err    error
}

func (o outcome) String() string { return fmt.Sprintf("%d %q %v", o.code, o.reason, o.err) }

// closes answers options whose Close callback fills a channel.
func closes() (leat.SocketOptions, chan outcome) {
	ends := make(chan outcome, 10)
	return leat.SocketOptions{
		Close: func(_ *leat.Socket, code int, reason string, err error) { ends <- outcome{code, reason, err} },
	}, ends
}

// within waits for a value.
func within[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func TestCallbacksComeInOrderAndCloseOnce(t *testing.T) {
	var steps []string // callbacks do not overlap
	done := make(chan error, 1)
	o := &leat.SocketOptions{
		Open:    func(*leat.Socket) { steps = append(steps, "open") },
		Message: func(_ *leat.Socket, m leat.Message) { steps = append(steps, string(m.Data)) },
		Ping:    func(_ *leat.Socket, b []byte) { steps = append(steps, "ping "+string(b)) },
		Pong:    func(_ *leat.Socket, b []byte) { steps = append(steps, "pong "+string(b)) },
		Close: func(_ *leat.Socket, code int, reason string, err error) {
			steps = append(steps, fmt.Sprint("close ", code, reason, err))
		},
	}
	url := socketServer(t, nil, o, func(s *leat.Socket) { done <- s.Run() })
	p := connect(t, url)
	p.text("a")
	p.frame(ws.Header{Fin: true, Opcode: ws.OpPing}, "?")
	p.frame(ws.Header{Fin: true, Opcode: ws.OpPong}, "!")
	p.text("b")
	p.close(1001, "bye")
	p.want("pong ?", "close 1001")
	p.wantEnd()
	if err := within(t, done); err != nil {
		t.Fatalf("Run: %v", err)
	}
	if got, want := strings.Join(steps, ","), "open,a,ping ?,pong !,b,close 1001bye<nil>"; got != want {
		t.Fatalf("got %s\nwant %s", got, want)
	}
}

// RFC 6455, 7.1.5.
func TestTheEndIsToldWithCodeReasonAndError(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(p *wsPeer)
		want string
	}{
		"a close":                 {func(p *wsPeer) { p.close(4000, "done") }, `4000 "done" <nil>`},
		"a close without a code":  {func(p *wsPeer) { p.close(0, "") }, `1005 "" <nil>`},
		"no close":                {func(p *wsPeer) { _ = p.conn.Close() }, `1006 "" leat: the reader has gone`},
		"an unmasked frame, 5.1":  {func(p *wsPeer) { p.raw([]byte("\x81\x00")) }, `1002 "the client's frame is not masked" websocket: the client's frame is not masked (RFC 6455, 5.1)`},
		"text that is none, 8.1":  {func(p *wsPeer) { p.text("\xff") }, `1007 "the text is not UTF-8" websocket: the text is not UTF-8 (RFC 6455, 8.1)`},
		"a message too long, 7.4": {func(p *wsPeer) { p.text(strings.Repeat("x", 2000)) }, `1009 "the message is larger than limits.maxMessage" websocket: the message is larger than limits.maxMessage (RFC 6455, 7.4.1)`},
	} {
		t.Run(name, func(t *testing.T) {
			o, ends := closes()
			o.MaxMessage = 1000
			sockets := make(chan *leat.Socket, 1)
			o.Open = func(s *leat.Socket) { sockets <- s }
			p := connect(t, socketServer(t, nil, &o, nil))
			s := within(t, sockets)
			if s.CloseStatus() != 0 || s.Orderly() {
				t.Error("it has not ended yet")
			}
			c.do(p)
			got := within(t, ends)
			if !strings.HasPrefix(got.String(), c.want) {
				t.Errorf("got %v, want %s", got, c.want)
			}
			<-s.Done()
			if s.CloseStatus() != got.code || s.CloseReason() != got.reason || !errors.Is(s.Err(), got.err) || s.Orderly() != (got.err == nil) {
				t.Errorf("afterwards: %d %q %v %v", s.CloseStatus(), s.CloseReason(), s.Err(), s.Orderly())
			}
			if _, err := s.SendText("late"); !errors.Is(err, leat.ErrClosed) {
				t.Errorf("Send after the end: %v", err)
			}
			if context.Cause(s.Context()) == nil {
				t.Error("its context lives on")
			}
		})
	}
}

func TestTheBlockingStyleEndsWithItsHandler(t *testing.T) {
	for name, c := range map[string]struct {
		then func(*leat.Socket)
		want string
	}{
		"by a return": {func(s *leat.Socket) { _, _ = s.SendText("last") }, "close 1000"},
		"by a panic":  {func(s *leat.Socket) { _, _ = s.SendText("last"); panic("on purpose") }, "close 1011 the program failed"},
	} {
		t.Run(name, func(t *testing.T) {
			p := connect(t, socketServer(t, nil, nil, c.then))
			p.want("text last", c.want)
			p.close(1000, "")
			p.wantEnd()
		})
	}
}

func TestAPanicInACallbackClosesWith1011AndTheServerLives(t *testing.T) {
	o, ends := closes()
	o.Message = func(_ *leat.Socket, m leat.Message) { panic(string(m.Data)) }
	url := socketServer(t, nil, &o, nil)
	for range 2 {
		p := connect(t, url)
		p.text("boom")
		p.want("close 1011 the program failed")
		p.wantEnd()
		if end := within(t, ends); end.code != 1011 || end.err == nil {
			t.Errorf("got %v", end)
		}
	}
}

func TestReadTellsTheEnd(t *testing.T) {
	type result struct {
		text string
		err  error
	}
	results := make(chan result, 10)
	url := socketServer(t, nil, nil, func(s *leat.Socket) {
		for {
			m, err := s.Read(s.Context())
			results <- result{string(m.Data), err}
			if err != nil {
				return
			}
		}
	})
	p := connect(t, url)
	p.text("one")
	p.text("two")
	p.close(1000, "")
	p.want("close 1000")
	for _, want := range []result{{"one", nil}, {"two", nil}, {"", io.EOF}} {
		if got := within(t, results); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	p = connect(t, url)
	p.raw([]byte("garbage"))
	if got := within(t, results); got.err == nil || errors.Is(got.err, io.EOF) {
		t.Errorf("got %v, want a protocol error", got)
	}
}

func TestReadGivesUpWithItsContextAndTheSocketLives(t *testing.T) {
	url := socketServer(t, nil, nil, func(s *leat.Socket) {
		ctx, cancel := context.WithCancel(s.Context())
		cancel()
		if _, err := s.Read(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		_, _ = s.SendText("ready")
		m, err := s.Read(s.Context())
		_, _ = s.Sendf("%s %v", m.Data, err)
	})
	p := connect(t, url)
	p.want("text ready")
	p.text("still here")
	p.want("text still here <nil>", "close 1000")
}

// What comes behind one message that nobody reads is seen all the same.
func TestAMessageThatWaitsToBeReadHidesNoPingAndNoClose(t *testing.T) {
	read := make(chan struct{})
	results := make(chan string, 2)
	url := socketServer(t, nil, nil, func(s *leat.Socket) {
		<-read
		for range 2 {
			m, err := s.Read(s.Context())
			results <- fmt.Sprint(string(m.Data), err)
		}
	})
	p := connect(t, url)
	p.text("waits")
	p.frame(ws.Header{Fin: true, Opcode: ws.OpPing}, "?")
	p.want("pong ?")
	p.close(1000, "")
	p.want("close 1000")
	p.wantEnd()
	close(read)
	if a, b := within(t, results), within(t, results); a != "waits<nil>" || b != "EOF" {
		t.Error(a, b)
	}
}
