//go:build amd64 || arm64

package engine_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/engine"
)

// An echoer sends back what comes, and tells its end.
type echoer struct {
	handler
	hung   chan struct{}
	closed chan error
}

func newEchoer() *echoer {
	return &echoer{hung: make(chan struct{}, 1), closed: make(chan error, 1)}
}

func (h *echoer) Data(c engine.Conn, b []byte)         { _ = c.Send(b) } // the peer sees what is missing
func (h *echoer) Wrote(engine.Conn, int, int)          {}
func (h *echoer) Hangup(c engine.Conn)                 { h.hung <- struct{}{}; c.End([]byte("bye"), nil) }
func (h *echoer) Closed(_ engine.Conn, err error)      { h.closed <- err }
func (h *echoer) Ending(_ engine.Conn, _ error)        {}
func (h *echoer) Alarm(engine.Conn)                    {}
func (h *echoer) Ahead(_ engine.Conn, d []byte) []byte { return d }

// secured is an engine with what a TLS server needs.
type secured struct {
	engine.Engine
	config *tls.Config
}

func newSecured(t *testing.T, loops int) *secured {
	return &secured{
		engine.NewLoops(loops, func(engine.Link) { t.Error("it is kept by goroutines") }),
		&tls.Config{Certificates: []tls.Certificate{certificate(t)}, SessionTicketsDisabled: true},
	}
}

// adopt makes a handshake over a Wire and hands the server's end to an engine.
// The client's end talks through what over makes of its connection.
func (s *secured) adopt(t *testing.T, h engine.Handler, client *tls.Config, over func(net.Conn) net.Conn) (*tls.Conn, engine.Conn) {
	t.Helper()
	near, far := pair(t)
	_ = near.(*net.TCPConn).SetWriteBuffer(16 << 10) // so that writes are cut
	server := tls.Server(engine.NewWire(near), s.config)
	client.InsecureSkipVerify = true //nolint:gosec // a test's own certificate
	c := tls.Client(over(far), client)
	failed := make(chan error, 1)
	go func() { failed <- c.Handshake() }()
	if err := errors.Join(server.Handshake(), <-failed); err != nil {
		t.Fatal(err)
	}
	return c, s.Adopt(server, nil, h, &engine.Options{Budget: 4 << 20, Stall: time.Minute, Unit: func(b []byte) int { return int(binary.BigEndian.Uint32(b)) }})
}

func plain(c net.Conn) net.Conn { return c }

// A cutter sends byte by byte.
type cutter struct{ net.Conn }

func (c cutter) Write(b []byte) (int, error) {
	for i := range b {
		if _, err := c.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
		runtime.Gosched() // so that some are read alone
	}
	return len(b), nil
}

var versions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

func TestRecordsThatComeByteByByteAreReadAndAnswered(t *testing.T) {
	e := newSecured(t, 1)
	for name, version := range versions {
		t.Run("TLS "+name, func(t *testing.T) {
			h := newEchoer()
			c, _ := e.adopt(t, h, &tls.Config{MaxVersion: version}, func(c net.Conn) net.Conn { return cutter{c} })
			want := []byte(strings.Repeat("0123456789abcdef", 50))
			for size := range 40 {
				if _, err := c.Write(want[:size*20]); err != nil {
					t.Fatal(err)
				}
				got := make([]byte, size*20)
				if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want[:size*20]) {
					t.Fatalf("%d bytes: %q, %v", size*20, got, err)
				}
			}
			if err := c.CloseWrite(); err != nil { // close_notify
				t.Fatal(err)
			}
			<-h.hung
			if rest, err := io.ReadAll(c); string(rest) != "bye" || err != nil { // to the server's close_notify
				t.Errorf("%q, %v", rest, err)
			}
			if err := <-h.closed; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatALateReaderOfTLSGetsIsWhole(t *testing.T) {
	e := newSecured(t, 2)
	for name, version := range versions {
		t.Run("TLS "+name, func(t *testing.T) {
			const size, times = 1 << 20, 2
			h := newEchoer()
			c, conn := e.adopt(t, h, &tls.Config{MaxVersion: version}, func(c net.Conn) net.Conn {
				_ = c.(*net.TCPConn).SetReadBuffer(64 << 10) // many small steps
				return c
			})
			want := make([]byte, size)
			for i := range want {
				want[i] = byte(i) ^ byte(i>>8)
			}
			for range times {
				if err := conn.Send(want); err != nil {
					t.Fatal(err)
				}
			}
			conn.End([]byte("end"), nil)
			for range times {
				got := make([]byte, size)
				if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("it is not what was sent: %v", err)
				}
			}
			if rest, err := io.ReadAll(c); string(rest) != "end" || err != nil {
				t.Errorf("%q, %v", rest, err)
			}
			if err := <-h.closed; err != nil {
				t.Error(err)
			}
		})
	}
}

// A pinger has a unit to say ahead, of '!'.
type pinger struct{ *echoer }

func (pinger) Ahead(_ engine.Conn, dst []byte) []byte { return append(dst, unitOf('!', 10)...) }

func unitOf(kind byte, size int) []byte {
	b := bytes.Repeat([]byte{kind}, size)
	binary.BigEndian.PutUint32(b, uint32(size))
	return b
}

func TestWhatIsUrgentGoesBetweenTwoUnitsOfTLS(t *testing.T) {
	const units, size = 40, 100 << 10
	e := newSecured(t, 1)
	h := pinger{newEchoer()}
	c, conn := e.adopt(t, h, &tls.Config{}, plain)
	for range units {
		if err := conn.Send(unitOf('s', size)); err != nil {
			t.Fatal(err)
		}
	}
	var got strings.Builder
	for i := range 2 * units {
		if i%2 == 0 {
			conn.Urge()
		}
		var head [4]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			t.Fatalf("after %q: %v", got.String(), err)
		}
		body := make([]byte, binary.BigEndian.Uint32(head[:])-4)
		if _, err := io.ReadFull(c, body); err != nil || strings.Trim(string(body), string(body[:1])) != "" {
			t.Fatalf("after %q: %v", got.String(), err)
		}
		got.WriteByte(body[0])
		if strings.Count(got.String(), "s") == units {
			break
		}
	}
	if n := strings.Count(strings.TrimRight(got.String(), "!"), "!"); n == 0 {
		t.Errorf("nothing went ahead: %q", got.String())
	}
	conn.Abort(nil)
}

func TestATLSPeerThatIsCutOffHasGone(t *testing.T) {
	e := newSecured(t, 1)
	h := newEchoer()
	var raw net.Conn
	e.adopt(t, h, &tls.Config{}, func(c net.Conn) net.Conn { raw = c; return c })
	if _, err := raw.Write([]byte{23, 3, 3, 0, 100, 1, 2, 3}); err != nil { // a record that does not go on
		t.Fatal(err)
	}
	_ = raw.Close() // its end is the point
	if err := <-h.closed; !errors.Is(err, engine.ErrGone) {
		t.Errorf("ended with %v", err)
	}
}

// keys are one direction of TLS 1.3 with TLS_AES_128_GCM_SHA256
// (RFC 8446, 7.2, 7.3, 5.3).
type keys struct {
	secret []byte
	seq    uint64
}

func (k *keys) expand(label string, n int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(info, byte(len("tls13 "+label)))
	info = append(append(info, "tls13 "+label...), 0)
	out, err := hkdf.Expand(sha256.New, k.secret, string(info), n)
	if err != nil {
		panic(err) // the lengths are right
	}
	return out
}

func (k *keys) update() { *k = keys{secret: k.expand("traffic upd", 32)} }

func (k *keys) aead() (cipher.AEAD, []byte) {
	block, err := aes.NewCipher(k.expand("key", 16))
	if err != nil {
		panic(err) // the key has its length
	}
	a, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has its block size
	}
	nonce := k.expand("iv", 12)
	for i, b := range binary.BigEndian.AppendUint64(nil, k.seq) {
		nonce[4+i] ^= b
	}
	k.seq++
	return a, nonce
}

func (k *keys) seal(kind byte, b []byte) []byte {
	a, nonce := k.aead()
	head := binary.BigEndian.AppendUint16([]byte{23, 3, 3}, uint16(len(b)+1+a.Overhead()))
	return append(head, a.Seal(nil, nonce, append(bytes.Clone(b), kind), head)...)
}

func (k *keys) open(t *testing.T, r io.Reader) (kind byte, b []byte) {
	t.Helper()
	head := make([]byte, 5)
	if _, err := io.ReadFull(r, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(r, body); err != nil {
		t.Fatal(err)
	}
	a, nonce := k.aead()
	b, err := a.Open(nil, nonce, body, head)
	if err != nil {
		t.Fatal(err)
	}
	return b[len(b)-1], b[:len(b)-1]
}

// TestKeysAreUpdatedAsThePeerAsks (RFC 8446, 4.6.3): Go's client never asks, so
// that its part is played by hand from the secrets of its handshake.
func TestKeysAreUpdatedAsThePeerAsks(t *testing.T) {
	e := newSecured(t, 1)
	var log bytes.Buffer
	var raw net.Conn
	c, _ := e.adopt(t, newEchoer(), &tls.Config{KeyLogWriter: &log, MinVersion: tls.VersionTLS13},
		func(c net.Conn) net.Conn { raw = c; return c })
	if s := c.ConnectionState().CipherSuite; s != tls.TLS_AES_128_GCM_SHA256 {
		t.Fatalf("the cipher is %s", tls.CipherSuiteName(s))
	}
	secret := func(label string) *keys {
		for line := range strings.Lines(log.String()) {
			if f := strings.Fields(line); len(f) == 3 && f[0] == label {
				b, err := hex.DecodeString(f[2])
				if err != nil {
					t.Fatal(err)
				}
				return &keys{secret: b}
			}
		}
		t.Fatalf("no %s", label)
		return nil
	}
	mine, its := secret("CLIENT_TRAFFIC_SECRET_0"), secret("SERVER_TRAFFIC_SECRET_0")
	const data, handshake = 23, 22
	for i := range 3 {
		word := fmt.Append(nil, "word ", i)
		if _, err := raw.Write(mine.seal(data, word)); err != nil {
			t.Fatal(err)
		}
		if kind, b := its.open(t, raw); kind != data || !bytes.Equal(b, word) {
			t.Fatalf("%d %q", kind, b)
		}
		if _, err := raw.Write(mine.seal(handshake, []byte{24, 0, 0, 1, 1})); err != nil { // KeyUpdate, update_requested
			t.Fatal(err)
		}
		mine.update()
		if kind, b := its.open(t, raw); kind != handshake || !bytes.Equal(b, []byte{24, 0, 0, 1, 0}) {
			t.Fatalf("%d %v", kind, b)
		}
		its.update()
	}
}

func TestAnIdleConnectionOfTLSHasNoGoroutineAndLittleMemory(t *testing.T) {
	const conns, most = 200, 8 << 10
	e := newSecured(t, 2)
	held := func() uint64 {
		runtime.GC()
		runtime.GC() // what pools hold goes with the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	first, _ := e.adopt(t, newEchoer(), &tls.Config{}, plain) // the loops run from now on
	defer first.Close()
	message := make([]byte, 1<<10)
	var all []engine.Conn
	raws := make([]net.Conn, 0, 2*conns)
	empty := held()
	for range conns { // what the test holds for the client's end of each
		near, far := pair(t)
		_ = near.Close() // it is the engine's otherwise
		raws = append(raws, far)
	}
	before, goroutines := held(), runtime.NumGoroutine()
	clients := before - empty
	for range conns {
		c, conn := e.adopt(t, newEchoer(), &tls.Config{MinVersion: tls.VersionTLS13}, plain)
		if _, err := c.Write(message); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, len(message))); err != nil {
			t.Fatal(err)
		}
		all, raws = append(all, conn), append(raws, c.NetConn()) // the client's own state is no matter
	}
	if n := runtime.NumGoroutine() - goroutines; n > 3 { // the loops and their watch
		t.Errorf("%d goroutines for %d connections", n, conns)
	}
	after := held()
	each := (after - before - clients) / conns
	t.Logf("%d bytes for each", each)
	if each > most && !engine.UnderRace {
		t.Errorf("%d bytes for each connection", each)
	}
	runtime.KeepAlive(raws)
	for _, c := range all {
		c.Abort(nil)
	}
}

func TestManyConnectionsOfTLSAtOnce(t *testing.T) {
	e := newSecured(t, 2)
	var wg sync.WaitGroup
	for range 20 {
		h := newEchoer()
		c, _ := e.adopt(t, h, &tls.Config{}, plain)
		wg.Go(func() {
			for i := range 100 {
				want := bytes.Repeat([]byte{byte(i)}, 1+i*300)
				go func() { _, _ = c.Write(want) }() // the read tells
				got := make([]byte, len(want))
				if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes: %v", len(want), err)
					return
				}
			}
			_ = c.Close() // with close_notify
			<-h.closed
		})
	}
	wg.Wait()
}
