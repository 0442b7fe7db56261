package leat_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// mirror is a server under net/http that sends back what comes, and closes as
// it is closed. It takes what clients offer.
func mirror(t *testing.T, secure bool) (url string, o leat.DialOptions) {
	t.Helper()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = leat.Upgrade(w, r, &leat.SocketOptions{
			Message:   func(s *leat.Socket, m leat.Message) { _, _ = s.Send(m) },
			Protocols: []string{"mirror"},
		})
	})
	if !secure {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return "ws" + strings.TrimPrefix(s.URL, "http"), o
	}
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	o.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
	return "ws" + strings.TrimPrefix(s.URL, "http"), o
}

func TestDialIsTheOtherEndOfUpgrade(t *testing.T) {
	messages := []leat.Message{
		leat.Text(""), leat.Text("häßlich"), leat.Binary([]byte{0, 0xff}),
		leat.Text(strings.Repeat("compressible ", 20_000)), leat.Binary(bytes.Repeat([]byte{1, 2, 3}, 100)),
	}
	for name, c := range map[string]struct {
		secure bool
		o      leat.SocketOptions
	}{
		"ws":               {},
		"wss":              {secure: true},
		"without deflate":  {o: leat.SocketOptions{Deflate: leat.Off}},
		"context takeover": {o: leat.SocketOptions{ContextTakeover: true, DeflateMin: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			url, o := mirror(t, c.secure)
			o.SocketOptions = c.o
			o.Protocols = []string{"other", "mirror"}
			blocking, err := leat.Dial(t.Context(), url, &o)
			if err != nil {
				t.Fatal(err)
			}
			if blocking.Subprotocol() != "mirror" || !strings.Contains(url, blocking.RemoteAddr()) {
				t.Errorf("subprotocol %q, peer %s", blocking.Subprotocol(), blocking.RemoteAddr())
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			for range 2 {
				for _, want := range messages {
					if _, err := blocking.Write(ctx, want); err != nil {
						t.Fatal(err)
					}
					m, err := blocking.Read(ctx)
					if err != nil || m.Type != want.Type || !bytes.Equal(m.Data, want.Data) {
						t.Fatalf("%d bytes of %v (%v), want %d", len(m.Data), m.Type, err, len(want.Data))
					}
				}
			}
			if err := errors.Join(blocking.CloseWith(4000, "enough"), blocking.Run()); err != nil || blocking.CloseStatus() != 4000 {
				t.Errorf("%d (%v)", blocking.CloseStatus(), err)
			}

			came, end := make(chan leat.Message), make(chan int, 1)
			o.Open = func(s *leat.Socket) {
				for _, m := range messages {
					if _, err := s.Send(m); err != nil {
						t.Error(err)
					}
				}
			}
			o.Message = func(_ *leat.Socket, m leat.Message) {
				m.Data = bytes.Clone(m.Data)
				came <- m
			}
			o.Close = func(_ *leat.Socket, code int, _ string, _ error) { end <- code }
			event, err := leat.Dial(t.Context(), url, &o)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range messages {
				if m := receive(t, "a message", came); m.Type != want.Type || !bytes.Equal(m.Data, want.Data) {
					t.Fatalf("%d bytes of %v, want %d", len(m.Data), m.Type, len(want.Data))
				}
			}
			if err := errors.Join(event.Close(), event.Run()); err != nil || receive(t, "Close", end) != leat.CloseNormal {
				t.Errorf("%d (%v)", event.CloseStatus(), err)
			}
		})
	}
}

// rawSocketServer agrees to one handshake in bytes that a test makes.
func rawSocketServer(t *testing.T, then func(net.Conn, *bufio.Reader), behind []byte) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		in := bufio.NewReader(c)
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
			ws.AcceptKey(r.Header.Get("Sec-WebSocket-Key")) + "\r\n\r\n"
		if _, err := c.Write(append([]byte(answer), behind...)); err == nil {
			then(c, in)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return "ws://" + l.Addr().String()
}

func TestFramesThatComeWithTheAnswerAreTheFirstMessages(t *testing.T) {
	behind := ws.AppendFrame(nil, ws.Header{Fin: true, Opcode: ws.OpText}, []byte("one"))
	behind = ws.AppendFrame(behind, ws.Header{Fin: true, Opcode: ws.OpBinary}, bytes.Repeat([]byte{7}, 20_000))
	behind = ws.AppendClose(behind, ws.Header{}, leat.CloseGoingAway, "at once")
	url := rawSocketServer(t, func(c net.Conn, in *bufio.Reader) {
		_, _ = in.ReadByte() // the client's close
	}, behind)
	s, err := leat.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{3, 20_000} {
		if m, err := s.Read(t.Context()); err != nil || len(m.Data) != want {
			t.Fatalf("%d bytes (%v), want %d", len(m.Data), err, want)
		}
	}
	if _, err := s.Read(t.Context()); !errors.Is(err, io.EOF) || s.CloseStatus() != leat.CloseGoingAway || s.CloseReason() != "at once" {
		t.Errorf("%d %q (%v)", s.CloseStatus(), s.CloseReason(), err)
	}
}

func TestClientMasksAndRefusesMaskedFramesRFC6455Section5_1(t *testing.T) {
	heads := make(chan byte, 2)
	url := rawSocketServer(t, func(c net.Conn, in *bufio.Reader) {
		for range 2 { // a text and the close: each is shorter than 126 bytes
			var head [2]byte
			if _, err := io.ReadFull(in, head[:]); err != nil {
				break
			}
			heads <- head[1]
			_, _ = in.Discard(4 + int(head[1]&0x7f))
			_, _ = c.Write(ws.AppendFrame(nil, ws.Header{Fin: true, Opcode: ws.OpText, Masked: true, Key: ws.Key{1, 2, 3, 4}}, []byte("no")))
		}
		close(heads)
	}, nil)
	s, err := leat.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SendText("hello"); err != nil {
		t.Fatal(err)
	}
	var broken *leat.ProtocolError
	if err := s.Run(); !errors.As(err, &broken) || broken.Code != leat.CloseProtocolError {
		t.Error(err)
	}
	n := 0
	for head := range heads {
		if n++; head&0x80 == 0 {
			t.Error("a frame is not masked")
		}
	}
	if n != 2 {
		t.Errorf("%d frames, want a text and a close", n)
	}
}

func TestDialsContextIsForTheHandshakeAlone(t *testing.T) {
	type key struct{}
	url, o := mirror(t, false)
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
	s, err := leat.Dial(ctx, url, &o)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if s.Context().Err() != nil || s.Context().Value(key{}) != "kept" {
		t.Errorf("%v %v", s.Context().Err(), s.Context().Value(key{}))
	}
	if _, err := s.SendText("still here"); err != nil {
		t.Error(err)
	}
	if m, err := s.Read(t.Context()); err != nil || string(m.Data) != "still here" {
		t.Errorf("%q (%v)", m.Data, err)
	}
	if err := errors.Join(s.Close(), s.Run()); err != nil {
		t.Error(err)
	}
	if s.Context().Err() == nil {
		t.Error("the context outlives the socket")
	}
}

func TestDialedSocketsAreCountedAndDrainedByTheirServer(t *testing.T) {
	url, o := mirror(t, false)
	srv, err := leat.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	o.Server = srv
	var all []*leat.Socket
	for range 3 {
		s, err := leat.Dial(t.Context(), url, &o)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if n := srv.Stats().Sockets; n != 3 {
		t.Errorf("%d sockets", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	for _, s := range all {
		_ = s.Run()
		if s.CloseStatus() != leat.CloseGoingAway {
			t.Errorf("%d %q (%v)", s.CloseStatus(), s.CloseReason(), s.Err())
		}
	}
	if n := srv.Stats().Sockets; n != 0 {
		t.Errorf("%d sockets", n)
	}
	if _, err := leat.Dial(t.Context(), url, &o); !errors.Is(err, leat.ErrShutdown) {
		t.Error(err)
	}
}

func TestWSSRefusesACertificateThatNobodyVouchesFor(t *testing.T) {
	url, _ := mirror(t, true)
	var unknown *tls.CertificateVerificationError
	if _, err := leat.Dial(t.Context(), url, nil); !errors.As(err, &unknown) {
		t.Error(err)
	}
}
