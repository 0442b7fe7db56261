package leat_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/engine"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// idlers is how many connections are weighed together.
const idlers = 500

// heapInUse is what is reachable. Stacks are not in it.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // what pools hold goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// weigh answers what a connection holds, its peer's half and the engine's part
// with it, after talk has made it idle.
func weigh(t *testing.T, addr string, talk func(c net.Conn)) int64 {
	t.Helper()
	conns := make([]net.Conn, idlers)
	before := heapInUse()
	for i := range conns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		talk(c)
		if err := c.SetDeadline(time.Time{}); err != nil { // its timer counts
			t.Fatal(err)
		}
		conns[i] = c
	}
	return (heapInUse() - before) / idlers
}

// warm has the goroutines made that a weighing needs, since what they consist of
// is used again for others.
func warm() {
	var wg sync.WaitGroup
	stay := make(chan struct{})
	for range 4 * idlers {
		wg.Go(func() { <-stay })
	}
	close(stay)
	wg.Wait()
}

// A nobody is a handler where only the engine is weighed.
type nobody struct{}

func (nobody) Into() []byte                           { return nil }
func (nobody) Data(c engine.Conn, b []byte)           { _ = c.Send(b) }
func (nobody) Hangup(c engine.Conn)                   { c.Abort(nil) }
func (nobody) Wrote(engine.Conn, int, int)            {}
func (nobody) Alarm(engine.Conn)                      {}
func (nobody) Ahead(_ engine.Conn, dst []byte) []byte { return dst }
func (nobody) Ending(engine.Conn, error)              {}
func (nobody) Closed(engine.Conn, error)              {}

// weighEngine weighs a connection that has nothing but its engine.
func weighEngine(t *testing.T) int64 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e, o := engine.New(nil), &engine.Options{Budget: 1 << 10}
	if os.Getenv("LEAT_ENGINE") == "goroutine" {
		e = engine.Goroutines{}
	}
	defer e.Close()
	var b [1]byte
	return weigh(t, l.Addr().String(), func(far net.Conn) {
		near, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c := e.Adopt(near, nil, nobody{}, o)
		c.SetAlarm(time.Now().Add(time.Hour))
		if _, err := far.Write(b[:]); err != nil {
			t.Fatal(err)
		}
		if _, err := far.Read(b[:]); err != nil {
			t.Fatal(err)
		}
	})
}

// An idle connection has its Socket (208 bytes) or Stream (176), and the accepted
// Conn and its place among the listener's (165). More than that would be the
// Exchange alone (400), and much more the request, whose query and cookie have
// 1 KiB each.
func TestAnIdleConnectionHoldsNothingOfItsRequest(t *testing.T) {
	warm()
	engines := weighEngine(t) // about 1.4 KiB, the descriptors of both ends and timers with it
	options := &leat.SocketOptions{Message: func(s *leat.Socket, m leat.Message) { _, _ = s.Send(m) }}
	payload := make([]byte, 1<<10) // which does not compress
	_, _ = rand.Read(payload)      // it never fails
	message := ws.AppendFrame(nil, ws.Header{Fin: true, Opcode: ws.OpBinary, Masked: true}, payload)
	echo := ws.AppendFrame(nil, ws.Header{Fin: true, Opcode: ws.OpBinary}, payload)
	buf := make([]byte, 64<<10)
	for _, c := range []struct {
		name   string
		most   int64
		handle http.HandlerFunc
		header string
		talk   func(c net.Conn)
	}{
		{
			name: "a socket in the event style",
			most: 500,
			handle: func(w http.ResponseWriter, r *http.Request) {
				if _, err := leat.Upgrade(w, r, options); err != nil {
					t.Error(err)
				}
			},
			header: "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
				"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n",
			talk: func(c net.Conn) {
				if _, err := c.Write(message); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(c, buf[:len(echo)]); err != nil || !bytes.Equal(buf[:len(echo)], echo) {
					t.Fatal("no echo", err)
				}
			},
		},
		{
			name: "a stream that is held",
			most: 500,
			handle: func(w http.ResponseWriter, r *http.Request) {
				s, err := leat.NDJSON(w, r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				s.Hold()
			},
		},
		{
			name: "a stream that has sent a record",
			most: 500,
			handle: func(w http.ResponseWriter, r *http.Request) {
				s, err := leat.SSE(w, r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				s.Every(time.Hour, func() error { return s.Send(1) })
			},
			talk: func(c net.Conn) {
				want := []byte("9\r\ndata: 1\n\n\r\n")
				if _, err := io.ReadFull(c, buf[:len(want)]); err != nil || !bytes.Equal(buf[:len(want)], want) {
					t.Fatalf("%q (%v)", buf[:len(want)], err)
				}
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, url := start(t, nil, func(srv *leat.Server) { srv.HandleFunc("/live", c.handle) })
			addr := strings.TrimPrefix(url, "http://")
			request := "GET /live?q=" + strings.Repeat("q", 1000) + " HTTP/1.1\r\nHost: " + addr + "\r\n" +
				"Cookie: " + strings.Repeat("c", 1000) + "\r\n" + c.header + "\r\n"
			got := weigh(t, addr, func(conn net.Conn) {
				if _, err := io.WriteString(conn, request); err != nil {
					t.Fatal(err)
				}
				for n := 0; !bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")); n++ { // and no byte of what follows
					if _, err := conn.Read(buf[n : n+1]); err != nil {
						t.Fatal(err)
					}
				}
				if c.talk != nil {
					c.talk(conn)
				}
			}) - engines
			t.Logf("%d bytes, and the engine's %d", got, engines)
			if got > c.most && !underRace {
				t.Errorf("%d bytes besides the engine's %d, want at most %d", got, engines, c.most)
			}
		})
	}
}
