package engine

import (
	"math/rand/v2"
	"testing"
)

// A bell is a timer that knows when it is due.
type bell struct {
	timer
	at   int64
	rung bool
}

func TestTimersAreDueAtTheirTickAndNotBefore(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		w := &wheel{now: rnd.Int64N(1 << 34)}
		bells := map[*timer]*bell{}
		last := w.now
		for range 300 {
			b := &bell{at: w.now + rnd.Int64N(1<<(1+rnd.IntN(30))) - 2}
			w.insert(&b.timer, b.at)
			bells[&b.timer] = b
			last = max(last, b.at)
		}
		for b := range bells { // some are moved, some taken out
			switch rnd.IntN(4) {
			case 0:
				w.remove(b)
				bells[b].rung = true
			case 1:
				w.remove(b)
				bells[b].at = w.now + rnd.Int64N(1<<20)
				last = max(last, bells[b].at)
				w.insert(b, bells[b].at)
			}
		}
		for w.now < last || w.due != nil {
			next, ok := w.next()
			if !ok {
				break
			}
			to := max(next, w.now+rnd.Int64N(1<<rnd.IntN(24)))
			w.turn(to)
			for p := w.pop(); p != nil; p = w.pop() {
				b := bells[p]
				if b.rung || b.at > w.now {
					t.Fatalf("rung twice, or %d early", b.at-w.now)
				}
				b.rung = true
			}
			for p, b := range bells {
				if !b.rung && b.at <= w.now {
					t.Fatalf("%d is %d late", b.at, w.now-b.at)
				}
				if b.rung && p.set() {
					t.Fatal("a timer that has rung is set")
				}
			}
		}
		for _, b := range bells {
			if !b.rung {
				t.Fatalf("%d never rang", b.at)
			}
		}
		if _, ok := w.next(); ok {
			t.Fatal("an empty wheel waits for something")
		}
	}
}

func TestAWheelSaysExactlyWhenItsNearestTimersAreDue(t *testing.T) {
	w := &wheel{now: 1000}
	var b [3]timer
	w.insert(&b[0], 1001)
	w.insert(&b[1], 1020)
	w.insert(&b[2], 5000)
	for _, want := range []int64{1001, 1020} {
		next, ok := w.next()
		if next != want || !ok {
			t.Errorf("next is %d, not %d", next, want)
		}
		w.turn(next)
		if w.pop() == nil || w.pop() != nil {
			t.Errorf("not one timer at %d", want)
		}
	}
	for turns := 0; w.due == nil; turns++ {
		next, _ := w.next()
		if next > 5000 || turns > wheelRings {
			t.Fatalf("after %d turns at %d", turns, next)
		}
		w.turn(next)
	}
	if w.now != 5000 {
		t.Errorf("due at %d", w.now)
	}
}

func TestATimerBeyondTheWheelIsPoppedInTime(t *testing.T) {
	w := &wheel{}
	b := &timer{}
	w.insert(b, wheelMost*10)
	w.turn(wheelMost + 1)
	if w.pop() != b {
		t.Error("it is lost")
	}
}

func BenchmarkSetAndTakeOutAmongAMillion(b *testing.B) {
	for _, n := range []int{10, 1 << 20} {
		b.Run("", func(b *testing.B) {
			w, all := &wheel{}, make([]timer, n)
			for i := range all {
				w.insert(&all[i], int64(20_000+i%10_000))
			}
			i := 0
			for b.Loop() {
				t := &all[i%n]
				w.remove(t)
				w.insert(t, int64(20_000+i%10_000))
				i += 7919
			}
		})
	}
}
