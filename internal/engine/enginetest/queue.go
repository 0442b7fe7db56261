package enginetest

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/leat-dev/leat/internal/buffer"
	"github.com/leat-dev/leat/internal/engine"
)

func inOrder(t *testing.T, e engine.Engine) {
	p := new(peer).adopt(t, e, &engine.Options{})
	var want bytes.Buffer
	for i := range 1000 {
		line := fmt.Appendln(nil, i)
		want.Write(line)
		p.send(line)
	}
	if got := p.read(want.Len()); !bytes.Equal(got, want.Bytes()) {
		t.Error("not what was sent")
	}
}

func given(t *testing.T, e engine.Engine) {
	const budget = 100
	g := new(peer)
	link := g.hold(t, e, &engine.Options{Budget: budget})
	give := func(size int) error {
		b := buffer.Get(size)
		b.B = append(b.B, bytes.Repeat([]byte{'g'}, size)...)
		err := g.conn.Give(b, false)
		if err != nil {
			if string(b.B) != strings.Repeat("g", size) {
				t.Error("what was refused is not as it was")
			}
			b.Free()
		}
		return err
	}
	if err := give(0); err != nil {
		t.Error(err)
	}
	if err := give(10); err != nil { // is being written from now on
		t.Error(err)
	}
	link.await()
	g.send([]byte("sss"))
	for size, want := range map[int]error{budget - 12: engine.ErrFull, budget + 1: engine.ErrTooLarge, 0: nil} {
		if err := give(size); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v, want %v", size, err, want)
		}
	}
	if err := give(budget - 13); err != nil {
		t.Error(err)
	}
	g.room(0, []int{0}, []int{1})
	link.open()
	if got, want := string(g.read(budget)), strings.Repeat("g", 10)+"sss"+strings.Repeat("g", budget-13); got != want {
		t.Errorf("%q", got)
	}
	g.conn.End(nil, nil)
	if err := give(1); !errors.Is(err, engine.ErrClosed) {
		t.Error(err)
	}
}

func heldBack(t *testing.T, e engine.Engine) {
	p := new(peer)
	link := p.hold(t, e, &engine.Options{})
	give := func(s string) {
		t.Helper()
		b := buffer.Get(len(s))
		b.B = append(b.B, s...)
		if err := p.conn.Give(b, true); err != nil {
			t.Error(err)
		}
	}
	give("back")
	p.send([]byte("sent")) // which writes both
	if n := link.await(); n != 8 {
		t.Errorf("%d bytes are written", n)
	}
	link.open()
	give("flush")
	p.conn.Flush()
	if got := string(p.read(13)); got != "backsentflush" {
		t.Errorf("%q", got)
	}
	give("end")
	p.conn.End([]byte("."), nil)
	if got, err := p.rest(); string(got) != "end." || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func whole(t *testing.T, e engine.Engine) {
	p := new(peer).adopt(t, e, &engine.Options{})
	const senders, times, size = 8, 200, 100
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for range times {
				p.send(bytes.Repeat([]byte{'a' + byte(i)}, size))
			}
		})
	}
	got := p.read(senders * times * size)
	wg.Wait()
	for len(got) > 0 {
		if !bytes.Equal(got[:size], bytes.Repeat(got[:1], size)) {
			t.Fatalf("mixed: %q", got[:size])
		}
		got = got[size:]
	}
}

func budget(t *testing.T, e engine.Engine) {
	const size = 64 << 10
	written := make(chan struct{}, 1)
	var taken atomic.Int64
	p := &peer{wrote: func(_ engine.Conn, n, left int) {
		taken.Add(int64(n))
		if left == 0 {
			select {
			case written <- struct{}{}:
			default:
			}
		}
	}}
	near, far := connect(t)
	_ = near.SetWriteBuffer(16 << 10) // so that the test needs not send megabytes
	_ = far.SetReadBuffer(16 << 10)
	p.over(t, e, near, far, &engine.Options{Budget: 4 * size})
	block := bytes.Repeat([]byte("b"), size)
	sent, refused := 0, 0
	for refused < 3 { // the kernel takes some between two of them
		switch err := p.conn.Send(block); {
		case err == nil:
			sent += size
			refused = 0
		case errors.Is(err, engine.ErrFull):
			refused++
			runtime.Gosched()
		default:
			t.Fatal(err)
		}
		if sent > 64*size {
			t.Fatal("no bound")
		}
	}
	p.read(sent) // all that was taken, and nothing of what was refused
	for taken.Load() != int64(sent) {
		await(t, "Wrote with nothing left", written)
	}
	p.send([]byte("!"))
	if got := p.read(1); got[0] != '!' {
		t.Errorf("got %q", got)
	}
}

func tooLarge(t *testing.T, e engine.Engine) {
	p := new(peer).adopt(t, e, &engine.Options{Budget: 100})
	if err := p.conn.Send(make([]byte, 101)); !errors.Is(err, engine.ErrTooLarge) {
		t.Errorf("Send: %v", err)
	}
	p.send([]byte("ok"))
	p.read(2)
}

// room holds what a connection says of its room against what it ought to be.
func (p *peer) room(want int, fits, not []int) {
	p.t.Helper()
	if n := p.conn.Room(); n != want {
		p.t.Errorf("room for %d, not %d", n, want)
	}
	for _, n := range fits {
		if !p.conn.Fits(n) {
			p.t.Errorf("%d do not fit", n)
		}
	}
	for _, n := range not {
		if p.conn.Fits(n) {
			p.t.Errorf("%d fit", n)
		}
	}
}

func above(t *testing.T, e engine.Engine) {
	p := new(peer)
	steps := p.steps()
	g := p.hold(t, e, &engine.Options{Budget: 100, Most: 1000})
	want := slices.Concat(bytes.Repeat([]byte("a"), 10), bytes.Repeat([]byte("b"), 1000), bytes.Repeat([]byte("c"), 90))
	p.room(100, []int{0, 100, 101, 1000}, []int{1001})
	p.send(want[:10])
	g.await()
	p.room(90, []int{90, 101, 1000}, []int{91, 100, 1001})
	p.send(want[10:1010])
	p.room(90, []int{90}, []int{91, 100, 101, 1000})
	for size, want := range map[int]error{101: engine.ErrFull, 1000: engine.ErrFull, 1001: engine.ErrTooLarge} {
		if err := p.conn.Send(make([]byte, size)); !errors.Is(err, want) {
			t.Errorf("Send of %d: %v", size, err)
		}
	}
	p.send(want[1010:])
	p.room(0, []int{0}, []int{1, 101})
	g.let()
	await(t, "Wrote", steps)
	g.await()
	p.room(10, []int{10}, []int{11, 101})
	g.open()
	if got := p.read(len(want)); !bytes.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for await(t, "Wrote", steps).left > 0 {
		continue
	}
	p.room(100, []int{100, 1000}, []int{1001})
}

// A step is what Wrote was told.
type step struct{ n, left int }

// steps has p.wrote tell its steps.
func (p *peer) steps() <-chan step {
	c := make(chan step, 1000)
	p.wrote = func(_ engine.Conn, n, left int) { c <- step{n, left} }
	return c
}

func partly(t *testing.T, e engine.Engine) {
	const budget, size = 100 << 10, 300 << 10
	p := new(peer)
	steps := p.steps()
	g := p.hold(t, e, &engine.Options{Budget: budget, Most: size})
	p.drain()
	p.send(make([]byte, size))
	for left := size; left > 0; {
		g.await()
		p.room(budget, []int{budget}, []int{budget + 1, size})
		g.let()
		s := await(t, "Wrote", steps)
		if s.n == 0 || s.left != left-s.n {
			t.Fatalf("%d written and %d left of %d", s.n, s.left, left)
		}
		left = s.left
	}
	p.room(budget, []int{budget, budget + 1, size}, []int{size + 1})
}

func progress(t *testing.T, e engine.Engine) {
	const budget = 256 << 10
	p := new(peer)
	steps := p.steps()
	g := p.hold(t, e, &engine.Options{Budget: budget})
	p.drain()
	p.send(make([]byte, budget))
	if n := g.await(); n > 64<<10 {
		t.Errorf("a write of %d bytes", n)
	}
	p.room(0, nil, []int{1})
	g.let()
	s := await(t, "Wrote", steps)
	g.await() // more is being written
	p.room(s.n, []int{s.n}, []int{s.n + 1})
	p.send(make([]byte, s.n))
	if err := p.conn.Send([]byte("x")); !errors.Is(err, engine.ErrFull) {
		t.Errorf("Send: %v", err)
	}
}

func told(t *testing.T, e engine.Engine) {
	var total atomic.Int64
	p := &peer{
		wrote: func(_ engine.Conn, n, left int) {
			if n <= 0 || left < 0 {
				t.Errorf("%d written, %d left", n, left)
			}
			total.Add(int64(n))
		},
		ahead: func(dst []byte) []byte { return append(dst, "urgent"...) },
	}
	p.adopt(t, e, &engine.Options{})
	sent := 0
	for i := range 100 {
		p.send(make([]byte, i*10))
		sent += i * 10
		p.conn.Urge()
	}
	p.drain()
	p.conn.End([]byte("last"), nil)
	_ = p.reason() // none
	if total.Load() != int64(sent) {
		t.Errorf("%d told of %d", total.Load(), sent)
	}
}

func noRoom(t *testing.T, e engine.Engine) {
	p := new(peer).adopt(t, e, &engine.Options{Most: 2 << 20})
	p.conn.End(nil, nil)
	p.room(0, nil, []int{0, 1, 2 << 20})
	_ = p.reason() // none
	p.room(0, nil, []int{0, 1, 2 << 20})
}

func anyParts(t *testing.T, e engine.Engine) {
	p := new(peer).adopt(t, e, &engine.Options{Budget: 16 << 20})
	var want []byte
	piece := func(size int) []byte {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(len(want) + i>>8)
		}
		want = append(want, b...)
		return b
	}
	for _, n := range []int{0, 1, 31, 32, 33, 100, 1000} {
		for _, size := range []int{0, 1, 700, 20 << 10} {
			var parts [][]byte
			for range min(n, 8<<20/(size+1)) {
				parts = append(parts, nil, piece(size))
			}
			if err := p.conn.SendParts(parts); err != nil {
				t.Fatal(err)
			}
			p.send(piece(10))
			if got := p.read(len(want)); !bytes.Equal(got, want) {
				t.Fatalf("%d parts of %d bytes are not what came", n, size)
			}
			want = want[:0]
		}
	}
}
