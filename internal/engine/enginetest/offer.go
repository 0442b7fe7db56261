package enginetest

import (
	"bytes"
	"encoding/binary"
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
