package cli

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestBucketsFollowOneAnotherWithoutAGap(t *testing.T) {
	for b := range 58 << bucketBits {
		start, next := bucketStart(b), bucketStart(b+1)
		if next <= start || bucketOf(start) != b || bucketOf(next-1) != b {
			t.Fatalf("bucket %d is from %d to %d, which are in %d and %d", b, start, next-1, bucketOf(start), bucketOf(next-1))
		}
	}
	if b := bucketOf(math.MaxInt64); b >= len(new(histogram).buckets) {
		t.Errorf("the greatest duration is in bucket %d", b)
	}
}

func TestQuantilesAreRightToWithinTwoPercent(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h histogram
	var all []float64
	for range 20000 {
		d := math.Exp(random.Float64()*18) * 100 // 100 ns to 6.6 s
		all = append(all, math.Floor(d))
		h.add(time.Duration(d))
	}
	slices.Sort(all)
	for _, part := range []float64{0.001, 0.1, 0.5, 0.9, 0.99, 0.999} {
		got, want := float64(h.quantile(part)), all[int(part*20000)-1]
		if math.Abs(got-want) > want*0.02 {
			t.Errorf("quantile %v: %v, want %v", part, got, want)
		}
	}
	if least, most := float64(h.least()), float64(h.most()); least != all[0] || most != all[19999] {
		t.Errorf("from %v to %v, want from %v to %v", least, most, all[0], all[19999])
	}
}

func TestAnEmptyHistogramHasNothing(t *testing.T) {
	var h histogram
	if h.least() != 0 || h.most() != 0 || h.quantile(0.5) != 0 || h.rows() != nil {
		t.Errorf("%v %v %v %v", h.least(), h.most(), h.quantile(0.5), h.rows())
	}
}

func TestAQuantileIsNeverBeyondWhatWasCounted(t *testing.T) {
	var h histogram
	h.add(1000003)
	h.add(-5)
	if h.least() != 0 || h.quantile(0.5) != 0 || h.quantile(0.99) != 1000003 || h.most() != 1000003 {
		t.Errorf("%v %v %v %v", h.least(), h.quantile(0.5), h.quantile(0.99), h.most())
	}
}

func TestRowsEndAtOneTwoAndFive(t *testing.T) {
	var h histogram
	for _, d := range []time.Duration{1500, 3 * time.Microsecond, 4 * time.Microsecond, 40 * time.Microsecond} {
		h.add(d)
	}
	want := []histogramRow{
		{2 * time.Microsecond, 1},
		{5 * time.Microsecond, 2},
		{10 * time.Microsecond, 0},
		{20 * time.Microsecond, 0},
		{50 * time.Microsecond, 1},
	}
	if got := h.rows(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestHistogramsAreAddedWhileTheyGrow(t *testing.T) {
	var parts [4]histogram
	var done sync.WaitGroup
	for i := range parts {
		done.Go(func() {
			for d := range 1000 {
				parts[i].add(time.Duration(d + 1))
			}
		})
	}
	var sum histogram
	sum.addAll(&parts[0]) // whatever it has by now
	done.Wait()
	sum = histogram{}
	for i := range parts {
		sum.addAll(&parts[i])
	}
	if sum.count.Load() != 4000 || sum.least() != 1 || sum.most() != 1000 {
		t.Errorf("%d from %v to %v", sum.count.Load(), sum.least(), sum.most())
	}
}
