package codec_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/deflate"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// A side is our end of a connection with a peer.
type side struct {
	conn    net.Conn
	in      io.Reader // conn, behind the handshake
	server  bool
	deflate *ws.Deflate
}

// wish is the compression to ask for, or to grant.
func (c compression) wish() *ws.Deflate {
	if c == plain {
		return nil
	}
	return &ws.Deflate{ServerNoContext: c == alone, ClientNoContext: c == alone}
}

// dial opens a WebSocket to a peer's server by our own handshake.
func dial(t *testing.T, url string, c compression) *side {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	offer := ws.Offer{Key: ws.NewKey([16]byte{1, 2, 3}), Deflate: c.wish()}
	fields, err := offer.Header()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString("GET / HTTP/1.1\r\nHost: peer\r\n")
	writeFields(&b, fields)
	if _, err := conn.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	agreed, err := offer.Check(r.StatusCode, r.Header.Values)
	if err != nil || (agreed.Deflate == nil) != (c == plain) {
		t.Fatalf("%v, %v", agreed, err)
	}
	return &side{conn: conn, in: in, deflate: agreed.Deflate}
}

// accept opens one WebSocket with a peer's client by our own handshake.
func accept(t *testing.T, l net.Listener, c compression) *side {
	t.Helper()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	r, err := http.ReadRequest(in)
	if err != nil {
		t.Fatal(err)
	}
	a := (&ws.Policy{Deflate: c.wish()}).Decide(ws.Request{
		Method: r.Method, Major: r.ProtoMajor, Minor: r.ProtoMinor, Host: r.Host, Header: r.Header.Values,
	})
	if a.Status != 101 || (a.Deflate == nil) != (c == plain) {
		t.Fatalf("%+v", a)
	}
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	writeFields(&b, a.Header)
	if _, err := conn.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	return &side{conn: conn, in: in, server: true, deflate: a.Deflate}
}

func writeFields(b *bytes.Buffer, fields []ws.Field) {
	for _, f := range fields {
		b.WriteString(f.Name + ": " + f.Value + "\r\n")
	}
	b.WriteString("\r\n")
}

// A report is what a codec found in the bytes of one direction.
type report struct {
	messages []message
	pings    []string
	pongs    []string
	code     int // of the close, or of the violation; 0 when there was neither
	err      error
}

// A listener reads one direction with our codec.
type listener struct {
	report
	r    ws.Reader
	a    ws.Assembler
	f    deflate.Inflater
	text ws.UTF8
}

// listen reads what a server gets, or a client.
func listen(server bool, d *ws.Deflate) *listener {
	l := &listener{r: ws.NewReader(ws.ReaderOptions{Server: server, Deflate: d != nil, MaxMessage: limit})}
	if d != nil {
		context, bits := d.Sends(!server)
		l.f = deflate.NewInflater(context, bits, limit)
	}
	return l
}

// take takes bytes as they come and says whether there may be more.
func (l *listener) take(b []byte) bool {
	for l.err == nil {
		ev, rest, err := l.r.Next(b)
		if err != nil {
			l.fail(err)
		}
		switch ev.Kind {
		case ws.More:
			return l.err == nil && l.code == 0
		case ws.Control:
			l.control(ev)
		case ws.Data:
			l.data(ev)
		}
		b = rest
	}
	return false
}

func (l *listener) fail(err error) {
	var broken *ws.ProtocolError
	var tooLarge *deflate.LimitError
	switch l.err = err; {
	case errors.As(err, &broken):
		l.code = broken.Code
	case errors.As(err, &tooLarge):
		l.code = ws.CodeTooBig
	case errors.Is(err, deflate.ErrCorrupt):
		l.code = ws.CodeInvalid
	}
}

func (l *listener) control(ev ws.Event) {
	switch ev.Opcode {
	case ws.OpPing:
		l.pings = append(l.pings, string(ev.Payload))
	case ws.OpPong:
		l.pongs = append(l.pongs, string(ev.Payload))
	case ws.OpClose:
		l.code, _, l.err = ws.ParseClose(ev.Payload)
	default:
	}
}

// data is how a socket reads: inflate, check the text, assemble.
func (l *listener) data(ev ws.Event) {
	if !ev.Compressed {
		l.assemble(ev)
		return
	}
	src := ev.Payload
	for more := true; more; {
		piece := ev
		var err error
		if piece.Payload, src, more, err = l.f.Next(src, ev.Last); err != nil {
			l.fail(err)
			return
		}
		piece.End, piece.Last = ev.End && !more, ev.Last && !more
		if ev.Type == ws.OpText && (!l.text.Write(piece.Payload) || piece.Last && !l.text.Complete()) {
			l.fail(ws.NotUTF8())
			return
		}
		l.assemble(piece)
	}
	if ev.Last {
		l.f.Release()
	}
}

func (l *listener) assemble(ev ws.Event) {
	for m, ok := l.a.Next(&ev); ok; m, ok = l.a.Next(&ev) {
		l.messages = append(l.messages, message{m.Type == ws.OpText, string(m.Data)})
	}
}

// converse sends b to the peer, cut at random, ends our half, and reports what
// the peer says meanwhile and after.
func (s *side) converse(t *testing.T, r *rand.Rand, b []byte) report {
	t.Helper()
	defer s.conn.Close()
	_ = s.conn.SetDeadline(time.Now().Add(30 * time.Second))
	cuts := cut(r, b)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for _, piece := range cuts {
			if _, err := s.conn.Write(piece); err != nil {
				return // the peer has had enough
			}
		}
		_ = s.conn.(*net.TCPConn).CloseWrite()
	}()
	l := listen(s.server, s.deflate)
	buf := make([]byte, 32<<10)
	for {
		n, err := s.in.Read(buf)
		if !l.take(buf[:n]) || err != nil {
			break
		}
	}
	s.conn.Close()
	<-sent
	return l.report
}

// cut cuts b at random, now and then into many.
func cut(r *rand.Rand, b []byte) (pieces [][]byte) {
	most := []int{len(b) + 1, 1 << 12, 64, 3}[r.IntN(4)]
	if len(b)/most > 500 {
		most = len(b)/500 + 1
	}
	for len(b) > 0 {
		n := min(1+r.IntN(most), len(b))
		pieces = append(pieces, b[:n])
		b = b[n:]
	}
	return pieces
}
