package topic

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// What a log says of the messages that it does not keep is what one finds who has
// kept them all.
func TestALogKnowsWhatItHasDropped(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // no secret
	for range 20 {
		rule := &Rule{Count: windowLeast + random.IntN(50), Bytes: int64(random.IntN(2)) * 20_000}
		h := NewHub(Options{Rule: func(string) *Rule { return rule }})
		events, keys := 1+random.IntN(4), 1+random.IntN(1<<random.IntN(8))
		var all []*Message
		for range 100 + random.IntN(2*goneMost) {
			e := Entry{"a", Draft{
				Event: fmt.Sprint("e", random.IntN(events)), Key: fmt.Sprint("k", min(random.IntN(keys), random.IntN(keys))),
				Data: make([]byte, random.IntN(1000)),
			}}
			if _, err := h.Publish([]Entry{e}, ""); err != nil {
				t.Fatal(err)
			}
			kept := h.logs["a"].kept
			all = append(all, kept[len(kept)-1])
		}
		l := h.logs["a"]
		for range 200 {
			since := random.Uint64N(h.seq + 1)
			terms := &Terms{Filtered: random.IntN(2) == 0}
			for e := range events {
				if random.IntN(2) == 0 {
					terms.Events = append(terms.Events, fmt.Sprint("e", e))
				}
			}
			latest := random.IntN(2) == 0
			var want int64
			for i, m := range all {
				if m.Seq > since && m.dropped && terms.wants(m.Event) && (!latest || !slices.ContainsFunc(all[i+1:], func(o *Message) bool { return o.Key == m.Key && terms.wants(o.Event) })) {
					want++
				}
			}
			n, exact := l.dropped(since, terms, latest)
			recent := l.first()-1-int64(goneMost/2) <= int64(since) //nolint:gosec // small
			if exact && n != want || n > want || recent && !exact {
				t.Errorf("seed %d: since %d of %d, %d are kept, %+v, latest %v: %d are missing, and it says %d, %v", seed, since, h.seq, len(l.kept), *terms, latest, want, n, exact)
			}
		}
		h.Close()
	}
}
