//go:build amd64 || arm64

package engine_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/engine"
)

// readMost and writeMost are what one connection may read or write before others
// have their turn.
const (
	readMost  = 256 << 10
	writeMost = 256 << 10
)

// A held loop does nothing until it is let go, so that a test can have all that
// it needs in its place.
type held struct {
	t     *testing.T
	e     *engine.Loops
	leave chan struct{}
}

func hold(t *testing.T) *held {
	t.Helper()
	h := &held{t, engine.NewLoops(1, nil), make(chan struct{})}
	near, _ := pair(t)
	in := make(chan struct{})
	c := h.e.Adopt(near, nil, &script{alarm: func(engine.Conn) {
		close(in)
		<-h.leave // an alarm runs on the loop, whatever it does
	}}, &engine.Options{Budget: 100})
	c.SetAlarm(time.Now())
	await(t, "Alarm", in)
	t.Cleanup(h.e.Close)
	return h
}

// A ledger says which connection had how many bytes, turn by turn.
type ledger struct {
	mu    sync.Mutex
	turns []turn
	more  chan struct{}
}

type turn struct{ conn, n int }

func (l *ledger) note(conn, n int) {
	l.mu.Lock()
	l.turns = append(l.turns, turn{conn, n})
	l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// await waits until each of so many connections has had so many bytes.
func (l *ledger) await(t *testing.T, want map[int]int) []turn {
	t.Helper()
	for {
		l.mu.Lock()
		turns := l.turns[:len(l.turns):len(l.turns)]
		l.mu.Unlock()
		had := map[int]int{}
		for _, turn := range turns {
			had[turn.conn] += turn.n
		}
		missing := false
		for conn, n := range want {
			missing = missing || had[conn] < n
		}
		if !missing {
			return turns
		}
		await(t, fmt.Sprint("more than ", had, " of ", want), l.more)
	}
}

func TestWhoFloodsALoopLeavesTheOthersTheirTurns(t *testing.T) {
	t.Parallel()
	const others, size = 5, 100_000 // which takes more than one turn
	for name, own := range map[string][]byte{"into the loop's memory": nil, "into its own": make([]byte, 8<<20)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := hold(t)
			l := &ledger{more: make(chan struct{}, 1)}
			var fars [others + 1]net.Conn
			for i := range fars {
				near, far := unixPair(t) // what is written is there at once
				fars[i] = far
				s := &script{data: func(_ engine.Conn, b []byte) { l.note(i, len(b)) }}
				if i == 0 {
					s.into = func() []byte { return own }
				}
				h.e.Adopt(near, nil, s, &engine.Options{Budget: 100})
			}
			want := map[int]int{}
			for i := 1; i < len(fars); i++ {
				want[i] = size
				if _, err := fars[i].Write(make([]byte, size)); err != nil {
					t.Fatal(err)
				}
			}
			full := make(chan struct{})
			go func() {
				for b, sent := make([]byte, 64<<10), 0; ; {
					n, err := fars[0].Write(b)
					if err != nil {
						return
					}
					if sent += n; sent == 2*len(b) {
						close(full) // it floods already
					}
				}
			}()
			await(t, "the flood", full)
			close(h.leave)
			turns := l.await(t, want)
			_ = fars[0].Close() // it may still be written to
			left, flood := map[int]int{}, map[int]int{}
			for i := range want {
				left[i] = size
			}
			for _, turn := range turns {
				if turn.n > readMost {
					t.Errorf("%d had %d bytes in one turn", turn.conn, turn.n)
				}
				left[turn.conn] -= turn.n
				for i := range want {
					switch {
					case turn.conn == i:
						flood[i] = 0
					case turn.conn == 0 && left[i] > 0:
						if flood[i] += turn.n; flood[i] > readMost {
							t.Fatalf("%d bytes of the flood between two turns of %d", flood[i], i)
						}
					}
				}
			}
		})
	}
}

func TestALargeAnswerLeavesTheOthersTheirTurns(t *testing.T) {
	t.Parallel()
	const size = 24 << 20
	h := hold(t)
	l := &ledger{more: make(chan struct{}, 1)}
	near, far := pair(t)
	go func() { _, _ = io.Copy(io.Discard, far) }() // to its end
	large := h.e.Adopt(near, nil, &script{wrote: func(_ engine.Conn, n, _ int) { l.note(0, n) }}, &engine.Options{Budget: size})
	want := map[int]int{0: size}
	for i := 1; i <= 3; i++ {
		near, far := pair(t)
		h.e.Adopt(near, nil, &script{data: func(_ engine.Conn, b []byte) { l.note(i, len(b)) }}, &engine.Options{Budget: 100})
		write(t, far, "x")
		want[i] = 1
	}
	if err := large.Send(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	close(h.leave)
	written := 0
	for _, turn := range l.await(t, want) {
		if turn.conn == 0 {
			written += turn.n
		} else if written > 4*writeMost { // it may come a few turns late: what is sent is there after a while
			t.Errorf("%d bytes are written before %d has its turn", written, turn.conn)
		}
	}
}

func TestCallsWithoutEndLeaveTheOthersTheirTurns(t *testing.T) {
	t.Parallel()
	h := hold(t)
	l := &ledger{more: make(chan struct{}, 1)}
	near, _ := pair(t)
	var again func(c engine.Conn)
	again = func(c engine.Conn) {
		l.note(0, 1)
		c.Call(again)
	}
	endless := h.e.Adopt(near, nil, &script{}, &engine.Options{Budget: 100})
	endless.Call(again)
	near, far := unixPair(t)
	h.e.Adopt(near, nil, &script{data: func(_ engine.Conn, b []byte) { l.note(1, len(b)) }}, &engine.Options{Budget: 100})
	write(t, far, "x")
	close(h.leave)
	for i, turn := range l.await(t, map[int]int{1: 1}) {
		if turn.conn == 1 {
			break
		}
		if i > 2 {
			t.Fatal("calls and nothing else")
		}
	}
	endless.Abort(nil)
}

// drained is a Wrote that tells when nothing is left, which is after the write has
// been counted.
func drained() (wrote func(engine.Conn, int, int), empty chan struct{}) {
	empty = make(chan struct{}, 1)
	return func(_ engine.Conn, _, left int) {
		if left == 0 {
			select {
			case empty <- struct{}{}:
			default:
			}
		}
	}, empty
}

func TestMessagesThatArriveTogetherAreOneReadAndOneWrite(t *testing.T) {
	t.Parallel()
	const messages, size, times = 16, 64, 50
	e := engine.NewLoops(1, nil)
	t.Cleanup(e.Close)
	wrote, empty := drained()
	near, far := pair(t)
	e.Adopt(near, nil, &script{wrote: wrote, data: func(c engine.Conn, b []byte) {
		for ; len(b) >= size; b = b[size:] {
			if err := c.Send(b[:size]); err != nil {
				t.Error(err)
			}
		}
	}}, &engine.Options{Budget: 1 << 20})
	more := 0
	for range times {
		select {
		case <-empty: // of an answer in two writes
		default:
		}
		before := e.Counts()
		write(t, far, strings.Repeat("m", messages*size))
		readFull(t, far, messages*size)
		await(t, "Wrote with nothing left", empty)
		after := e.Counts()
		if after.Reads-before.Reads != 1 || after.Writes-before.Writes != 1 {
			more++
		}
	}
	if more > times/10 { // where a callback was interrupted for long
		t.Errorf("%d of %d times it was not one read and one write", more, times)
	}
}

func TestARecordIsOneWrite(t *testing.T) {
	t.Parallel()
	e := engine.NewLoops(1, nil)
	t.Cleanup(e.Close)
	wrote, empty := drained()
	near, far := pair(t)
	c := e.Adopt(near, nil, &script{wrote: wrote}, &engine.Options{Budget: 1 << 20})
	for _, size := range []int{1, 100, 1 << 10, 20 << 10} {
		record := make([]byte, size)
		for name, send := range map[string]func() error{
			"Send":       func() error { return c.Send(record) },
			"SendBehind": func() error { return c.SendBehind(engine.Head{N: 1}, record[1:]) },
			"SendParts":  func() error { return c.SendParts([][]byte{record[:1], record[1:]}) },
		} {
			before := e.Counts().Writes
			if err := send(); err != nil {
				t.Fatal(err)
			}
			readFull(t, far, size)
			await(t, "Wrote with nothing left", empty)
			if n := e.Counts().Writes - before; n != 1 {
				t.Errorf("%s of %d bytes: %d writes", name, size, n)
			}
		}
	}
}
