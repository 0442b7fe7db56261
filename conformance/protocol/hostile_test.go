package protocol_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// Hostile peers: each must be got rid of in time, and cost little until then.

// startHostile starts a server with short timeouts. Its path /echo answers as the
// options say.
func startHostile(t *testing.T, timeouts leat.Timeouts, o leat.SocketOptions) (*leat.Server, string, <-chan outcome) {
	t.Helper()
	srv, err := leat.New(&leat.Config{
		Name: "leat.example", Listen: []string{"http://127.0.0.1:0"}, Logger: slog.New(slog.DiscardHandler), Timeouts: timeouts,
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan outcome, 10_000)
	if o.Message == nil {
		o.Message = func(s *leat.Socket, m leat.Message) { _, _ = s.Send(m) }
	}
	o.Close = func(_ *leat.Socket, code int, _ string, err error) { ended <- outcome{code, err} }
	srv.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { _, _ = leat.Upgrade(w, r, &o) })
	return srv, run(t, srv), ended
}

// plug opens a WebSocket and keeps nothing for it but the connection.
func plug(t *testing.T, addr string, extensions string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	o := opening{path: "/echo"}
	if extensions != "" {
		o.fields = []string{"Sec-WebSocket-Extensions: " + extensions}
	}
	if _, err := io.WriteString(conn, o.ask()); err != nil {
		t.Fatal(err)
	}
	var head []byte
	for one := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); {
		if _, err := conn.Read(one); err != nil {
			t.Fatalf("%v after %q", err, head)
		}
		head = append(head, one...)
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
		t.Fatalf("%s", head)
	}
	return conn
}

// mask0 is a client's frame with a key of zeros.
func mask0(b0 byte, payload string) string {
	return string(head{b0: b0, length: byte(len(payload)), payload: payload}.append(&link{client: true}, nil))
}

// in fails the test unless f returns within most.
func in(t *testing.T, most time.Duration, what string, f func() error) {
	t.Helper()
	began := time.Now()
	if err := f(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if took := time.Since(began); took > most {
		t.Errorf("%s took %v, may take %v", what, took, most)
	}
}

// gone waits for the end of what the peer sends.
func gone(conn net.Conn) func() error {
	return func() error {
		_, err := io.Copy(io.Discard, conn)
		if isReset(err) {
			return nil
		}
		return err
	}
}

// heard waits for the outcome of one socket.
func heard(t *testing.T, ended <-chan outcome) outcome {
	t.Helper()
	select {
	case o := <-ended:
		return o
	case <-time.After(patience):
		t.Fatal("the application hears of no end")
		panic("unreachable")
	}
}

// soon is how much later than its timeout something may happen on a busy machine.
const soon = 5 * time.Second

// drip sends s a byte at a time until the other side has had enough.
func drip(conn net.Conn, s string, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := range len(s) {
		if _, err := conn.Write([]byte{s[i]}); err != nil {
			return
		}
		<-tick.C
	}
}

func TestSlowHandshakesEndInTime(t *testing.T) {
	t.Parallel()
	_, addr, _ := startHostile(t, leat.Timeouts{Parse: 200 * time.Millisecond, Inactivity: 300 * time.Millisecond}, leat.SocketOptions{})
	for name, do := range map[string]func(net.Conn){
		"silence":          func(net.Conn) {},
		"half a request":   func(c net.Conn) { _, _ = io.WriteString(c, opening{path: "/echo"}.ask()[:60]) },
		"a byte at a time": func(c net.Conn) { drip(c, opening{path: "/echo"}.ask(), 20*time.Millisecond) },
		"endless fields":   func(c net.Conn) { _, _ = io.WriteString(c, "GET /echo HTTP/1.1\r\n"+strings.Repeat("A: b\r\n", 1<<20)) },
		"an endless line":  func(c net.Conn) { _, _ = io.WriteString(c, "GET /"+strings.Repeat("a", 8<<20)) },
		"garbage":          func(c net.Conn) { _, _ = io.WriteString(c, strings.Repeat("\x16\x03\x01\x00\xff\r\n\r\n", 100)) },
		"frames, unasked":  func(c net.Conn) { _, _ = io.WriteString(c, strings.Repeat(mask0(fin|opPing, "hello"), 1000)) },
		"a body that hangs": func(c net.Conn) {
			_, _ = io.WriteString(c, opening{path: "/echo", fields: []string{"Content-Length: 100"}}.ask())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			go do(conn)
			in(t, soon, "the end", gone(conn))
		})
	}
}

func TestSlowAndSilentPeersEndInTime(t *testing.T) {
	t.Parallel()
	const timeout = 150 * time.Millisecond
	// inside a frame our answer to the close is taken for the rest of it
	const inside = "\x82\xfe\xff\xff\x00\x00\x00\x00"
	for _, c := range []struct {
		name string
		o    leat.SocketOptions
		do   func(net.Conn)
		code int
		key  string
	}{
		{"silence ends by inactivity", leat.SocketOptions{Inactivity: timeout}, func(net.Conn) {}, 1001, "timeouts.inactivity"},
		{"half a frame ends by inactivity", leat.SocketOptions{Inactivity: timeout}, func(c net.Conn) { _, _ = io.WriteString(c, inside+"half") }, 1001, "timeouts.inactivity"},
		{
			"a byte at a time ends by the request's time",
			leat.SocketOptions{Request: 2 * timeout, Inactivity: leat.Never},
			func(c net.Conn) { drip(c, inside+pattern(1000), 10*time.Millisecond) }, 1001, "timeouts.request",
		},
		{
			"who answers no ping ends by it",
			leat.SocketOptions{PingEvery: timeout},
			func(net.Conn) {}, 1001, "webSockets.ping",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, addr, ended := startHostile(t, leat.Timeouts{}, c.o)
			conn := plug(t, addr, "")
			go c.do(conn)
			l := &link{in: bufio.NewReader(conn), client: true}
			for {
				e, err := l.next()
				if err != nil {
					t.Fatal(err)
				}
				if e.op == opPing {
					continue
				}
				if e.op != opClose || e.code != c.code || e.data != c.key {
					t.Errorf("it says %v", e)
				}
				break
			}
			_, _ = io.WriteString(conn, mask0(fin|opClose, "\x03\xe9"))
			in(t, 5*time.Second+soon, "the end", gone(conn))
			var late *leat.TimeoutError
			if o := heard(t, ended); o.code != c.code || !errors.As(o.err, &late) {
				t.Errorf("the application hears of %d, %v", o.code, o.err)
			}
		})
	}
}

// A peer may drop off the network at any moment of a close.
func TestPeersThatDoNotFinishAreGivenUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(net.Conn)
		most time.Duration
	}{
		{"it ends TCP without a close", func(c net.Conn) { _ = c.(*net.TCPConn).CloseWrite() }, soon},
		{"it resets TCP", func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0); _ = c.Close() }, soon},
		{"it ends TCP inside a frame", func(c net.Conn) { _, _ = io.WriteString(c, "\x81\xfe\x00"); _ = c.(*net.TCPConn).CloseWrite() }, soon},
		{"it does not answer our close", func(c net.Conn) { _, _ = io.WriteString(c, mask0(fin|opText, "x")) }, 5*time.Second + soon},
		{"it answers our close by other frames", func(c net.Conn) {
			_, _ = io.WriteString(c, mask0(fin|opText, "x"))
			drip(c, strings.Repeat(mask0(fin|opText, "and on"), 1000), 10*time.Millisecond)
		}, 5*time.Second + soon},
		{"it does not end TCP", func(c net.Conn) { _, _ = io.WriteString(c, mask0(fin|opClose, "")) }, soon},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, addr, ended := startHostile(t, leat.Timeouts{}, leat.SocketOptions{
				Message: func(s *leat.Socket, _ leat.Message) { _ = s.CloseWith(4000, "go") },
			})
			conn := plug(t, addr, "")
			go c.do(conn)
			in(t, c.most, "the end", func() error { heard(t, ended); return nil })
		})
	}
}

// memory is what the process holds, once what nobody holds is collected.
func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// costs fails the test if n connections that do something hold more than most
// bytes each. The raw peer's part of it, some 2 KiB, counts too.
func costs(t *testing.T, addr, extensions string, n, most int, do func(i int, c net.Conn)) {
	t.Helper()
	before := memory()
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = plug(t, addr, extensions)
	}
	for i, c := range conns {
		do(i, c)
	}
	each := max(0, int64(memory())-int64(before)) / int64(n)
	t.Logf("%d bytes a connection", each)
	if each > int64(most) {
		t.Errorf("a connection holds %d bytes, may hold %d", each, most)
	}
	for _, c := range conns {
		_ = c.Close()
	}
}

func TestWhatPeersMayMakeAConnectionHoldIsBounded(t *testing.T) {
	echoed := func(c net.Conn, n int) {
		_, _ = io.CopyN(io.Discard, c, int64(n))
	}
	for _, c := range []struct {
		name       string
		extensions string
		n, most    int
		o          leat.SocketOptions
		do         func(i int, c net.Conn)
	}{
		{
			"nothing but the handshake", "permessage-deflate", 300, 16 << 10,
			leat.SocketOptions{},
			func(int, net.Conn) {},
		},
		{
			"an echo long ago", "permessage-deflate", 300, 16 << 10,
			leat.SocketOptions{},
			func(_ int, c net.Conn) { _, _ = io.WriteString(c, mask0(fin|opBinary, "hello")); echoed(c, 7) },
		},
		{
			"an echo of 64 KiB long ago", "", 300, 16 << 10,
			leat.SocketOptions{},
			func(_ int, c net.Conn) {
				_, _ = io.WriteString(c, "\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"+pattern(1<<16))
				echoed(c, 10+1<<16)
			},
		},
		{
			"a frame of which 1 MiB is announced and nothing comes", "", 300, 24 << 10,
			leat.SocketOptions{},
			func(_ int, c net.Conn) {
				_, _ = io.WriteString(c, "\x82\xff\x00\x00\x00\x00\x00\x0f\xff\xff\x00\x00\x00\x00hello")
			},
		},
		{
			"the beginning of a compressed message", "permessage-deflate", 100, 160 << 10,
			leat.SocketOptions{},
			func(_ int, c net.Conn) { _, _ = io.WriteString(c, mask0(rsv1|opText, "\xf2\x48")) },
		},
		{
			"a thousand empty fragments", "", 100, 24 << 10,
			leat.SocketOptions{},
			func(_ int, c net.Conn) {
				_, _ = io.WriteString(c, mask0(opText, "")+strings.Repeat(mask0(opMore, ""), 1000))
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, addr, _ := startHostile(t, leat.Timeouts{}, c.o)
			costs(t, addr, c.extensions, c.n, c.most, c.do)
		})
	}
}

// A peer that asks and does not listen: what waits for it is bounded, and when it
// has taken nothing for timeouts.write it is gone.
func TestPeersThatDoNotReadAreBoundedAndEndInTime(t *testing.T) {
	const n = 20
	for _, c := range []struct {
		name   string
		frames string
	}{
		{"messages of 100 bytes", strings.Repeat(mask0(fin|opBinary, pattern(100)), 200)},
		{"messages of 60 KiB", string(head{b0: fin | opBinary, length: 126, extended: "\xf0\x00", payload: pattern(0xf000)}.append(&link{client: true}, nil))},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, addr, ended := startHostile(t, leat.Timeouts{}, leat.SocketOptions{
				Write: 300 * time.Millisecond, Queue: 64 << 10, Deflate: leat.Off,
				Message: func(s *leat.Socket, m leat.Message) { _, _ = s.Write(s.Context(), m) },
			})
			before := memory()
			var held uint64
			for range n {
				conn := plug(t, addr, "")
				go func() {
					for range 10_000 {
						if _, err := io.WriteString(conn, c.frames); err != nil {
							return
						}
					}
				}()
			}
			for range 10 {
				held = max(held, memory())
			}
			if each := (int64(held) - int64(before)) / n; each > 1<<20 {
				t.Errorf("a connection holds %d bytes", each)
			}
			in(t, 5*time.Second+soon, "the end of all", func() error {
				for range n {
					heard(t, ended)
				}
				return nil
			})
		})
	}
}

// Pings are read all the same: of the pongs that wait only some are kept
// (RFC 6455, 5.5.3).
func TestTenThousandPingsOfAPeerThatDoesNotRead(t *testing.T) {
	const n = 20
	read := make(chan struct{}, n)
	_, addr, _ := startHostile(t, leat.Timeouts{}, leat.SocketOptions{
		Write: leat.Never, Message: func(*leat.Socket, leat.Message) { read <- struct{}{} },
	})
	flood := strings.Repeat(mask0(fin|opPing, pattern(125)), 10_000) + mask0(fin|opText, "after them")
	costs(t, addr, "", n, 64<<10, func(_ int, c net.Conn) {
		_, _ = io.WriteString(c, flood)
		<-read
	})
}

func TestTenThousandPings(t *testing.T) {
	_, addr, _ := startHostile(t, leat.Timeouts{}, leat.SocketOptions{})
	conn := plug(t, addr, "")
	go func() {
		var b strings.Builder
		for i := range 10_000 {
			b.WriteString(mask0(fin|opPing, fmt.Sprint(i)))
		}
		b.WriteString(mask0(fin|opText, "after them"))
		_, _ = io.WriteString(conn, b.String())
	}()
	l := &link{in: bufio.NewReader(conn), client: true}
	last, text := "", false
	for last != "9999" || !text {
		e, err := l.next()
		if err != nil {
			t.Fatal(err)
		}
		if e.op == opText {
			text = true
		} else {
			last = e.data
		}
	}
}

func TestGarbageEndsAndTheServerLives(t *testing.T) {
	srv, addr, ended := startHostile(t, leat.Timeouts{}, leat.SocketOptions{Inactivity: time.Second})
	const n = 100
	for i := range uint64(n) {
		conn := plug(t, addr, "permessage-deflate")
		r := rand.New(rand.NewPCG(i, 9))
		b := make([]byte, 1+r.IntN(20_000))
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		go func() {
			_, _ = conn.Write(b)
			_ = conn.(*net.TCPConn).CloseWrite()
		}()
		in(t, soon, "the end", gone(conn))
	}
	for range n {
		heard(t, ended)
	}
	noSocket(t, srv)
	conn := plug(t, addr, "")
	in(t, soon, "an echo", func() error {
		_, _ = io.WriteString(conn, mask0(fin|opText, "alive"))
		echo := make([]byte, 7)
		if _, err := io.ReadFull(conn, echo); err != nil || string(echo) != "\x81\x05alive" {
			return fmt.Errorf("%q, %w", echo, err)
		}
		return nil
	})
}

// A hundred bombs at once: each would be 16 MiB.
func TestBombsCostNoMoreThanTheLimit(t *testing.T) {
	_, addr, ended := startHostile(t, leat.Timeouts{}, leat.SocketOptions{MaxMessage: 256 << 10})
	z := zipper{bits: 15}
	bomb := string(frame{b0: fin | rsv1 | opBinary, payload: z.message(strings.Repeat("\x00", 16<<20))}.append(newTestLink(), nil))
	const n = 100
	before := memory()
	for range n {
		conn := plug(t, addr, "permessage-deflate")
		go func() { _, _ = io.WriteString(conn, bomb) }()
	}
	held := memory()
	for range n {
		if o := heard(t, ended); o.code != 1009 {
			t.Errorf("%d, %v", o.code, o.err)
		}
	}
	if each := (int64(held) - int64(before)) / n; each > 1<<20 {
		t.Errorf("a bomb holds %d bytes", each)
	}
}

// newTestLink is a client's link that writes nothing.
func newTestLink() *link { return &link{client: true, random: rand.New(rand.NewPCG(1, 1))} }

// Servers may be hostile as well.
func TestHostileServersEndInTime(t *testing.T) {
	t.Parallel()
	srv, err := leat.New(&leat.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		o    leat.SocketOptions
		do   func(l *link)
		code int
		most time.Duration
	}{
		{"it ends TCP", leat.SocketOptions{}, func(l *link) { l.out <- chunk{end: true} }, 1006, soon},
		{"it resets TCP", leat.SocketOptions{}, func(l *link) { _ = l.conn.SetLinger(0); _ = l.conn.Close() }, 1006, soon},
		{"it says nothing", leat.SocketOptions{Inactivity: 100 * time.Millisecond}, func(*link) {}, 1001, 5*time.Second + soon},
		{"it answers no ping", leat.SocketOptions{PingEvery: 100 * time.Millisecond}, func(*link) {}, 1001, soon},
		{"it closes and does not end TCP", leat.SocketOptions{}, func(l *link) { _ = send(closing(1000, ""))(l) }, 1000, 2*time.Second + soon},
		{"garbage", leat.SocketOptions{}, func(l *link) { _ = send(raw(strings.Repeat("\xff\x00\x13", 5000)))(l) }, 1002, soon},
		{"2^63 bytes", leat.SocketOptions{}, func(l *link) {
			_ = send(head{b0: fin | opBinary, length: 127, extended: "\x80\x00\x00\x00\x00\x00\x00\x00"})(l)
		}, 1002, soon},
		{"a tebibyte", leat.SocketOptions{}, func(l *link) {
			_ = send(head{b0: fin | opBinary, length: 127, extended: "\x00\x00\x01\x00\x00\x00\x00\x00", payload: pattern(1 << 16)})(l)
		}, 1009, soon},
		{"10,000 pings", leat.SocketOptions{}, func(l *link) {
			for range 10_000 {
				l.out <- chunk{b: ping("ping").append(l, nil)}
			}
			_ = send(closing(1000, ""))(l)
			l.out <- chunk{end: true}
		}, 1000, soon},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan outcome, 1)
			c.o.Close = func(_ *leat.Socket, code int, _ string, err error) { ended <- outcome{code, err} }
			s := &subject{name: "Leat's client", dial: func(url string, _ setup, _ chan<- outcome) {
				if s, err := leat.Dial(context.Background(), url, &leat.DialOptions{SocketOptions: c.o, Server: srv}); err == nil {
					<-s.Done()
				}
			}}
			l, _, err := s.open(t, setup{})
			if err != nil {
				t.Fatal(err)
			}
			go c.do(l)
			in(t, c.most, "the end", func() error {
				if o := heard(t, ended); o.code != c.code {
					return fmt.Errorf("the application hears of %d, %v", o.code, o.err)
				}
				return nil
			})
		})
	}
	t.Cleanup(func() { noSocket(t, srv) })
}
