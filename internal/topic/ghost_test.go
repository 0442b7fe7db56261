package topic

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatIsKeptOfTopicsThatVanishIsBounded(t *testing.T) {
	var g ghosts
	for i := range 10_000 {
		l := &log{name: fmt.Sprint("t", i%3), count: int64(i + 1), lost: uint64(i + 1)} //nolint:gosec // small
		g.keep(l, 2)
		if back := (&log{name: fmt.Sprint("t", i%3)}); i%2 == 0 {
			g.raise(back)
			if back.count != l.count || back.lost != l.lost {
				t.Fatalf("%+v comes back as %+v", l, back)
			}
		}
		if len(g.of) > 2 || len(g.order) > 20 {
			t.Fatalf("%d topics are known, in %d places", len(g.of), len(g.order))
		}
	}
}

func TestAReaderForgetsTopicsThatVanish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub(Options{
			Encoders: []func(*Message) []byte{func(*Message) []byte { return []byte("m") }}, Pumps: 1,
			Rule: func(string) *Rule { return &Rule{Count: 10, Age: time.Second} },
		})
		sub, _ := h.Subscribe(Terms{Patterns: []string{">"}}, Start{})
		sub.Join(taker{}, taker{})
		for i := range 100 {
			if _, err := h.Publish([]Entry{{Topic: fmt.Sprint("t", i)}}, ""); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			time.Sleep(time.Minute) //nolint:forbidigo // in a bubble
		}
		synctest.Wait()
		p := h.pumps[0]
		p.work.Lock()
		if n, marks := len(h.logs), len(sub.v.place.marks); marks > n {
			t.Errorf("%d topics are left, and the marks of %d", n, marks)
		}
		p.work.Unlock()
		sub.Leave()
		h.Close()
		synctest.Wait()
	})
}

// A taker takes everything.
type taker struct{}

func (taker) Offer(_ []byte, units [][]byte) int { return len(units) }
func (taker) Drop(error)                         {}
