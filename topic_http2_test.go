package leat_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// An http2Conn is a client of HTTP/2 (RFC 9113) whose streams take no byte more than
// they are told to. One goroutine at a time uses it.
type http2Conn struct {
	conn    net.Conn
	in      *bufio.Reader
	last    uint32 // stream
	streams map[uint32]*http2Stream
}

// An http2Stream is a wire that reads topics.
type http2Stream struct {
	topicWire
	c       *http2Conn
	id      uint32
	allowed int64 // bytes
	taken   int64
	flows   bool  // it takes what comes
	ended   error // reset by the server
}

// What is said of frames here.
const (
	http2Data     = 0
	http2Headers  = 1
	http2Reset    = 3
	http2Settings = 4
	http2Ping     = 6
	http2GoAway   = 7
	http2Window   = 8

	http2Ack       = 1 // of settings and pings
	http2EndStream = 1
	http2EndHeader = 4
)

// dialHTTP2 begins a connection, by prior knowledge.
func dialHTTP2(url string) (*http2Conn, error) {
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(url, "http://"), patience)
	if err != nil {
		return nil, err
	}
	c := &http2Conn{conn: conn, in: bufio.NewReader(conn), streams: map[uint32]*http2Stream{}}
	settings := binary.BigEndian.AppendUint32([]byte{0, 4}, 0) // the first window of a stream
	hello := append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), http2Frame(http2Settings, 0, 0, settings)...)
	hello = append(hello, http2Frame(http2Window, 0, 0, binary.BigEndian.AppendUint32(nil, 1<<30))...)
	_, err = conn.Write(hello)
	return c, err
}

func http2Frame(kind, flags byte, stream uint32, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind)) //nolint:gosec // it is short
	b = append(b, flags)
	return append(binary.BigEndian.AppendUint32(b, stream), payload...)
}

// ask begins a stream that reads target, which has a query.
func (c *http2Conn) ask(kind, target string) (*http2Stream, error) {
	accept := "application/x-ndjson"
	if kind == bySSE {
		accept, target = "text/event-stream", target+"&envelope"
	}
	text := func(b []byte, s string) []byte { // a string that is not compressed (RFC 7541, 5.2)
		if len(s) < 127 {
			return append(append(b, byte(len(s))), s...)
		}
		rest := len(s) - 127
		for b = append(b, 127); rest >= 128; rest >>= 7 {
			b = append(b, byte(rest)|128)
		}
		return append(append(b, byte(rest)), s...)
	}
	block := []byte{0x82, 0x86}                    // GET, http
	block = text(append(block, 0x04), target)      // :path
	block = text(append(block, 0x01), "localhost") // :authority
	block = text(append(block, 0x0f, 4), accept)   // accept, the 19th of the table
	if c.last == 0 {
		c.last = 1
	} else {
		c.last += 2
	}
	s := &http2Stream{topicWire: topicWire{kind: kind, begun: true, plain: true}, c: c, id: c.last}
	c.streams[s.id] = s
	_, err := c.conn.Write(http2Frame(http2Headers, http2EndStream|http2EndHeader, s.id, block))
	return s, err
}

// next takes a frame.
func (c *http2Conn) next() error {
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	return c.frame()
}

func (c *http2Conn) frame() error {
	var head [9]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return err
	}
	payload := make([]byte, binary.BigEndian.Uint32(head[:])>>8)
	if _, err := io.ReadFull(c.in, payload); err != nil {
		return err
	}
	flags := head[4]
	s := c.streams[binary.BigEndian.Uint32(head[5:])]
	switch kind := head[3]; {
	case kind == http2Settings && flags&http2Ack == 0:
		_, err := c.conn.Write(http2Frame(http2Settings, http2Ack, 0, nil))
		return err
	case kind == http2Ping && flags&http2Ack == 0:
		_, err := c.conn.Write(http2Frame(http2Ping, http2Ack, 0, payload))
		return err
	case kind == http2GoAway:
		return fmt.Errorf("the server goes away: %q", payload)
	case s == nil: // it is none, or has been given up
	case kind == http2Headers:
		if !bytes.HasPrefix(payload, []byte{0x88}) { // 200
			return fmt.Errorf("the answer begins with % x", payload)
		}
	case kind == http2Reset:
		s.ended = fmt.Errorf("the stream is reset: % x", payload)
	case kind == http2Data:
		if s.taken += int64(len(payload)); s.taken > s.allowed {
			return fmt.Errorf("%d bytes came, %d are allowed", s.taken, s.allowed)
		}
		if err := s.feed(payload); err != nil {
			return &tornError{err}
		}
		if flags&http2EndStream != 0 {
			if s.over = true; len(s.rest) > 0 {
				return &tornError{fmt.Errorf("it ends with %.100q", s.rest)}
			}
		}
		return s.flow()
	}
	return nil
}

// allow lets n bytes more come.
func (s *http2Stream) allow(n int) error {
	if n == 0 {
		return nil
	}
	s.allowed += int64(n)
	_, err := s.c.conn.Write(http2Frame(http2Window, 0, s.id, binary.BigEndian.AppendUint32(nil, uint32(n)))) //nolint:gosec // it is small
	return err
}

// sip takes n bytes, and no more.
func (s *http2Stream) sip(n int) error {
	err := s.allow(n)
	for err == nil && s.taken < s.allowed {
		if err = s.c.next(); err == nil {
			err = s.ended
		}
	}
	return err
}

// sup takes some of what comes, how much there ever is.
func (s *http2Stream) sup() error {
	s.flows = true
	if err := s.flow(); err != nil {
		return err
	}
	if err := s.c.next(); err != nil {
		return err
	}
	return s.ended
}

// flow lets more come before the last byte has.
func (s *http2Stream) flow() error {
	const some = 64 << 10
	if s.flows && s.allowed-s.taken < some/2 {
		return s.allow(some)
	}
	return nil
}

func (s *http2Stream) wire() *topicWire { return &s.topicWire }

// cut ends the stream.
func (s *http2Stream) cut() {
	delete(s.c.streams, s.id)
	_, _ = s.c.conn.Write(http2Frame(http2Reset, 0, s.id, binary.BigEndian.AppendUint32(nil, 8))) // CANCEL
}
