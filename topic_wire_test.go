package leat_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A topicRecord is what comes of a topic: a message, or a control.
type topicRecord struct {
	Control string           `json:"control"`
	ID      string           `json:"id"`
	Topic   string           `json:"topic"`
	Event   string           `json:"event"`
	Key     string           `json:"key"`
	Count   int64            `json:"count"`
	Data    json.RawMessage  `json:"data"`
	From    string           `json:"from"`
	To      string           `json:"to"`
	Missed  map[string]int64 `json:"missed"`
	Counts  map[string]int64 `json:"counts"`
	AtLeast bool             `json:"atLeast"`
	Reason  string           `json:"reason"`
}

// seq is the number of an id.
func seqOf(id string) int64 {
	_, text, _ := strings.Cut(id, "-")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// The ways to read a topic on a connection of one's own.
const (
	byNDJSON   = "NDJSON"
	bySSE      = "SSE"
	bySocket   = "WebSocket"
	byDeflated = "WebSocket, deflated"
)

var topicWires = []string{byNDJSON, bySSE, bySocket, byDeflated}

// A topicWire takes the bytes that a topic sends, however they are cut, and finds
// what does not belong there: a frame or chunk that is torn, or has less than a
// whole record.
type topicWire struct {
	kind   string
	plain  bool   // it is not in chunks: it comes over HTTP/2
	rest   []byte // of what is not whole yet
	begun  bool   // the answer's header is behind
	over   bool   // the last chunk has come, or a close frame
	code   int    // of that
	frames int
	at     int64   // bytes behind
	starts []int64 // of frames and chunks, where wanted
	marks  bool    // they are
	took   func(topicRecord)
	counts func(int64) // in place of took: the count of a message, 0 for a control
}

// asks is the request for it, target with a query.
func (w *topicWire) asks(target string) string {
	head := "Host: localhost\r\n"
	switch w.kind {
	case byNDJSON:
		head += "Accept: application/x-ndjson\r\n"
	case bySSE:
		target += "&envelope"
		head += "Accept: text/event-stream\r\n"
	default:
		head += "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		if w.kind == byDeflated {
			head += "Sec-WebSocket-Extensions: permessage-deflate\r\n"
		}
	}
	return "GET " + target + " HTTP/1.1\r\n" + head + "\r\n"
}

// feed takes bytes.
func (w *topicWire) feed(b []byte) error {
	w.rest = append(w.rest, b...)
	if !w.begun {
		i := bytes.Index(w.rest, []byte("\r\n\r\n"))
		if i < 0 {
			return nil
		}
		if err := w.begins(string(w.rest[:i+2])); err != nil {
			return err
		}
		w.begun = true
		w.at = int64(i + 4)
		w.rest = w.rest[i+4:]
	}
	one := w.chunk
	switch {
	case w.plain:
		one = w.bare
	case w.kind == bySocket || w.kind == byDeflated:
		one = w.frame
	}
	for len(w.rest) > 0 {
		if w.over {
			return fmt.Errorf("behind the end comes %.100q", w.rest)
		}
		n, err := one(w.rest)
		if n == 0 || err != nil {
			return err
		}
		w.frames++
		if w.marks {
			w.starts = append(w.starts, w.at)
		}
		w.at += int64(n)
		w.rest = w.rest[n:]
	}
	w.rest = nil
	return nil
}

func (w *topicWire) begins(header string) error {
	want := "HTTP/1.1 200 OK\r\n"
	has := "\r\nTransfer-Encoding: chunked\r\n"
	if w.kind == bySocket || w.kind == byDeflated {
		want, has = "HTTP/1.1 101 Switching Protocols\r\n", "\r\nUpgrade: websocket\r\n"
	}
	if !strings.HasPrefix(header, want) || !strings.Contains(header, has) {
		return fmt.Errorf("the answer is %q", header)
	}
	return nil
}

// chunk takes a chunk, and answers how long it is; 0: it is not whole.
func (w *topicWire) chunk(b []byte) (int, error) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 && len(b) < 20 {
		return 0, nil
	}
	if i < 1 || b[i-1] != '\r' {
		return 0, fmt.Errorf("the length of a chunk is %.20q", b)
	}
	size, err := strconv.ParseUint(string(b[:i-1]), 16, 31)
	if err != nil {
		return 0, fmt.Errorf("the length of a chunk is %.20q", b)
	}
	end := i + 1 + int(size)
	if len(b) < end+2 {
		return 0, nil
	}
	if string(b[end:end+2]) != "\r\n" {
		return 0, fmt.Errorf("a chunk of %d ends with %q", size, b[end:end+2])
	}
	if size == 0 {
		w.over = true
		return end + 2, nil
	}
	if w.kind == bySSE {
		return end + 2, w.events(string(b[i+1 : end]))
	}
	return end + 2, w.lines(b[i+1 : end])
}

// bare takes a line, or an event, and answers how long it is; 0: it is not whole.
func (w *topicWire) bare(b []byte) (int, error) {
	if w.kind == bySSE {
		i := bytes.Index(b, []byte("\n\n"))
		if i < 0 {
			return 0, nil
		}
		return i + 2, w.events(string(b[:i+2]))
	}
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return 0, nil
	}
	return i + 1, w.lines(b[:i+1])
}

// lines takes whole lines of NDJSON.
func (w *topicWire) lines(b []byte) error {
	if b[len(b)-1] != '\n' {
		return fmt.Errorf("a chunk has %.200q", b)
	}
	for line := range bytes.Lines(b) {
		if len(line) == 1 { // a heartbeat
			continue
		}
		if err := w.record(line); err != nil {
			return err
		}
	}
	return nil
}

// events takes whole Server-Sent Events.
func (w *topicWire) events(text string) error {
	if !strings.HasSuffix(text, "\n\n") {
		return fmt.Errorf("a chunk has %.200q", text)
	}
	for event := range strings.SplitSeq(strings.TrimSuffix(text, "\n\n"), "\n\n") {
		var id, name, data string
		for line := range strings.SplitSeq(event, "\n") {
			field, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch field {
			case "id":
				id = value
			case "event":
				name = value
			case "data":
				data += value
			case "", "retry":
			default:
				return fmt.Errorf("an event has the line %.200q", line)
			}
		}
		if data == "" {
			continue
		}
		if w.counts != nil {
			if err := w.count([]byte(data)); err != nil {
				return err
			}
			continue
		}
		var r topicRecord
		if err := json.Unmarshal([]byte(data), &r); err != nil || r.ID != id || r.Control != "" && name != "leat."+r.Control || r.Control == "" && name != r.Event {
			return fmt.Errorf("an event has the data %.200q, the id %q and the name %q", data, id, name)
		}
		w.took(r)
	}
	return nil
}

func (w *topicWire) record(line []byte) error {
	if w.counts != nil {
		return w.count(line)
	}
	var r topicRecord
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("%w: %.200q", err, line)
	}
	w.took(r)
	return nil
}

// count takes a record, of which it only looks at the count.
func (w *topicWire) count(record []byte) error {
	if bytes.HasPrefix(record, []byte(`{"control":`)) {
		w.counts(0)
		return nil
	}
	_, rest, _ := bytes.Cut(record, []byte(`,"count":`))
	digits, _, _ := bytes.Cut(rest, []byte{','})
	n, err := strconv.ParseInt(string(digits), 10, 64)
	w.counts(n)
	return err
}

// frame takes a frame, and answers how long it is; 0: it is not whole.
func (w *topicWire) frame(b []byte) (int, error) {
	if len(b) < 2 {
		return 0, nil
	}
	size, at := int(b[1]), 2
	switch size {
	case 126:
		if len(b) < 4 {
			return 0, nil
		}
		size, at = int(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		if len(b) < 10 {
			return 0, nil
		}
		size, at = int(binary.BigEndian.Uint32(b[6:])), 10
	}
	compressed := b[0]&0x40 != 0
	if b[0]&0xb0 != 0x80 || b[1] > 127 || compressed && w.kind != byDeflated || size > 1<<24 {
		return 0, fmt.Errorf("a frame begins with % x", b[:at])
	}
	if len(b) < at+size {
		return 0, nil
	}
	payload := b[at : at+size]
	switch b[0] & 0xf {
	case 1:
		if compressed {
			var err error
			if payload, err = inflated(payload); err != nil {
				return 0, err
			}
		}
		return at + size, w.record(payload)
	case 8:
		w.over = true
		if size >= 2 {
			w.code = int(binary.BigEndian.Uint16(payload))
		}
	case 9:
	default:
		return 0, fmt.Errorf("a frame begins with % x", b[:at])
	}
	return at + size, nil
}

// inflated is a message of permessage-deflate (RFC 7692, 7.2.2), which needs none
// of those before.
func inflated(b []byte) ([]byte, error) {
	whole := io.MultiReader(bytes.NewReader(b), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))
	r := inflaters.Get().(io.Reader)
	defer inflaters.Put(r)
	if err := r.(flate.Resetter).Reset(whole, nil); err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

var inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}

// A topicReader is a wire on a connection.
type topicReader struct {
	topicWire
	conn net.Conn
	buf  [16 << 10]byte
}

// readsTopic asks for target, which has a query, on a connection of its own with
// little room at this end, if small.
func readsTopic(url, kind, target string, small bool, took func(topicRecord)) (*topicReader, error) {
	d := net.Dialer{Timeout: patience}
	if small {
		d.Control = smallReceiver
	}
	network, at, _ := strings.Cut(url, "://")
	if network != "unix" {
		network = "tcp"
	}
	c, err := d.Dial(network, at)
	if err != nil {
		return nil, err
	}
	r := &topicReader{topicWire: topicWire{kind: kind, took: took}, conn: c}
	_, err = io.WriteString(c, r.asks(target))
	return r, err
}

// read takes up to n bytes.
func (r *topicReader) read(n int) error {
	if err := r.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	n, err := r.conn.Read(r.buf[:min(n, len(r.buf))])
	if wrong := r.feed(r.buf[:n]); wrong != nil {
		return &tornError{wrong}
	}
	return err
}

// A tornError is what may not come.
type tornError struct{ error }

// until reads until it is so.
func (r *topicReader) until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); {
		if time.Now().After(end) {
			t.Fatalf("%s: never: %s", r.kind, what)
		}
		if err := r.read(len(r.buf)); err != nil {
			t.Fatalf("%s: %s: %v", r.kind, what, err)
		}
	}
}

// cut ends the connection as a network does that is gone.
func (r *topicReader) cut() {
	if tcp, ok := r.conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = r.conn.Close()
}
