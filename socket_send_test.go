package leat_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// held gives the server's socket of a connection to a test.
func held(t *testing.T, o leat.SocketOptions, header ...string) (*leat.Socket, *wsPeer) {
	t.Helper()
	sockets := make(chan *leat.Socket, 1)
	o.Open = func(s *leat.Socket) { sockets <- s }
	p := connect(t, socketServer(t, nil, &o, nil), header...)
	return within(t, sockets), p
}

func TestEverySendAnswersHowManyBytesItTook(t *testing.T) {
	s, p := held(t, leat.SocketOptions{})
	for _, c := range []struct {
		send func() (int, error)
		want string
	}{
		{func() (int, error) { return s.SendText("grüße") }, "text grüße"},
		{func() (int, error) { return s.SendBinary([]byte{0, 1, 254}) }, "binary \x00\x01\xfe"},
		{func() (int, error) { return s.SendJSON(map[string]any{"a": "<&>"}) }, `text {"a":"<&>"}`},
		{func() (int, error) { return s.Sendf("The temperature today is: %d", 21) }, "text The temperature today is: 21"},
		{func() (int, error) { return s.Send(leat.Text("plain")) }, "text plain"},
		{func() (int, error) { return s.Write(t.Context(), leat.Binary([]byte("waited"))) }, "binary waited"},
		{func() (int, error) { return s.TrySend(leat.Text("tried")) }, "text tried"},
		{func() (int, error) { return s.Send(leat.Text("")) }, "text"},
		{func() (int, error) { return s.TrySend(leat.Text("")) }, "text"},
	} {
		n, err := c.send()
		_, payload, _ := strings.Cut(c.want, " ")
		if n != len(payload) || err != nil {
			t.Errorf("%s: %d, %v", c.want, n, err)
		}
		p.want(c.want)
	}
	if got, want := s.Stats().MessagesOut, int64(9); got != want {
		t.Errorf("%d messages counted, want %d", got, want)
	}
}

func TestWhatMayNotBeSentIsRefusedAndTheSocketLives(t *testing.T) {
	s, p := held(t, leat.SocketOptions{MaxMessage: 10})
	for name, c := range map[string]struct {
		m    leat.Message
		want error
	}{
		"a message that is too large":   {leat.Text("12345678901"), leat.ErrTooLarge},
		"text that is not UTF-8":        {leat.Text("a\xff"), leat.ErrInvalidUTF8},
		"a continuation of nothing":     {leat.Message{Data: []byte("x"), Continuation: true, Last: true}, leat.ErrNoMessage},
		"a continuation that goes on":   {leat.Message{Data: []byte("x"), Continuation: true}, leat.ErrNoMessage},
		"a message without a type":      {leat.Message{Data: []byte("x"), Last: true}, nil},
		"a message of an unknown type":  {leat.Message{Type: 8, Data: []byte("x"), Last: true}, nil},
		"a piece that cannot be a text": {leat.Message{Type: leat.TextMessage, Data: []byte("a\xc3("), Last: false}, leat.ErrInvalidUTF8},
	} {
		for mode, send := range map[string]func(leat.Message) (int, error){
			"Send": s.Send, "TrySend": s.TrySend,
			"Write": func(m leat.Message) (int, error) { return s.Write(t.Context(), m) },
		} {
			n, err := send(c.m)
			if n != 0 || err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s, %s: %d, %v", name, mode, n, err)
			}
		}
	}
	if _, err := s.SendText("fine"); err != nil {
		t.Fatal(err)
	}
	p.want("text fine")
}

// RFC 6455, 5.4 and 5.6: a character may be cut, a text may not end in one.
func TestAMessageInPiecesOwnsTheSocket(t *testing.T) {
	s, p := held(t, leat.SocketOptions{MaxFrame: 4})
	cut := leat.Message{Type: leat.TextMessage, Data: []byte("longer than a frame \xc3")}
	if n, err := s.Send(cut); n != len(cut.Data) || err != nil {
		t.Fatal(n, err)
	}
	p.want("text+ longer than a frame \xc3")
	if _, err := s.SendText("between"); !errors.Is(err, leat.ErrMessageOpen) {
		t.Errorf("another message: %v", err)
	}
	if err := s.Ping([]byte("passes")); err != nil {
		t.Errorf("Ping: %v", err)
	}
	p.want("ping passes")
	if _, err := s.Send(leat.Message{Continuation: true, Last: true}); !errors.Is(err, leat.ErrInvalidUTF8) {
		t.Errorf("a text that ends inside a character: %v", err)
	}
	if _, err := s.Write(t.Context(), leat.Message{Data: []byte("\xbc more"), Continuation: true}); err != nil {
		t.Fatal(err)
	}
	p.want("continuation+ \xbc more")
	if n, err := s.TrySend(leat.Message{Data: []byte("the end"), Continuation: true, Last: true}); n != 7 || err != nil {
		t.Fatal(n, err)
	}
	p.want("continuation+ the", "continuation end") // the last piece may be cut
	if _, err := s.SendText("next"); err != nil {
		t.Fatal(err)
	}
	p.want("text next")
}

// stopped fills the way to a peer that does not read, until Send is refused, and
// answers how many messages of the size are on the way.
func stopped(t *testing.T, s *leat.Socket, size int) int {
	t.Helper()
	message := leat.Binary(bytes.Repeat([]byte("f"), size))
	for n := 0; ; n++ {
		_, err := s.Send(message)
		if errors.Is(err, leat.ErrSlowReader) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		if n*size > 64<<20 {
			t.Fatal("the queue has no end")
		}
	}
}

// drain reads n messages.
func drain(t *testing.T, p *wsPeer, n int) {
	t.Helper()
	for n > 0 {
		h, _, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		if h.Fin && !h.Opcode.Control() {
			n--
		}
	}
}

func TestABufferedSendIsAllOrNothing(t *testing.T) {
	s, p := held(t, leat.SocketOptions{Queue: 64 << 10, Deflate: leat.Off})
	n := stopped(t, s, 1000)
	for { // the system may take more yet
		got, err := s.Send(leat.Binary(make([]byte, 60<<10)))
		if err == nil {
			n++
			continue
		}
		if got != 0 || !errors.Is(err, leat.ErrSlowReader) {
			t.Errorf("a large one: %d, %v", got, err)
		}
		break
	}
	drain(t, p, n)
	if _, err := s.Write(t.Context(), leat.Text("last")); err != nil {
		t.Fatal(err)
	}
	p.want("text last")
}

func TestOneMessageUpToTheLimitIsTakenWhenNothingWaits(t *testing.T) {
	s, p := held(t, leat.SocketOptions{Queue: 4 << 10, MaxMessage: 2 << 20, Deflate: leat.Off})
	large := leat.Binary(bytes.Repeat([]byte("L"), 2<<20))
	for range 3 {
		if n, err := s.Write(t.Context(), leat.Text("small")); n != 5 || err != nil {
			t.Fatal(n, err)
		}
		if n, err := s.Send(large); n != len(large.Data) || err != nil {
			t.Fatal(n, err)
		}
		p.want("text small")
		drain(t, p, 1)
	}
}

func TestWriteWaitsForThePeerOrItsContext(t *testing.T) {
	s, p := held(t, leat.SocketOptions{Queue: 16 << 10, Deflate: leat.Off})
	n := stopped(t, s, 1000)
	for { // the system may take more yet
		ctx, cancel := context.WithCancel(t.Context())
		refused := make(chan error, 1)
		took := 0
		go func() {
			var err error
			took, err = s.Write(ctx, leat.Binary(make([]byte, 8<<10)))
			refused <- err
		}()
		cancel()
		err := within(t, refused)
		if took > 0 {
			n++ // it is sent all the same
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		break
	}
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			if n, err := s.Write(t.Context(), leat.Binary(make([]byte, 8<<10))); n != 8<<10 || err != nil {
				t.Error(n, err)
			}
		})
	}
	drain(t, p, n)
	for left := 4; left > 0; {
		h, payload, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		if len(payload) == 8<<10 {
			left--
		} else if h.Opcode != ws.OpBinary {
			t.Fatal(describe(h, payload))
		}
	}
	writers.Wait()
}

// The document's non-blocking sender.
func TestTrySendTakesWhatFitsAndGoesOnWhenWritable(t *testing.T) {
	const size = 3 << 20
	var m leat.Message
	shorts := 0
	more := func(s *leat.Socket) {
		n, err := s.TrySend(m)
		if err != nil {
			t.Errorf("TrySend: %v", err)
		}
		if n < len(m.Data) {
			shorts++
		}
		m = m.Rest(n)
	}
	text := strings.Repeat("0123456789 äöü ", size/18)
	m = leat.Text(text)
	o := leat.SocketOptions{Queue: 32 << 10, MaxMessage: 8 << 20, Deflate: leat.Off, Open: more, Writable: func(s *leat.Socket) {
		if len(m.Data) > 0 {
			more(s)
		}
	}}
	p := connect(t, socketServer(t, nil, &o, nil))
	var got strings.Builder
	for {
		h, payload, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		if first := got.Len() == 0; first != (h.Opcode == ws.OpText) || !first && h.Opcode != ws.OpContinuation {
			t.Fatalf("a %s frame after %d bytes", h.Opcode, got.Len())
		}
		got.Write(payload)
		if h.Fin {
			break
		}
	}
	if got.String() != text {
		t.Error("the text came back changed")
	}
	if shorts < 10 {
		t.Errorf("it was short %d times", shorts)
	}
}

func TestWritableComesOnceAfterARefusal(t *testing.T) {
	writable := make(chan struct{}, 100)
	s, p := held(t, leat.SocketOptions{Queue: 16 << 10, Deflate: leat.Off, Writable: func(*leat.Socket) { writable <- struct{}{} }})
	n := stopped(t, s, 1000)
	select {
	case <-writable:
		t.Fatal("it came early")
	default:
	}
	drain(t, p, n)
	within(t, writable)
	if _, err := s.Write(t.Context(), leat.Text("done")); err != nil {
		t.Fatal(err)
	}
	p.want("text done")
	if len(writable) > 0 {
		t.Error("it came twice")
	}
}

// RFC 6455, 5.5.2 and 5.5.3: a pong overtakes what waits, and never cuts a frame.
func TestAPongGoesAheadOfWhatWaits(t *testing.T) {
	pinged := make(chan string, 1)
	s, p := held(t, leat.SocketOptions{
		Queue: 1 << 20, MaxMessage: 8 << 20, MaxFrame: 10_000, Deflate: leat.Off,
		Ping: func(_ *leat.Socket, b []byte) {
			if string(b) == "latest" {
				pinged <- string(b)
			}
		},
	})
	if _, err := s.Send(leat.Binary(make([]byte, 8<<20))); err != nil {
		t.Fatal(err)
	}
	n := stopped(t, s, 50_000) + 1
	for range 1000 {
		p.frame(ws.Header{Fin: true, Opcode: ws.OpPing}, "older")
	}
	p.frame(ws.Header{Fin: true, Opcode: ws.OpPing}, "latest")
	within(t, pinged)
	before, pongs := 0, 0
	for n > 0 {
		h, payload, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case h.Opcode == ws.OpPong:
			pongs++
			if string(payload) == "latest" {
				before = n
			}
		case h.Fin:
			n--
		}
	}
	if before < 10 {
		t.Errorf("only %d messages behind the pong", before)
	}
	if pongs > 40 {
		t.Errorf("%d pongs for a peer that did not read", pongs)
	}
}

// RFC 6455, 5.5.2: only a peer that sends more pings than it reads pongs misses
// some of them (5.5.3).
func TestPingsThatComeTogetherAreAllAnswered(t *testing.T) {
	_, p := held(t, leat.SocketOptions{})
	var b []byte
	for i := range 10 {
		b = ws.AppendFrame(b, ws.Header{Fin: true, Opcode: ws.OpPing, Masked: true, Key: peerKey}, fmt.Appendf(nil, "%d", i))
	}
	p.raw(b)
	for i := range 10 {
		p.want(fmt.Sprintf("pong %d", i))
	}
}

func TestSendersAtTheSameTimeKeepMessagesWhole(t *testing.T) {
	s, p := held(t, leat.SocketOptions{Queue: 1 << 20, MaxFrame: 100, Deflate: leat.Off})
	const each = 200
	var senders sync.WaitGroup
	for i := range 4 {
		senders.Go(func() {
			for range each {
				if _, err := s.Write(t.Context(), leat.Text(strings.Repeat(string(rune('a'+i)), 250))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go senders.Wait()
	for range 4 * each {
		var message strings.Builder
		for {
			h, payload, err := p.next()
			if err != nil {
				t.Fatal(err)
			}
			message.Write(payload)
			if h.Fin {
				break
			}
		}
		if got := message.String(); got != strings.Repeat(got[:1], 250) {
			t.Fatalf("mixed: %q", got)
		}
	}
	senders.Wait()
}

func TestClosingSendsWhatWaitsFirst(t *testing.T) {
	s, p := held(t, leat.SocketOptions{Queue: 64 << 10, Deflate: leat.Off})
	n := stopped(t, s, 1000)
	if err := s.CloseWith(4001, strings.Repeat("ü", 100)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SendText("late"); !errors.Is(err, leat.ErrClosed) {
		t.Errorf("Send after Close: %v", err)
	}
	if err := s.Ping(nil); !errors.Is(err, leat.ErrClosed) {
		t.Errorf("Ping after Close: %v", err)
	}
	drain(t, p, n)
	p.want("close 4001 " + strings.Repeat("ü", 61))
	p.text("on its way")
	p.close(4001, "")
	p.wantEnd()
	<-s.Done()
	if s.Err() != nil || s.CloseStatus() != 4001 {
		t.Errorf("%v, %d", s.Err(), s.CloseStatus())
	}
}

func TestACodeThatMayNotBeSentIsRefused(t *testing.T) {
	s, _ := held(t, leat.SocketOptions{})
	for _, code := range []int{0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000} {
		if err := s.CloseWith(code, ""); err == nil {
			t.Errorf("%d is sent", code)
		}
	}
	if s.Err() != nil {
		t.Error(s.Err())
	}
}

func TestCompressionIsForMessagesThatAreWorthIt(t *testing.T) {
	const offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
	for name, c := range map[string]struct {
		o    leat.SocketOptions
		text string
		want string
	}{
		"long":                   {leat.SocketOptions{}, strings.Repeat("leat ", 100), "text*"},
		"short":                  {leat.SocketOptions{}, "leat", "text"},
		"turned off":             {leat.SocketOptions{Deflate: leat.Off}, strings.Repeat("leat ", 100), "text"},
		"with a least length":    {leat.SocketOptions{DeflateMin: 4}, "leatleatleatleatleat", "text*"},
		"that does not compress": {leat.SocketOptions{DeflateMin: 1}, "x", "text"},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := held(t, c.o, offer)
			if n, err := s.SendText(c.text); n != len(c.text) || err != nil {
				t.Fatal(n, err)
			}
			h, payload, err := p.next()
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(h, nil); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if h.RSV1 && len(payload) >= len(c.text) {
				t.Errorf("%d bytes became %d", len(c.text), len(payload))
			}
		})
	}
}

func TestARequestWithABodyIsNoHandshake(t *testing.T) {
	url := echo(t, nil, leat.SocketOptions{})
	answer := exchange(t, strings.TrimSuffix(url, "/ws"), "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nContent-Length: 3\r\n\r\nabc")
	if !strings.Contains(answer, " 400 ") || !strings.Contains(answer, "body") {
		t.Error(answer)
	}
}
