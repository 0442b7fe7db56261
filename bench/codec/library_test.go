package codec_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"

	coder "github.com/coder/websocket"
	gobwas "github.com/gobwas/ws"
	"github.com/gorilla/websocket"
	"github.com/lxzan/gws"

	"github.com/leat-dev/leat/internal/deflate"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// A library is a server's side of a WebSocket, used as its documentation
// recommends for speed.
type library struct {
	name string
	// read reads messages until there are no more.
	read func(m *memory, deflated bool, got func([]byte)) error
	// write writes a binary message so many times.
	write func(m *memory, deflated bool, message []byte, times int) error
	// plain: it has no compression here.
	plain bool
}

var libraries = []library{
	{name: "leat", read: readLeat, write: writeLeat},
	{name: "gws", read: readGWS, write: writeGWS},
	{name: "gorilla", read: readGorilla, write: writeGorilla},
	{name: "coder", read: readCoder, write: writeCoder},
	{name: "gobwas", read: readGobwas, write: writeGobwas, plain: true},
}

const noContext = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

func offer(deflated bool) *http.Request {
	if deflated {
		return request(noContext)
	}
	return request("")
}

func answer(m *memory) http.ResponseWriter {
	return &response{header: http.Header{}, conn: m}
}

// readLeat reads as a socket does: whole reads, whatever they cut.
func readLeat(m *memory, deflated bool, got func([]byte)) error {
	buf := make([]byte, 64<<10)
	r := ws.NewReader(ws.ReaderOptions{Server: true, Deflate: deflated, MaxMessage: 1 << 20})
	a := ws.Assembler{}
	f := deflate.NewInflater(false, 15, 1<<20)
	for {
		n, err := m.Read(buf)
		if err != nil {
			return err
		}
		for b := buf[:n]; ; {
			var ev ws.Event
			if ev, b, err = r.Next(b); err != nil {
				return err
			}
			if ev.Kind == ws.More {
				break
			}
			if err := giveLeat(&ev, &a, &f, got); err != nil {
				return err
			}
		}
	}
}

func giveLeat(ev *ws.Event, a *ws.Assembler, f *deflate.Inflater, got func([]byte)) error {
	if !ev.Compressed {
		if msg, ok := a.Next(ev); ok {
			got(msg.Data)
		}
		return nil
	}
	src, last := ev.Payload, ev.Last
	for more := true; more; {
		out, rest, again, err := f.Next(src, last)
		if err != nil {
			return err
		}
		src, more = rest, again
		piece := *ev
		piece.Payload, piece.End, piece.Last = out, ev.End && !more, last && !more
		if msg, ok := a.Next(&piece); ok {
			got(msg.Data)
		}
	}
	if last {
		f.Release()
	}
	return nil
}

func writeLeat(m *memory, deflated bool, message []byte, times int) error {
	c := deflate.NewCompressor(false, 15)
	var z, b []byte
	for range times {
		h := ws.Header{Fin: true, Opcode: ws.OpBinary, RSV1: deflated}
		payload := message
		if deflated {
			z = c.Append(z[:0], message, true)
			payload = z
		}
		b = ws.AppendFrame(b[:0], h, payload)
		if _, err := m.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// gwsEvents hands messages on.
type gwsEvents struct {
	gws.BuiltinEventHandler
	got func([]byte)
	err error
}

func (e *gwsEvents) OnClose(_ *gws.Conn, err error) { e.err = err }

func (e *gwsEvents) OnMessage(_ *gws.Conn, m *gws.Message) {
	e.got(m.Bytes())
	_ = m.Close()
}

func openGWS(m *memory, deflated bool, e *gwsEvents) (*gws.Conn, error) {
	return gws.NewUpgrader(e, &gws.ServerOption{PermessageDeflate: gws.PermessageDeflate{Enabled: deflated}}).Upgrade(answer(m), offer(deflated))
}

func readGWS(m *memory, deflated bool, got func([]byte)) error {
	e := &gwsEvents{got: got}
	c, err := openGWS(m, deflated, e)
	if err != nil {
		return err
	}
	c.ReadLoop()
	return e.err
}

func writeGWS(m *memory, deflated bool, message []byte, times int) error {
	c, err := openGWS(m, deflated, &gwsEvents{})
	for i := 0; i < times && err == nil; i++ {
		err = c.WriteMessage(gws.OpcodeBinary, message)
	}
	return err
}

func openGorilla(m *memory, deflated bool) (*websocket.Conn, error) {
	u := websocket.Upgrader{WriteBufferPool: &sync.Pool{}, EnableCompression: deflated}
	return u.Upgrade(answer(m), offer(deflated), nil)
}

func readGorilla(m *memory, deflated bool, got func([]byte)) error {
	c, err := openGorilla(m, deflated)
	var buf bytes.Buffer
	for err == nil {
		var r io.Reader
		if _, r, err = c.NextReader(); err != nil {
			break
		}
		buf.Reset()
		if _, err = buf.ReadFrom(r); err == nil {
			got(buf.Bytes())
		}
	}
	return err
}

func writeGorilla(m *memory, deflated bool, message []byte, times int) error {
	c, err := openGorilla(m, deflated)
	for i := 0; i < times && err == nil; i++ {
		err = c.WriteMessage(websocket.BinaryMessage, message)
	}
	return err
}

func openCoder(m *memory, deflated bool) (*coder.Conn, error) {
	o := &coder.AcceptOptions{CompressionMode: coder.CompressionDisabled}
	if deflated {
		o.CompressionMode = coder.CompressionNoContextTakeover
	}
	c, err := coder.Accept(answer(m), offer(deflated), o)
	if err == nil {
		c.SetReadLimit(-1)
	}
	return c, err
}

func readCoder(m *memory, deflated bool, got func([]byte)) error {
	c, err := openCoder(m, deflated)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	var buf bytes.Buffer
	for {
		_, r, err := c.Reader(context.Background())
		if err != nil {
			return err
		}
		buf.Reset()
		if _, err := buf.ReadFrom(r); err != nil {
			return err
		}
		got(buf.Bytes())
	}
}

func writeCoder(m *memory, deflated bool, message []byte, times int) error {
	c, err := openCoder(m, deflated)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	for i := 0; i < times && err == nil; i++ {
		err = c.Write(context.Background(), coder.MessageBinary, message)
	}
	return err
}

func readGobwas(m *memory, _ bool, got func([]byte)) error {
	in := bufio.NewReader(m)
	var buf []byte
	for {
		h, err := gobwas.ReadHeader(in)
		if err != nil {
			return err
		}
		if int64(cap(buf)) < h.Length {
			buf = make([]byte, h.Length)
		}
		buf = buf[:h.Length]
		if _, err := io.ReadFull(in, buf); err != nil {
			return err
		}
		gobwas.Cipher(buf, h.Mask, 0)
		got(buf)
	}
}

func writeGobwas(m *memory, _ bool, message []byte, times int) error {
	out := bufio.NewWriter(m)
	for range times {
		if err := gobwas.WriteHeader(out, gobwas.Header{Fin: true, OpCode: gobwas.OpBinary, Length: int64(len(message))}); err != nil {
			return err
		}
		if _, err := out.Write(message); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// frame is a client's message.
func frame(message []byte, deflated bool) []byte {
	if deflated {
		message = deflate.Append(nil, message, true, 15)
	}
	return ws.AppendFrame(nil, ws.Header{Fin: true, Opcode: ws.OpBinary, RSV1: deflated, Masked: true, Key: ws.Key{1, 2, 3, 4}}, message)
}

// ended tells the end of what is in memory from what is wrong.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || websocket.IsCloseError(err, websocket.CloseAbnormalClosure)
}

func TestEveryLibraryReadsWhatItIsSent(t *testing.T) {
	for _, l := range libraries {
		for _, deflated := range []bool{false, true} {
			if deflated && l.plain {
				continue
			}
			want := sample(5000)
			m := &memory{in: frame(want, deflated), times: 50}
			n := 0
			err := l.read(m, deflated, func(b []byte) {
				if n++; !bytes.Equal(b, want) {
					t.Fatalf("%s, deflate %v: message %d is wrong", l.name, deflated, n)
				}
			})
			if n != 50 || !ended(err) {
				t.Errorf("%s, deflate %v: %d messages, %v", l.name, deflated, n, err)
			}
		}
	}
}

func TestEveryLibraryWritesWhatItIsGiven(t *testing.T) {
	for _, l := range libraries {
		for _, deflated := range []bool{false, true} {
			if deflated && l.plain {
				continue
			}
			want := sample(5000)
			var out bytes.Buffer
			m := &memory{out: &out}
			if err := l.write(m, deflated, want, 10); err != nil {
				t.Fatalf("%s: %v", l.name, err)
			}
			b := out.Bytes()
			if i := bytes.Index(b, []byte("\r\n\r\n")); i >= 0 {
				b = b[i+4:] // behind the handshake
			}
			if n := written(t, b, deflated, want); n != 10 {
				t.Errorf("%s, deflate %v: %d messages", l.name, deflated, n)
			}
		}
	}
}

// written counts the messages that a server wrote.
func written(t *testing.T, b []byte, deflated bool, want []byte) (n int) {
	r := ws.NewReader(ws.ReaderOptions{Deflate: deflated})
	a := ws.Assembler{}
	f := deflate.NewInflater(false, 15, 0)
	for {
		ev, rest, err := r.Next(b)
		if err != nil {
			t.Fatal(err)
		}
		if b = rest; ev.Kind == ws.More {
			return n
		}
		if ev.Begin && ev.Opcode == ws.OpBinary && ev.Compressed != deflated {
			t.Fatalf("compressed: %v", ev.Compressed)
		}
		err = giveLeat(&ev, &a, &f, func(b []byte) {
			if n++; !bytes.Equal(b, want) {
				t.Fatalf("message %d is wrong", n)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
