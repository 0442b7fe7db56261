//go:build amd64 || arm64

package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/engine"
)

// offering are the engines that write an offer at once.
func offering() map[string]engine.Engine {
	return map[string]engine.Engine{"events": engine.NewLoops(1, nil), "goroutines": engine.Goroutines{}}
}

// A written is a handler that tells what Wrote was told.
type written struct {
	handler
	steps  chan [2]int // n, left
	closed chan error
}

func newWritten() *written {
	return &written{steps: make(chan [2]int, 1000), closed: make(chan error, 1)}
}

func (h *written) Wrote(_ engine.Conn, n, left int)       { h.steps <- [2]int{n, left} }
func (h *written) Closed(_ engine.Conn, err error)        { h.closed <- err }
func (h *written) Ahead(_ engine.Conn, dst []byte) []byte { return append(dst, unitOf('!', 7)...) }

// least is a connection whose kernel keeps as little as it can.
func least(t *testing.T) (near, far net.Conn) {
	t.Helper()
	near, far = pair(t)
	if err := near.(*net.TCPConn).SetWriteBuffer(1); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// A unit is cut behind each of its bytes, and between it and the one before. What
// is left of it comes first, whatever is said meanwhile.
func TestAUnitIsCutAnywhere(t *testing.T) {
	t.Parallel()
	const size, most = 11, 256 << 10
	for name, e := range offering() {
		for _, then := range []string{"", "s", "!", "s!"} {
			t.Run(fmt.Sprintf("%s, then %q", name, then), func(t *testing.T) {
				t.Parallel()
				seen := map[int]bool{}
				for try := 0; len(seen) < size && try < 100*size; try++ {
					// The kernel takes about as much each time: the first unit moves the others.
					all := unitOf('a', size+try%size)
					units := [][]byte{all}
					for len(all) < most {
						u := unitOf('a'+byte(len(units)%26), size)
						all, units = append(all, u...), append(units, u)
					}
					if left, urged := cutOffer(t, e, all, units, then); urged {
						seen[left%size] = true
					}
				}
				if len(seen) < size {
					t.Errorf("it was cut only where so much was left: %v", seen)
				}
			})
		}
	}
}

// cutOffer offers more than the kernel takes, sends and urges, has the connection
// end, and answers how much was left of the last unit that was taken, and whether
// what was urged came next. It need not where the kernel had room again before:
// what had been sent has left then.
func cutOffer(t *testing.T, e engine.Engine, all []byte, units [][]byte, then string) (left int, urged bool) {
	t.Helper()
	const budget, small = 1 << 10, 7
	near, far := least(t)
	h := newWritten()
	c := e.Adopt(near, nil, h, &engine.Options{Budget: budget, Unit: swellLen})
	was := bytes.Clone(all)
	taken := c.Offer(all, units)
	left = budget - c.Room()
	if taken == 0 || taken == len(units) {
		t.Fatalf("%d units of %d are taken", taken, len(units))
	}
	want, ahead := bytes.Join(units[:taken-1], nil), units[taken-1]
	var urgent, sent []byte
	for _, kind := range then {
		switch u := unitOf(byte(kind), small); kind {
		case 's':
			if err := c.Send(u); err != nil {
				t.Fatal(err)
			}
			sent = u
		case '!':
			c.Urge()
			urgent = u
		}
	}
	last := unitOf('z', small)
	c.End(last, nil)
	got, err := io.ReadAll(far)
	came := func(parts ...[]byte) bool { return bytes.Equal(got, bytes.Join(parts, nil)) }
	urged = came(want, ahead, urgent, sent, last) ||
		came(want, urgent, ahead, sent, last) // nothing of it had been written
	if err != nil || !urged && !came(want, ahead, sent, urgent, last) {
		t.Fatalf("%d bytes came, %v: %q", len(got), err, got[min(len(got), len(want)):])
	}
	if !bytes.Equal(all, was) {
		t.Fatal("the units have been changed")
	}
	_ = far.Close() // it has said nothing
	_ = await(t, "Closed", h.closed)
	return left, urged
}

// What is told of a unit that is cut is what Offer has not written itself.
func TestTheRestOfAnOfferIsTold(t *testing.T) {
	t.Parallel()
	const size, budget = 1 << 20, 2 << 20
	for name, e := range offering() {
		near, far := least(t)
		h := newWritten()
		c := e.Adopt(near, nil, h, &engine.Options{Budget: budget})
		u := unitOf('a', size)
		if n := c.Offer(nil, [][]byte{u}); n != 1 {
			t.Fatalf("%s: %d taken", name, n)
		}
		later := budget - c.Room() // some of the rest may have gone by now
		if got := readFull(t, far, size); got != string(u) {
			t.Errorf("%s: it is not what was offered", name)
		}
		s := await(t, "Wrote", h.steps)
		rest := s[0] + s[1]
		if s[0] <= 0 || rest < later || rest >= size {
			t.Errorf("%s: %d told, and %d left of a rest of at least %d", name, s[0], s[1], later)
		}
		for left := s[1]; left > 0; left = s[1] {
			if s = await(t, "Wrote", h.steps); s[0] <= 0 || s[0]+s[1] != left {
				t.Errorf("%s: %d told, and %d left of %d", name, s[0], s[1], left)
			}
		}
		c.Abort(nil)
	}
}

// A unit of one byte cannot be cut: nothing is kept, and Wrote tells when there
// is room all the same.
func TestAnOfferThatIsCutBetweenTwoUnitsKeepsNothing(t *testing.T) {
	t.Parallel()
	e := engine.NewLoops(1, nil)
	t.Cleanup(e.Close)
	near, far := least(t)
	h := newWritten()
	c := e.Adopt(near, nil, h, &engine.Options{Budget: 100})
	all, units := ones(1 << 20)
	taken := 0
	for range 3 {
		n := c.Offer(all, units)
		if n == len(units) {
			t.Fatal("all is taken")
		}
		if r := c.Room(); r != 100 {
			t.Fatalf("room for %d", r)
		}
		taken += n
		readFull(t, far, n)
		if s := await(t, "Wrote", h.steps); s != [2]int{} {
			t.Fatalf("%d bytes are told, and %d left", s[0], s[1])
		}
	}
	taken = c.Offer(all, units)
	if err := c.Send([]byte("sent")); err != nil { // while there is no room
		t.Error(err)
	}
	c.End([]byte("last"), nil)
	if got := readFull(t, far, taken+8); got[taken:] != "sentlast" {
		t.Errorf("%q comes behind the offer", got[taken:])
	}
}

// The end of a connection that has nothing to say does not wait for room.
func TestAnEndBehindAnOfferThatLeftNothingComesAtOnce(t *testing.T) {
	t.Parallel()
	e := engine.NewLoops(1, nil)
	t.Cleanup(e.Close)
	near, far := unixPair(t) // the system has no room before the peer has read
	h := newWritten()
	c := e.Adopt(near, nil, h, &engine.Options{Budget: 100})
	all, units := ones(1 << 20)
	n := c.Offer(all, units)
	if n == len(units) {
		t.Fatal("all is taken")
	}
	c.End(nil, nil)
	if err := await(t, "Closed", h.closed); err != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(far); len(got) != n || err != nil {
		t.Errorf("%d bytes of %d, %v", len(got), n, err)
	}
}

// ones are units of one byte.
func ones(n int) (joined []byte, units [][]byte) {
	joined = bytes.Repeat([]byte{'1'}, n)
	for i := range joined {
		units = append(units, joined[i:i+1])
	}
	return joined, units
}

// A unix socket tells that it has room when most of it has been read: what the
// peer takes before that keeps it, also while there is nothing to try it with.
func TestAPeerThatTakesALittleOfAnOfferIsKept(t *testing.T) {
	t.Parallel()
	const sip, sips = 32 << 10, 6
	for _, name := range []string{"cut between two units", "and something sent behind it", "cut anywhere"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := engine.NewLoops(1, nil)
			t.Cleanup(e.Close)
			near, far := unixPair(t)
			if err := near.(*net.UnixConn).SetWriteBuffer(400 << 10); err != nil {
				t.Fatal(err)
			}
			h := newWritten()
			c := e.Adopt(near, nil, h, &engine.Options{Budget: 100, Stall: 2 * time.Second})
			all, units := ones(1 << 20)
			if name == "cut anywhere" {
				units = [][]byte{all}
			}
			c.Offer(all, units)
			if n := c.Offer(all, units); n != 0 {
				t.Fatalf("%d more are taken", n)
			}
			if name == "and something sent behind it" {
				if err := c.Send([]byte("sent")); err != nil {
					t.Error(err)
				}
			}
			for range sips {
				<-time.After(400 * time.Millisecond) // 2.4 s in all, above Stall
				readFull(t, far, sip)
			}
			select {
			case err := <-h.closed:
				t.Fatal(err)
			default:
			}
			if err := await(t, "Closed", h.closed); !errors.Is(err, engine.ErrStalled) { // it takes nothing any more
				t.Error(err)
			}
		})
	}
}

func TestAnOfferThatIsTakenWholeIsOneWriteAndNothingElse(t *testing.T) {
	for name, e := range offering() {
		near, far := pair(t)
		h := newWritten()
		c := e.Adopt(near, nil, h, &engine.Options{Budget: 1 << 20, Stall: time.Minute})
		var units [][]byte
		for i := range 20 {
			units = append(units, unitOf('a', 50+i))
		}
		joined := bytes.Join(units, nil)
		in := make([]byte, len(joined))
		offer := func() {
			if n := c.Offer(joined, units); n != len(units) {
				t.Errorf("%s: %d taken", name, n)
			}
			if _, err := io.ReadFull(far, in); err != nil || !bytes.Equal(in, joined) {
				t.Errorf("%s: %q, %v", name, in, err)
			}
		}
		offer() // the loop runs from now on
		loops, events := e.(*engine.Loops)
		var before engine.Counts
		if events {
			before = loops.Counts()
		}
		if n := testing.AllocsPerRun(100, offer); n > 0 && !engine.UnderRace {
			t.Errorf("%s: %v allocations for an offer", name, n)
		}
		if events {
			after := loops.Counts()
			if w := after.Writes - before.Writes; w != 101 { // one to warm up
				t.Errorf("%d writes for 101 offers", w)
			}
			if p := after.Polls - before.Polls; p > 5 {
				t.Errorf("%d polls while others write", p)
			}
		}
		if len(h.steps) > 0 {
			t.Errorf("%s: Wrote is told of what was written at once", name)
		}
		c.Abort(nil)
	}
}

// What a connection holds of an offer that is cut is the unit that was.
func TestAnOfferThatIsCutHoldsItsUnitAlone(t *testing.T) {
	const conns, size, count = 100, 2 << 10, 500
	for name, e := range offering() {
		var all []engine.Conn
		for range conns {
			near, far := least(t)
			c := e.Adopt(near, nil, newWritten(), &engine.Options{Budget: 100})
			all = append(all, c)
			_ = far // it reads nothing
		}
		before := inUse()
		for _, c := range all {
			var units [][]byte
			for range count {
				units = append(units, make([]byte, size))
			}
			if n := c.Offer(bytes.Join(units, nil), units); n == 0 || n == count {
				t.Fatalf("%s: %d taken", name, n)
			}
		}
		most := size + 200
		if name == "goroutines" {
			most += 12 << 10 // a writer's stack and its deadline
		}
		if each := (int(inUse()) - int(before)) / conns; each > most && !engine.UnderRace {
			t.Errorf("%s: %d bytes are held for a unit of %d", name, each, size)
		}
		for _, c := range all {
			c.Abort(nil)
		}
		runtime.KeepAlive(all)
	}
}

// BenchmarkDelivery is what it costs to write 128 bytes to one of 1,000 readers;
// what they do is not in it.
func BenchmarkDelivery(b *testing.B) {
	const readers = 1000
	unit := make([]byte, 128)
	units := [][]byte{unit}
	for _, how := range []struct {
		name    string
		deliver func(c engine.Conn) bool
	}{
		{"Offer", func(c engine.Conn) bool { return c.Offer(nil, units) == 1 }},
		{"Send and Flush", func(c engine.Conn) bool {
			err := c.Send(unit)
			c.Flush()
			return err == nil
		}},
		{"Send", func(c engine.Conn) bool { return c.Send(unit) == nil }},
	} {
		b.Run(how.name, func(b *testing.B) {
			e := engine.NewLoops(1, nil)
			defer e.Close()
			var conns []engine.Conn
			var fars []net.Conn
			for range readers {
				near, far, err := connected()
				if err != nil {
					b.Fatal(err)
				}
				defer far.Close()
				fars = append(fars, far)
				conns = append(conns, e.Adopt(near, nil, &script{}, &engine.Options{Budget: 1 << 20}))
			}
			in := make([]byte, len(unit))
			for left := b.N; left > 0; left -= readers {
				now := conns[:min(left, readers)]
				for _, c := range now {
					if !how.deliver(c) {
						b.Fatal("it is not taken")
					}
				}
				for _, c := range now {
					for c.Room() < 1<<20 {
						runtime.Gosched()
					}
				}
				b.StopTimer()
				for _, far := range fars[:len(now)] {
					if _, err := io.ReadFull(far, in); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
			}
		})
	}
}

func connected() (near, far net.Conn, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
		return nil, nil, err
	}
	near, err = l.Accept()
	return near, far, err
}
