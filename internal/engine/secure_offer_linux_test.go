//go:build amd64 || arm64

package engine_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/engine"
)

// A taker is a handler that tells when there is room, and has a unit to say ahead.
type taker struct {
	*echoer
	room chan struct{}
}

func newTaker() *taker { return &taker{newEchoer(), make(chan struct{}, 1)} }

func (h *taker) Ahead(_ engine.Conn, dst []byte) []byte { return append(dst, unitOf('!', 10)...) }
func (h *taker) Wrote(_ engine.Conn, _, left int) {
	if left == 0 {
		select {
		case h.room <- struct{}{}:
		default:
		}
	}
}

// kindsOf are those of the units that come from r to its end, one letter each.
func kindsOf(t *testing.T, r io.Reader) string {
	t.Helper()
	var got strings.Builder
	for {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); errors.Is(err, io.EOF) {
			return got.String()
		} else if err != nil {
			t.Fatalf("after %q: %v", got.String(), err)
		}
		body := make([]byte, binary.BigEndian.Uint32(head[:])-4)
		if _, err := io.ReadFull(r, body); err != nil || bytes.Count(body, body[:1]) != len(body) {
			t.Fatalf("after %q: a unit with another inside, %v", got.String(), err)
		}
		got.WriteByte(body[0])
	}
}

// What is offered over TLS comes in order, with what is sent and what is urgent,
// however often it is cut.
func TestWhatIsOfferedOverTLSIsWholeAndInOrder(t *testing.T) {
	e := newSecured(t, 2)
	for name, version := range versions {
		t.Run("TLS "+name, func(t *testing.T) {
			h := newTaker()
			c, conn := e.adopt(t, h, &tls.Config{MaxVersion: version}, plain)
			done := make(chan string, 1)
			go func() {
				var said strings.Builder
				for range 300 {
					var units [][]byte
					for range 1 + rand.IntN(20) {
						units = append(units, unitOf('a'+byte(rand.IntN(20)), 5+rand.IntN(1<<rand.IntN(16))))
					}
					if rand.IntN(2) == 0 {
						conn.Urge()
					}
					for len(units) > 0 {
						n := conn.Offer(bytes.Join(units, nil), units)
						for _, u := range units[:n] {
							said.WriteByte(u[4])
						}
						if rand.IntN(4) == 0 {
							if err := conn.Send(unitOf('s', 100)); err != nil {
								t.Error(err)
							}
							said.WriteByte('s')
						}
						if units = units[n:]; len(units) > 0 {
							await(t, "Wrote with nothing left", h.room)
						}
					}
				}
				conn.End(unitOf('z', 10), nil)
				done <- said.String()
			}()
			got := strings.ReplaceAll(kindsOf(t, c), "!", "")
			if want := await(t, "the last offer", done) + "z"; got != want {
				t.Errorf("%d units came of %d", len(got), len(want))
			}
			_ = c.Close() // with close_notify
			<-h.closed
		})
	}
}

// From within Wrote, and where nothing of it waits, TLS is offered to as others.
func TestWhatIsOfferedOverTLSFromWroteIsTaken(t *testing.T) {
	const all = 500
	e := newSecured(t, 1)
	h := &relay{echoer: newEchoer(), left: all}
	c, conn := e.adopt(t, h, &tls.Config{}, plain)
	if err := conn.Send(unitOf('s', 10)); err != nil { // from then on by Wrote
		t.Fatal(err)
	}
	if got, want := kindsOf(t, c), "s"+strings.Repeat("a", all)+"z"; got != want {
		t.Errorf("%q", got)
	}
	_ = c.Close() // with close_notify
	<-h.closed
}

// A relay offers a few units each time that it may, and then ends.
type relay struct {
	*echoer
	left int
}

func (h *relay) Wrote(c engine.Conn, _, left int) {
	for left == 0 && h.left > 0 {
		var units [][]byte
		for range min(h.left, 7) {
			units = append(units, unitOf('a', 3000))
		}
		n := c.Offer(bytes.Join(units, nil), units)
		if h.left -= n; n < len(units) {
			return
		}
	}
	if left == 0 {
		c.End(unitOf('z', 10), nil)
	}
}

func TestSmallUnitsThatAreOfferedOverTLSAreOneWrite(t *testing.T) {
	e := newSecured(t, 1)
	h := newTaker()
	c, conn := e.adopt(t, h, &tls.Config{}, plain)
	var units [][]byte
	for range 10 {
		units = append(units, unitOf('a', 1000))
	}
	before := e.Engine.(*engine.Loops).Counts().Writes
	n := conn.Offer(bytes.Join(units, nil), units)
	if writes := e.Engine.(*engine.Loops).Counts().Writes - before; n != 10 || writes != 1 {
		t.Errorf("%d taken in %d writes", n, writes)
	}
	conn.End(nil, nil)
	if got := kindsOf(t, c); got != strings.Repeat("a", n) {
		t.Errorf("%q", got)
	}
	_ = c.Close() // with close_notify
	<-h.closed
}

// What a connection holds of many units that are offered, and of which it has begun
// some, is a record of TLS and what that is made of.
func TestAnOfferOverTLSThatIsCutHoldsNoMoreThanItsRecord(t *testing.T) {
	const conns, size, count = 50, 1 << 10, 64
	const most = 2*(18<<10) + 2<<10 // what is encrypted, and as what; not the 64 KiB that are offered at once
	e := newSecured(t, 1)
	var all []engine.Conn
	var clients []*tls.Conn
	for range conns {
		h := newTaker()
		c, conn := e.adopt(t, h, &tls.Config{}, plain)
		all, clients = append(all, conn), append(clients, c)
	}
	before := inUse()
	for _, c := range all {
		for n := count; n > 0; {
			var units [][]byte
			for range count {
				units = append(units, unitOf('a', size))
			}
			n = c.Offer(bytes.Join(units, nil), units)
		}
	}
	each := (int(inUse()) - int(before)) / conns
	if each > most && !engine.UnderRace {
		t.Errorf("%d bytes are held by each, of units of %d", each, size)
	}
	for _, c := range all {
		c.Abort(nil)
	}
	runtime.KeepAlive(clients)
}
