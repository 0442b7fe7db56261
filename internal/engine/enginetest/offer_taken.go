package enginetest

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/engine"
)

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
