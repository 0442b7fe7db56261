package enginetest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/engine"
)

// rooms has p.wrote tell when nothing is left.
func (p *peer) rooms() <-chan struct{} {
	c := make(chan struct{}, 1)
	p.wrote = func(_ engine.Conn, _, left int) {
		if left == 0 {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}
	return c
}

// offer offers units until all are taken, each time that there is room.
func (p *peer) offer(units [][]byte, room <-chan struct{}) {
	p.t.Helper()
	for {
		units = units[p.conn.Offer(bytes.Join(units, nil), units):]
		if len(units) == 0 {
			return
		}
		await(p.t, "Wrote with nothing left", room)
	}
}

// tight is adopt over a connection whose kernel keeps little of what is written.
func (p *peer) tight(t *testing.T, e engine.Engine, o *engine.Options) *peer {
	t.Helper()
	near, far := connect(t)
	if err := near.SetWriteBuffer(16 << 10); err != nil {
		t.Fatal(err)
	}
	return p.over(t, e, near, far, o)
}

func offered(t *testing.T, e engine.Engine) {
	for _, most := range []int{10, 1000, 40 << 10} {
		p := new(peer)
		room := p.rooms()
		p.tight(t, e, units)
		var all [][]byte
		for range min(1000, 1<<20/most) {
			all = append(all, unit('a'+byte(rand.IntN(26)), 5+rand.IntN(most)))
		}
		if n := p.conn.Offer(nil, nil); n != 0 {
			t.Errorf("%d taken of none", n)
		}
		go func() {
			for rest := all; len(rest) > 0; {
				n := 1 + rand.IntN(min(len(rest), 50))
				p.offer(rest[:n], room)
				rest = rest[n:]
			}
		}()
		if want := bytes.Join(all, nil); !bytes.Equal(p.read(len(want)), want) {
			t.Errorf("units up to %d bytes are not what was offered", most)
		}
	}
}

func offeredMixed(t *testing.T, e engine.Engine) {
	p := urgent()
	room := p.rooms()
	p.tight(t, e, &engine.Options{Budget: 1 << 20, Unit: unitLen})
	order := make(chan string, 1)
	go func() {
		var said strings.Builder
		for range 300 {
			var batch [][]byte
			for range 1 + rand.IntN(20) {
				batch = append(batch, unit('o', 5+rand.IntN(3000)))
			}
			n := p.conn.Offer(bytes.Join(batch, nil), batch)
			said.WriteString(strings.Repeat("o", n))
			if rand.IntN(2) == 0 {
				p.conn.Urge()
			}
			for range rand.IntN(3) {
				if p.conn.Send(unit('s', 5+rand.IntN(2000))) == nil {
					said.WriteByte('s')
				}
			}
			if n < len(batch) && rand.IntN(4) > 0 {
				await(t, "Wrote with nothing left", room)
			}
		}
		p.conn.End(unit('z', 10), nil)
		order <- said.String()
	}()
	var got strings.Builder
	for {
		k := kinds(t, p.far, 1)
		if k == "z" {
			break
		}
		if k != "!" {
			got.WriteString(k)
		}
	}
	if want := <-order; got.String() != want {
		t.Errorf("%q came, not %q", got.String(), want)
	}
	_ = p.reason() // none
}

// numbered is a unit of a kind that has a number.
func numbered(kind byte, number, size int) []byte {
	b := unit(kind, size+9)
	binary.BigEndian.PutUint32(b[5:], uint32(number))
	return b
}

func offeredRandom(t *testing.T, e engine.Engine) {
	const each, offerers, senders = 400, 4, 2
	rooms := make([]chan struct{}, offerers)
	for i := range rooms {
		rooms[i] = make(chan struct{}, 1)
	}
	p := &peer{
		ahead: func(dst []byte) []byte { return append(dst, numbered('!', 0, rand.IntN(100))...) },
		wrote: func(_ engine.Conn, n, left int) {
			if n < 0 || left < 0 || n == 0 && left > 0 {
				t.Errorf("%d written, %d left", n, left)
			}
			for _, room := range rooms {
				select {
				case room <- struct{}{}:
				default:
				}
			}
		},
	}
	p.tight(t, e, &engine.Options{Budget: 64 << 20, Unit: unitLen})
	var wg sync.WaitGroup
	for i, room := range rooms {
		wg.Go(func() {
			for at := 0; at < each; {
				var batch [][]byte
				for n := range min(each-at, 1+rand.IntN(10)) {
					batch = append(batch, numbered('a'+byte(i), at+n, rand.IntN(1<<rand.IntN(13))))
				}
				n := p.conn.Offer(bytes.Join(batch, nil), batch)
				if at += n; n < len(batch) {
					await(t, "Wrote", room)
				}
			}
		})
	}
	for i := range senders {
		wg.Go(func() {
			for n := range each {
				p.send(numbered('s'+byte(i), n, rand.IntN(1<<rand.IntN(10))))
				if n%10 == 0 {
					p.conn.Urge()
				}
				<-time.After(time.Duration(rand.IntN(100)) * time.Microsecond) // so that others have their turn
			}
		})
	}
	go func() {
		wg.Wait()
		p.conn.End(numbered('z', 0, 0), nil)
	}()
	next := map[byte]int{}
	for next['z'] == 0 {
		var head [9]byte
		if _, err := io.ReadFull(p.far, head[:]); err != nil {
			t.Fatalf("after %v: %v", next, err)
		}
		kind, number := head[4], int(binary.BigEndian.Uint32(head[5:]))
		body := make([]byte, unitLen(head[:])-len(head))
		if _, err := io.ReadFull(p.far, body); err != nil || bytes.Count(body, head[4:5]) != len(body) {
			t.Fatalf("after %v: a unit with another inside, %v", next, err)
		}
		if kind != '!' && number != next[kind] {
			t.Fatalf("after %v: %d of %q", next, number, kind)
		}
		next[kind]++
	}
	for kind, n := range next {
		if kind != '!' && kind != 'z' && n != each {
			t.Errorf("%d of %q", n, kind)
		}
	}
	_ = p.reason() // none
}

func offeredBehind(t *testing.T, e engine.Engine) {
	p := new(peer)
	room := p.rooms()
	p.tight(t, e, units)
	batch := [][]byte{unit('b', 100), unit('c', 100)}
	p.send(unit('a', 1<<20)) // more than the kernel keeps
	for range 3 {
		if n := p.conn.Offer(bytes.Join(batch, nil), batch); n != 0 {
			t.Errorf("%d taken while something waits", n)
		}
	}
	p.kinds("a")
	await(t, "Wrote with nothing left", room)
	p.offer(batch, room)
	p.kinds("bc")
	p.conn.Call(func(c engine.Conn) {
		p.send(unit('d', 10))
		if n := c.Offer(nil, batch[:1]); n != 0 {
			t.Errorf("%d taken before what a callback has sent", n)
		}
	})
	p.kinds("d")
	await(t, "Wrote with nothing left", room)
	p.offer(batch, room)
	p.kinds("bc")
}

func offeredOwed(t *testing.T, e engine.Engine) {
	for _, gives := range []string{"!", ""} {
		asked, leave := make(chan struct{}, 10), make(chan struct{})
		p := &peer{ahead: func(dst []byte) []byte {
			asked <- struct{}{}
			<-leave
			if gives != "" {
				dst = append(dst, unit('!', 10)...)
			}
			return dst
		}}
		steps := p.steps()
		p.adopt(t, e, units)
		p.conn.Urge()
		await(t, "Ahead", asked)
		if n := p.conn.Offer(nil, [][]byte{unit('a', 10)}); n != 0 {
			t.Errorf("%d taken while Ahead is asked", n)
		}
		close(leave)
		if s := await(t, "Wrote", steps); s != (step{}) {
			t.Errorf("Wrote of %d, %d left", s.n, s.left)
		}
		if n := p.conn.Offer(nil, [][]byte{unit('a', 10)}); n != 1 {
			t.Errorf("%d taken when there is room", n)
		}
		p.kinds(gives + "a")
	}
}

func offeredInWrote(t *testing.T, e engine.Engine) {
	const all, size = 3000, 251
	var taken []byte
	var mu sync.Mutex // Wrote comes alone, which the race detector need not be told
	p := &peer{wrote: func(c engine.Conn, _, left int) {
		if left > 0 {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for at := len(taken); at < all; at = len(taken) {
			var batch [][]byte
			for i := range min(40, all-at) {
				batch = append(batch, unit('a'+byte((at+i)%26), size))
			}
			n := c.Offer(bytes.Join(batch, nil), batch)
			for i := range n {
				taken = append(taken, batch[i][4])
			}
			if n < len(batch) {
				return
			}
		}
		c.End(unit('z', 10), nil)
	}}
	p.tight(t, e, units)
	p.send(unit('s', 10))
	p.kinds("s")
	want := make([]byte, all)
	for i := range want {
		want[i] = 'a' + byte(i%26)
	}
	p.kinds(string(want) + "z")
	_ = p.reason() // none
}

func offeredInCall(t *testing.T, e engine.Engine) {
	p := new(peer)
	p.data = func(c engine.Conn, b []byte) {
		if n := c.Offer(nil, [][]byte{bytes.Clone(b)}); n != 1 {
			t.Errorf("%d taken", n)
		}
		p.send(b)
	}
	p.adopt(t, e, units)
	for range 20 {
		if _, err := p.far.Write(unit('a', 10)); err != nil {
			t.Fatal(err)
		}
		p.kinds("aa")
		<-time.After(time.Millisecond) // until Wrote has returned
	}
}

func offeredBudget(t *testing.T, e engine.Engine) {
	const budget, size = 100, 1 << 20 // more than the kernel keeps
	p := new(peer)
	room := p.rooms()
	p.tight(t, e, &engine.Options{Budget: budget, Most: 1000})
	p.room(budget, []int{budget, 1000}, []int{1001})
	if n := p.conn.Offer(nil, [][]byte{unit('a', size)}); n != 1 {
		t.Fatalf("%d taken", n)
	}
	p.room(0, []int{0, 1000}, []int{1, budget})
	for size, want := range map[int]error{0: nil, 1: engine.ErrFull, budget: engine.ErrFull, 1001: engine.ErrTooLarge} {
		if err := p.conn.Send(make([]byte, size)); !errors.Is(err, want) {
			t.Errorf("Send of %d: %v", size, err)
		}
	}
	p.send(unit('b', 1000)) // one above the budget is taken
	p.room(0, []int{0}, []int{1, 1000})
	p.kinds("ab")
	await(t, "Wrote with nothing left", room)
	p.room(budget, []int{budget, 1000}, []int{1001})
}

func offeredEnd(t *testing.T, e engine.Engine) {
	p := urgent()
	p.tight(t, e, &engine.Options{Budget: 2 << 20, Unit: unitLen})
	big := unit('a', 1<<20) // more than the kernel keeps
	was := bytes.Clone(big)
	if n := p.conn.Offer(nil, [][]byte{big}); n != 1 {
		t.Fatalf("%d taken", n)
	}
	begun := p.read(1)
	p.send(unit('b', 10))
	p.conn.Urge()
	p.conn.End(unit('z', 10), nil)
	if got := kinds(t, io.MultiReader(bytes.NewReader(begun), p.far), 4); got != "a!bz" {
		t.Errorf("%q came", got)
	}
	if rest, err := p.rest(); len(rest) > 0 || err != nil {
		t.Errorf("then %q, %v", rest, err)
	}
	_ = p.reason() // none
	if !bytes.Equal(big, was) {
		t.Error("the unit has been changed")
	}
}

func offeredLate(t *testing.T, e engine.Engine) {
	for name, end := range map[string]func(p *peer){
		"End":   func(p *peer) { p.conn.End(unit('z', 10), nil) },
		"Abort": func(p *peer) { p.conn.Abort(nil) },
	} {
		p := new(peer)
		p.ending = func(c engine.Conn, _ error) {
			if n := c.Offer(nil, [][]byte{unit('a', 10)}); n != 0 {
				t.Errorf("%s: %d taken while it ends", name, n)
			}
		}
		p.wrote = func(_ engine.Conn, n, left int) { t.Errorf("%s: Wrote of %d, %d left", name, n, left) }
		p.adopt(t, e, units)
		end(p)
		for range 2 {
			if n := p.conn.Offer(nil, [][]byte{unit('a', 10)}); n != 0 {
				t.Errorf("%s: %d taken", name, n)
			}
			_ = p.far.Close()
			_ = p.reason() // none
			p.closed <- nil
		}
	}
}

// ones are units of one byte, which are never cut.
func ones(n int) (joined []byte, units [][]byte) {
	joined = bytes.Repeat([]byte{'1'}, n)
	for i := range joined {
		units = append(units, joined[i:i+1])
	}
	return joined, units
}

// keepsOffering has p.wrote offer more of the units whenever it may.
func (p *peer) keepsOffering(joined []byte, units [][]byte) (start func()) {
	offer := func(c engine.Conn) {
		for c.Offer(joined, units) == len(units) {
			continue
		}
	}
	p.wrote = func(c engine.Conn, _, left int) {
		if left == 0 {
			offer(c)
		}
	}
	return func() { offer(p.conn) }
}

func offeredStall(t *testing.T, e engine.Engine) {
	many, each := ones(256 << 10)
	for name, units := range map[string][][]byte{"one": {many}, "many": each} {
		p := new(peer)
		offer := p.keepsOffering(many, units)
		p.tight(t, e, &engine.Options{Budget: 100, Stall: 50 * time.Millisecond})
		offer()
		if err := p.reason(); !errors.Is(err, engine.ErrStalled) {
			t.Errorf("%s: reason: %v", name, err)
		}
	}
}

// offeredHolding offers with a lock that every callback takes.
func offeredHolding(t *testing.T, e engine.Engine) {
	for i := range 40 {
		var mu sync.Mutex
		ended := false
		takes := func() {
			mu.Lock()
			defer mu.Unlock()
		}
		p := &peer{
			wrote: func(engine.Conn, int, int) { takes() },
			ahead: func(dst []byte) []byte { takes(); return append(dst, unit('!', 10)...) },
		}
		p.hangup = func(c engine.Conn) { takes(); c.Abort(nil) }
		p.ending = func(engine.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			ended = true
		}
		p.tight(t, e, units)
		batch := [][]byte{unit('a', 2000), unit('b', 3000)}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for over := false; !over; {
				mu.Lock()
				p.conn.Offer(bytes.Join(batch, nil), batch)
				over = ended
				mu.Unlock()
				p.conn.Urge()
			}
		}()
		_ = kinds(t, p.far, i%8)
		if i%2 == 0 {
			_ = p.far.SetLinger(0) // so that Close resets
		}
		_ = p.far.Close()
		await(t, "the end", done)
		_ = p.reason() // gone
	}
}
