package codec_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// A memory is a connection that gives the same bytes so many times, and takes
// whatever is written.
type memory struct {
	in    []byte
	at    int
	times int

	out io.Writer // what is written goes here; nil: nowhere
}

func (m *memory) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) && m.times > 0 {
		k := copy(b[n:], m.in[m.at:])
		n, m.at = n+k, m.at+k
		if m.at == len(m.in) {
			m.at = 0
			m.times--
		}
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (m *memory) Write(b []byte) (int, error) {
	if m.out != nil {
		return m.out.Write(b)
	}
	return len(b), nil
}

func (*memory) Close() error                     { return nil }
func (*memory) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*memory) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*memory) SetDeadline(time.Time) error      { return nil }
func (*memory) SetReadDeadline(time.Time) error  { return nil }
func (*memory) SetWriteDeadline(time.Time) error { return nil }

// A response is that of a server's handler, and has the connection to give.
type response struct {
	header http.Header
	conn   net.Conn
}

func (w *response) Header() http.Header         { return w.header }
func (w *response) Write(b []byte) (int, error) { return len(b), nil }
func (w *response) WriteHeader(int)             {}

// Hijack gives the connection with buffers of net/http's sizes.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.conn, bufio.NewReadWriter(bufio.NewReaderSize(w.conn, 4096), bufio.NewWriterSize(w.conn, 4096)), nil
}

// request is a handshake that everybody takes.
func request(extensions string) *http.Request {
	r := &http.Request{Method: http.MethodGet, ProtoMajor: 1, ProtoMinor: 1, Host: "here", Header: http.Header{
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key":     {"AAAAAAAAAAAAAAAAAAAAAA=="},
	}}
	if extensions != "" {
		r.Header.Set("Sec-Websocket-Extensions", extensions)
	}
	return r
}
