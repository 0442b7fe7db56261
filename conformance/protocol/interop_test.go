package protocol_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gorilla/websocket"

	"github.com/leat-dev/leat"
)

// A mate is one end of a connection, of whoever's library.
type mate interface {
	write(text bool, data string) error
	read() (text bool, data string, err error)
	// bye closes with 4001 and "bye".
	bye() error
	// code is that of the close that an error of read tells.
	code(err error) int
}

type gorillaMate struct{ *websocket.Conn }

func (g gorillaMate) write(text bool, data string) error {
	kind := websocket.BinaryMessage
	if text {
		kind = websocket.TextMessage
	}
	g.EnableWriteCompression(len(data)%3 > 0)
	return g.WriteMessage(kind, []byte(data))
}

func (g gorillaMate) read() (bool, string, error) {
	kind, data, err := g.ReadMessage()
	return kind == websocket.TextMessage, string(data), err
}

func (g gorillaMate) bye() error {
	return g.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4001, "bye"), time.Now().Add(patience))
}

func (g gorillaMate) code(err error) int {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		return closed.Code
	}
	return 0
}

type coderMate struct{ *coder.Conn }

func (c coderMate) write(text bool, data string) error {
	kind := coder.MessageBinary
	if text {
		kind = coder.MessageText
	}
	return c.Write(context.Background(), kind, []byte(data))
}

func (c coderMate) read() (bool, string, error) {
	kind, data, err := c.Read(context.Background())
	return kind == coder.MessageText, string(data), err
}

func (c coderMate) bye() error { return c.Close(4001, "bye") }

func (c coderMate) code(err error) int { return int(coder.CloseStatus(err)) }

// leatMate is Leat's blocking style.
type leatMate struct{ *leat.Socket }

func (l leatMate) write(text bool, data string) error {
	m := leat.Binary([]byte(data))
	if text {
		m = leat.Text(data)
	}
	_, err := l.Write(context.Background(), m)
	return err
}

func (l leatMate) read() (bool, string, error) {
	m, err := l.Read(context.Background())
	return m.Type == leat.TextMessage, string(m.Data), err
}

func (l leatMate) bye() error { return l.CloseWith(4001, "bye") }

func (l leatMate) code(error) int { <-l.Done(); return l.CloseStatus() }

// eventMate is Leat's event style.
type eventMate struct {
	leatMate
	messages chan leat.Message
}

func newEventMate() *eventMate { return &eventMate{messages: make(chan leat.Message)} }

func (e *eventMate) options(o *leat.SocketOptions) {
	o.Message = func(_ *leat.Socket, m leat.Message) {
		m.Data = []byte(string(m.Data))
		e.messages <- m
	}
}

func (e *eventMate) read() (bool, string, error) {
	select {
	case m := <-e.messages:
		return m.Type == leat.TextMessage, string(m.Data), nil
	case <-e.Done():
		return false, "", errors.New("it has ended")
	}
}

// chatter sends random messages one by one and many at once, reads them back and
// says good-bye.
func chatter(t *testing.T, m mate, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	next := func() (bool, string) {
		n := []int{0, 1, 125, 126, 1000, 65535, 65536, r.IntN(300), r.IntN(10_000), r.IntN(300_000)}[r.IntN(10)]
		s := pattern(n + 1000)[r.IntN(1000):][:n]
		return r.IntN(2) > 0, s
	}
	back := func(text bool, data string) {
		t.Helper()
		if is, got, err := m.read(); err != nil || is != text || got != data {
			t.Fatalf("%d bytes come back as %d: %v", len(data), len(got), err)
		}
	}
	for range 20 {
		text, data := next()
		if err := m.write(text, data); err != nil {
			t.Fatal(err)
		}
		back(text, data)
	}
	type message struct {
		text bool
		data string
	}
	var all []message
	for range 20 {
		text, data := next()
		all = append(all, message{text, data})
	}
	wrote := make(chan error, 1)
	go func() {
		for _, a := range all {
			if err := m.write(a.text, a.data); err != nil {
				wrote <- err
				return
			}
		}
		wrote <- nil
	}()
	for _, a := range all {
		back(a.text, a.data)
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	if err := m.bye(); err != nil {
		t.Fatal(err)
	}
	if _, isCoder := m.(coderMate); isCoder {
		return // its Close has waited for the answer
	}
	if _, _, err := m.read(); err == nil || m.code(err) != 4001 {
		t.Errorf("after the close comes %v, code %d", err, m.code(err))
	}
}

// kinds are how a connection may be compressed.
var kinds = []struct {
	name     string
	deflate  leat.Switch
	takeover bool
}{{"plain", leat.Off, false}, {"each message alone", leat.On, false}, {"context takeover", leat.On, true}}

func TestClientsOfOthersTalkToLeat(t *testing.T) {
	s := startLeat(t)
	for i, k := range kinds {
		for _, style := range []string{"", "&blocking"} {
			url := func(name string) string {
				return fmt.Sprintf("ws://%s%s%s", s.addr, setup{takeover: k.takeover, name: name}.path(), style)
			}
			// hears is that Leat's application hears of the good-bye.
			hears := func(t *testing.T) {
				t.Helper()
				if err := hear(s.end(t.Name()), testCase{code: 4001}); err != nil {
					t.Error(err)
				}
			}
			name := k.name + style
			t.Run("gorilla, "+name, func(t *testing.T) {
				t.Parallel()
				d := websocket.Dialer{EnableCompression: k.deflate == leat.On}
				conn, r, err := d.Dial(url(t.Name()), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if got := r.Header.Get("Sec-Websocket-Extensions"); (got != "") != d.EnableCompression {
					t.Errorf("the extension is %q", got)
				}
				chatter(t, gorillaMate{conn}, uint64(i))
				hears(t)
			})
			t.Run("coder, "+name, func(t *testing.T) {
				t.Parallel()
				o := &coder.DialOptions{CompressionMode: coder.CompressionDisabled, CompressionThreshold: 1}
				if k.deflate == leat.On {
					o.CompressionMode = coderMode(setup{takeover: k.takeover})
				}
				conn, _, err := coder.Dial(t.Context(), url(t.Name()), o)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.CloseNow()
				conn.SetReadLimit(mostMessage)
				chatter(t, coderMate{conn}, uint64(i))
				hears(t)
			})
		}
	}
}

func TestLeatTalksToServersOfOthers(t *testing.T) {
	srv, err := leat.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range []struct {
		name  string
		serve http.HandlerFunc
	}{
		{"gorilla", func(w http.ResponseWriter, r *http.Request) {
			u := websocket.Upgrader{EnableCompression: true}
			if conn, err := u.Upgrade(w, r, nil); err == nil {
				echoGorilla(conn, setup{})
			}
		}},
		{"coder", func(w http.ResponseWriter, r *http.Request) {
			o := &coder.AcceptOptions{CompressionMode: coder.CompressionContextTakeover, CompressionThreshold: 1}
			if conn, err := coder.Accept(w, r, o); err == nil {
				echoCoder(conn, setup{})
			}
		}},
	} {
		plain := httptest.NewServer(server.serve)
		t.Cleanup(plain.Close)
		secure := httptest.NewTLSServer(server.serve)
		t.Cleanup(secure.Close)
		trusted := x509.NewCertPool()
		trusted.AddCert(secure.Certificate())
		for i, k := range kinds {
			for _, at := range []string{plain.URL, secure.URL} {
				for _, events := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s, %s, TLS %t, events %t", server.name, k.name, at == secure.URL, events), func(t *testing.T) {
						t.Parallel()
						o := leat.DialOptions{
							SocketOptions: leat.SocketOptions{Deflate: k.deflate, ContextTakeover: k.takeover, DeflateMin: 1},
							Server:        srv,
							TLS:           &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12},
						}
						e := newEventMate()
						if events {
							e.options(&o.SocketOptions)
						}
						s, err := leat.Dial(t.Context(), "ws"+strings.TrimPrefix(at, "http"), &o)
						if err != nil {
							t.Fatal(err)
						}
						e.leatMate = leatMate{s}
						var m mate = e.leatMate
						if events {
							m = e
						}
						chatter(t, m, uint64(i))
						if err := s.Run(); err != nil {
							t.Error(err)
						}
					})
				}
			}
		}
	}
	t.Cleanup(func() { noSocket(t, srv) })
}
