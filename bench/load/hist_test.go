package load

import "testing"

func TestQuantilesAreWithinThreePercent(t *testing.T) {
	var h histogram
	for v := range int64(100_000) {
		h.add(v)
	}
	for q, want := range map[float64]float64{0: 0, .001: 100, .5: 50_000, .99: 99_000, 1: 99_999} {
		if got := float64(h.quantile(q)); got < want*.965 || got > want*1.035 {
			t.Errorf("%v: %v, want %v", q, got, want)
		}
	}
	if h.max != 99_999 {
		t.Error(h.max)
	}
}
