package enginetest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/leat-dev/leat/internal/engine"
)

// A unit of these tests is its length in four bytes, and then its kind over
// and over.
func unit(kind byte, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = kind
	}
	binary.BigEndian.PutUint32(b, uint32(size))
	return b
}

func unitLen(b []byte) int { return int(binary.BigEndian.Uint32(b)) }

// kinds are those of the units that come from r, one letter each.
func kinds(t *testing.T, r io.Reader, units int) string {
	t.Helper()
	var got strings.Builder
	for range units {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			t.Fatalf("after %q: %v", got.String(), err)
		}
		size := unitLen(head[:])
		if size <= 4 || size > 1<<20 {
			t.Fatalf("after %q: not a unit", got.String())
		}
		body := make([]byte, size-4)
		if _, err := io.ReadFull(r, body); err != nil {
			t.Fatalf("after %q: %v", got.String(), err)
		}
		if strings.Trim(string(body), string(body[:1])) != "" {
			t.Fatalf("after %q: a unit with another inside", got.String())
		}
		got.WriteByte(body[0])
	}
	return got.String()
}

func (p *peer) kinds(want string) {
	p.t.Helper()
	if got := kinds(p.t, p.far, len(want)); got != want {
		p.t.Errorf("%q came, not %q", got, want)
	}
}

// urgent is a peer that has one unit to say ahead.
func urgent() *peer {
	return &peer{ahead: func(dst []byte) []byte { return append(dst, unit('!', 10)...) }}
}

var units = &engine.Options{Unit: unitLen}

func urgentAlone(t *testing.T, e engine.Engine) {
	p := urgent()
	p.wrote = func(_ engine.Conn, n, _ int) { t.Errorf("%d written that nobody sent", n) }
	p.adopt(t, e, &engine.Options{Budget: 1, Unit: unitLen})
	p.conn.Urge()
	p.kinds("!")
	p.conn.Call(func(c engine.Conn) { c.Urge() })
	p.kinds("!")
}

func urgentPass(t *testing.T, e engine.Engine) {
	near, far := connect(t)
	link := &counter{TCPConn: near}
	p := urgent().over(t, e, link, far, units)
	p.conn.Call(func(c engine.Conn) {
		c.Urge()
		for range 10 {
			p.send(unit('s', 10))
		}
	})
	p.kinds("!ssssssssss")
	if n := link.writes.Load(); n > 2 { // as in onePass
		t.Errorf("%d writes for one callback", n)
	}
}

func urgentOnce(t *testing.T, e engine.Engine) {
	p := urgent()
	steps := p.steps()
	g := p.hold(t, e, units)
	p.send(unit('a', 10))
	g.await()
	const size = 100 << 10 // more than one write takes
	p.send(unit('b', size))
	p.conn.Urge()
	g.let()
	await(t, "Wrote", steps)
	n := g.await()
	if n <= 10 {
		t.Errorf("%d bytes in the second write", n)
	}
	g.let()
	if got, want := await(t, "Wrote", steps), (step{n - 10, size - (n - 10)}); got != want {
		t.Errorf("%d written and %d left, not %d and %d", got.n, got.left, want.n, want.left)
	}
	g.open()
	p.kinds("a!b")
}

func urgentPasses(t *testing.T, e engine.Engine) {
	p := urgent()
	g := p.hold(t, e, units)
	p.send(unit('a', 10))
	g.await()
	p.send(unit('b', 200<<10))
	p.send(unit('c', 200<<10))
	p.send(unit('d', 10))
	g.let()
	g.await() // a part of b is being written
	p.conn.Urge()
	g.open()
	p.kinds("ab!cd")
}

func urgentBetween(t *testing.T, e engine.Engine) {
	p := urgent()
	g := p.hold(t, e, units)
	p.send(unit('a', 10))
	g.await()
	for range 100 {
		p.send(unit('b', 3000))
	}
	g.let()
	begun := (g.await() + 2999) / 3000
	p.conn.Urge()
	g.open()
	p.kinds("a" + strings.Repeat("b", begun) + "!" + strings.Repeat("b", 100-begun))
}

func urgentPlain(t *testing.T, e engine.Engine) {
	p := urgent()
	g := p.hold(t, e, &engine.Options{})
	p.send(unit('a', 10))
	g.await()
	p.send(unit('b', 200<<10))
	g.let()
	g.await()
	p.send(unit('c', 10))
	p.conn.Urge()
	g.open()
	p.kinds("ab!c")
}

func urgentEnd(t *testing.T, e engine.Engine) {
	p := urgent()
	g := p.hold(t, e, units)
	p.send(unit('a', 200<<10))
	g.await()
	p.send(unit('b', 10))
	p.conn.Urge()
	p.conn.End(unit('z', 10), nil)
	g.open()
	p.kinds("a!bz")
	if rest, err := p.rest(); len(rest) > 0 || err != nil {
		t.Errorf("then %q, %v", rest, err)
	}
	_ = p.reason() // none
	p.conn.Urge()  // too late: the peer would complain
}

func urgentNothing(t *testing.T, e engine.Engine) {
	asked := make(chan struct{}, 2)
	near, far := connect(t)
	link := &counter{TCPConn: near}
	p := &peer{ahead: func(dst []byte) []byte {
		asked <- struct{}{}
		return dst
	}}
	p.over(t, e, link, far, units)
	p.conn.Urge()
	await(t, "Ahead", asked)
	p.send(unit('a', 10))
	p.kinds("a")
	if n := link.writes.Load(); n != 1 {
		t.Errorf("%d writes", n)
	}
}

func urgentCut(t *testing.T, e engine.Engine) {
	const units = 30
	done := make(chan string, 1)
	p := &peer{ahead: func(dst []byte) []byte { return append(dst, unit('!', 10)...) }}
	p.data = func(c engine.Conn, b []byte) {
		if string(b) == "urge" {
			c.Urge()
		} else {
			for range units {
				p.send(unit('s', 100<<10))
			}
		}
		done <- string(b)
	}
	near, far := connect(t)
	_ = near.SetWriteBuffer(16 << 10)
	_ = far.SetReadBuffer(16 << 10)
	p.over(t, e, near, far, &engine.Options{Budget: 8 << 20, Unit: unitLen})
	for _, b := range []string{"send", "urge"} {
		if _, err := far.Write([]byte(b)); err != nil {
			t.Fatal(err)
		}
		if got := await(t, b, done); got != b {
			t.Fatalf("%q has come", got)
		}
	}
	got := kinds(t, far, units+1)
	if n := strings.IndexByte(got, '!'); n < 1 || n > units-2 || strings.Count(got, "s") != units {
		t.Errorf("%q", got)
	}
}

func urgentRandom(t *testing.T, e engine.Engine) {
	const senders, each, urgers, urges = 4, 100, 2, 200
	var mu sync.Mutex
	said, heard := 0, 0
	done := make(chan struct{})
	p := &peer{ahead: func(dst []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		said++
		return append(dst, unit('!', 5+rand.IntN(2000))...)
	}}
	p.adopt(t, e, &engine.Options{Budget: 64 << 20, Unit: unitLen})
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for range each {
				p.send(unit('s', 5+rand.IntN(1<<(4+rand.IntN(14)))))
			}
		})
	}
	for range urgers {
		wg.Go(func() {
			for range urges {
				p.conn.Urge()
			}
		})
	}
	go func() {
		wg.Wait()
		p.conn.Urge()
		p.conn.End(unit('z', 10), nil)
		close(done)
	}()
	sent := 0
	for {
		switch kinds(t, p.far, 1) {
		case "!":
			heard++
			continue
		case "s":
			sent++
			continue
		}
		break
	}
	await(t, "the end", done)
	_ = p.reason() // none
	if sent != senders*each || heard != said || heard == 0 {
		t.Errorf("%d of %d sent, %d of %d urgent", sent, senders*each, heard, said)
	}
}

// narrow is adopt over a connection whose kernel keeps little.
func (p *peer) narrow(t *testing.T, e engine.Engine, o *engine.Options) *peer {
	t.Helper()
	near, far := connect(t)
	if err := errors.Join(near.SetWriteBuffer(16<<10), far.SetReadBuffer(16<<10)); err != nil {
		t.Fatal(err)
	}
	return p.over(t, e, near, far, o)
}

// The units of this test are a byte and as many behind it, which might as well
// begin a unit: whoever looks for a boundary from elsewhere finds a wrong one.
func urgentAgain(t *testing.T, e engine.Engine) {
	const units, size = 8000, 251
	small, large := []byte{2, 1, 1}, append([]byte{size}, bytes.Repeat([]byte{6}, size)...)
	p := &peer{
		ahead: func(dst []byte) []byte { return append(dst, small...) },
		wrote: func(c engine.Conn, _, _ int) { c.Urge() }, // wherever the write has ended
	}
	p.narrow(t, e, &engine.Options{Budget: 16 << 20, Unit: func(b []byte) int { return int(b[0]) + 1 }})
	for range units {
		p.send(large)
	}
	p.conn.End(nil, nil)
	sent, urgent, in := 0, 0, bufio.NewReader(p.far)
	for {
		head, err := in.ReadByte()
		if err != nil {
			break // the end; what is missing is seen below
		}
		body := make([]byte, head)
		_, err = io.ReadFull(in, body)
		switch got := append([]byte{head}, body...); {
		case err != nil:
			t.Fatalf("after %d units and %d urgent: %v", sent, urgent, err)
		case bytes.Equal(got, large):
			sent++
		case bytes.Equal(got, small):
			urgent++
		default:
			t.Fatalf("after %d units and %d urgent: %q", sent, urgent, got)
		}
	}
	if sent != units || urgent == 0 {
		t.Errorf("%d of %d units, %d urgent", sent, units, urgent)
	}
	_ = p.reason() // none
}

// whole reads units to the end, and wants so many that were sent and something
// urgent among them.
func (p *peer) whole(want int) {
	p.t.Helper()
	sent, urgent := 0, 0
	for {
		switch kinds(p.t, p.far, 1) {
		case "!":
			urgent++
			continue
		case "s":
			sent++
			continue
		}
		break
	}
	if sent != want || urgent == 0 {
		p.t.Errorf("%d of %d units, %d urgent", sent, want, urgent)
	}
	_ = p.reason() // none
}

func urgentParts(t *testing.T, e engine.Engine) {
	const units = 20
	written := make(chan struct{}, 1)
	p := urgent()
	p.wrote = func(c engine.Conn, _, left int) {
		c.Urge()
		if left == 0 {
			written <- struct{}{}
		}
	}
	p.narrow(t, e, &engine.Options{Budget: 16 << 20, Unit: unitLen})
	go func() {
		for range units {
			u := unit('s', 300<<10)
			if err := p.conn.SendParts([][]byte{u[:4], u[4:]}); err != nil {
				t.Errorf("SendParts: %v", err)
			}
			await(t, "Wrote with nothing left", written) // so that the next one may go at once
		}
		p.conn.End(unit('z', 10), nil)
	}()
	p.whole(units)
}

func urgentEmpty(t *testing.T, e engine.Engine) {
	asked, sent := make(chan struct{}, 10), make(chan struct{})
	p := &peer{ahead: func(dst []byte) []byte {
		asked <- struct{}{}
		<-sent
		return dst
	}}
	p.adopt(t, e, units)
	p.conn.Urge()
	await(t, "Ahead", asked)
	p.send(unit('a', 10))
	p.conn.Urge()
	close(sent)
	p.kinds("a")
	await(t, "Ahead, once more", asked)
}
