package enginetest

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/engine"
)

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

func offeredClosed(t *testing.T, e engine.Engine) {
	p := new(peer)
	p.tight(t, e, &engine.Options{Budget: 2 << 20, Unit: unitLen})
	told := make(chan int, 100)
	p.wrote = func(c engine.Conn, _, left int) {
		if n := c.Offer(nil, [][]byte{unit('x', 10)}); n != 0 {
			t.Errorf("%d taken from Wrote", n)
		}
		told <- left
	}
	if n := p.conn.Offer(nil, [][]byte{unit('a', 1<<20)}); n != 1 { // more than the kernel keeps
		t.Fatalf("%d taken", n)
	}
	p.conn.CloseOffers()
	for range 2 {
		if n := p.conn.Offer(nil, [][]byte{unit('x', 10)}); n != 0 {
			t.Errorf("%d taken", n)
		}
	}
	p.send(unit('s', 10))
	if got := kinds(t, p.far, 2); got != "as" {
		t.Errorf("%q came", got)
	}
	for left := 1; left > 0; { // and then nobody waits to be told
		left = await(t, "Wrote", told)
	}
	if n := p.conn.Offer(nil, [][]byte{unit('x', 10)}); n != 0 {
		t.Errorf("%d taken while nothing waits", n)
	}
	p.conn.End(unit('z', 10), nil)
	if got := kinds(t, p.far, 1); got != "z" {
		t.Errorf("then %q", got)
	}
	_ = p.far.Close()
	_ = p.reason() // none
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
