package engine

import (
	"math/rand/v2"
	"testing"
)

func TestABudgetHasRoomForWhatItSays(t *testing.T) {
	o := &Options{Budget: 100, Most: 1000}
	for _, row := range []struct {
		waiting int
		above   surplus
		room    int
		fit     []int
		not     []int
	}{
		{0, surplus{}, 100, []int{0, 1, 100, 101, 1000}, []int{1001}},
		{30, surplus{}, 70, []int{70, 101, 1000}, []int{71, 100, 1001}},
		{100, surplus{}, 0, []int{0, 101, 1000}, []int{1, 100, 1001}},
		{530, surplus{500, 30}, 70, []int{70}, []int{71, 101, 1000}},
		{501, surplus{1, 0}, 0, []int{0}, []int{1, 101, 1000}}, // the rest was offered
		{5000, surplus{}, 0, []int{0, 101, 1000}, []int{1, 100, 1001}},
	} {
		if room := o.room(row.waiting, row.above); room != row.room {
			t.Errorf("%d wait, %v: room for %d, want %d", row.waiting, row.above, room, row.room)
		}
		for _, n := range row.fit {
			if !o.fits(n, row.waiting, row.above) {
				t.Errorf("%d wait, %v: %d do not fit", row.waiting, row.above, n)
			}
		}
		for _, n := range row.not {
			if o.fits(n, row.waiting, row.above) {
				t.Errorf("%d wait, %v: %d fit", row.waiting, row.above, n)
			}
		}
	}
	if none := (&Options{Budget: 100}); none.fits(101, 0, surplus{}) || !none.fits(100, 0, surplus{}) {
		t.Error("without Most one above the budget is taken, or not all of the budget")
	}
}

// Sends come and bytes go by chance; each Send is kept apart to be counted.
func TestASurplusIsWhatIsLeftOfOneSend(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // no secret
	o := &Options{Budget: 100, Most: 300}
	var sends []int // what is left of each, the first to go first
	waiting, above := 0, surplus{}
	for range 100_000 {
		if n := random.IntN(350); o.fits(n, waiting, above) {
			if n > o.Budget {
				above = surplus{n, waiting}
			}
			sends, waiting = append(sends, n), waiting+n
		}
		gone := random.IntN(waiting + 1)
		waiting -= gone
		above.take(gone)
		for ; gone > 0 && gone >= sends[0]; sends = sends[1:] {
			gone -= sends[0]
		}
		if gone > 0 {
			sends[0] -= gone
		}
		sum := 0
		for _, n := range sends {
			sum += n
		}
		if sum != waiting || waiting-above.size > o.Budget || above.size < 0 || above.before < 0 {
			t.Fatalf("seed %d: %d wait, %v, of %v", seed, waiting, above, sends)
		}
		if above.size > 0 && !isOne(sends, above) {
			t.Fatalf("seed %d: %v is none of %v", seed, above, sends)
		}
	}
}

// isOne says whether there is such a Send behind so many bytes.
func isOne(sends []int, above surplus) bool {
	before := 0
	for _, n := range sends {
		if before == above.before && n == above.size {
			return true
		}
		before += n
	}
	return false
}
