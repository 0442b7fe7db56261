package cli

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A histogram counts durations in buckets, 32 for each power of two, so that a
// quantile is right to within 2 %. Its methods may be called from any goroutine;
// the zero histogram is empty.
type histogram struct {
	buckets [1 << 6 * 32]atomic.Int64
	count   atomic.Int64
	max     atomic.Int64
	above   atomic.Int64 // how far the least is below the greatest int64: 0 when there is none
}

const bucketBits = 5

// bucketOf is the bucket of a duration. Those below 64 ns have one each.
func bucketOf(d int64) int {
	if d < 1<<bucketBits {
		return int(max(d, 0))
	}
	shift := bits.Len64(uint64(d)) - bucketBits - 1
	return shift<<bucketBits + int(d>>shift)
}

// bucketStart is the least duration of a bucket.
func bucketStart(b int) int64 {
	if b < 1<<bucketBits {
		return int64(b)
	}
	shift := b>>bucketBits - 1
	return int64(b-shift<<bucketBits) << shift
}

// middle is the duration that stands for a bucket.
func middle(b int) int64 { return (bucketStart(b) + bucketStart(b+1) - 1) / 2 }

// add counts a duration; one that is negative counts as none.
func (h *histogram) add(d time.Duration) {
	v := max(0, int64(d))
	h.buckets[bucketOf(v)].Add(1)
	h.count.Add(1)
	raise(&h.max, v)
	raise(&h.above, 1<<63-1-v)
}

// raise makes a at least v.
func raise(a *atomic.Int64, v int64) {
	for old := a.Load(); v > old && !a.CompareAndSwap(old, v); old = a.Load() {
	}
}

// addAll adds what other holds.
func (h *histogram) addAll(other *histogram) {
	for i := range other.buckets {
		if n := other.buckets[i].Load(); n > 0 {
			h.buckets[i].Add(n)
		}
	}
	h.count.Add(other.count.Load())
	raise(&h.max, other.max.Load())
	raise(&h.above, other.above.Load())
}

// least is the least duration, 0 when there is none.
func (h *histogram) least() time.Duration {
	if h.count.Load() == 0 {
		return 0
	}
	return time.Duration(1<<63 - 1 - h.above.Load())
}

// most is the greatest duration, 0 when there is none.
func (h *histogram) most() time.Duration { return time.Duration(h.max.Load()) }

// quantile is the least duration that so large a part does not exceed: 0.5 is
// the median. It is 0 when there is none.
func (h *histogram) quantile(part float64) time.Duration {
	count := h.count.Load()
	left := max(1, int64(part*float64(count)+0.999999))
	for i := range h.buckets {
		if left -= h.buckets[i].Load(); left <= 0 {
			return min(max(time.Duration(middle(i)), h.least()), h.most())
		}
	}
	return h.most()
}

// A histogramRow is how many durations lie below a bound, and not below that of
// the row before.
type histogramRow struct {
	below time.Duration
	count int64
}

// rows groups the durations by bounds of 1, 2 and 5 times a power of ten, from
// the first that counts some to the last.
func (h *histogram) rows() []histogramRow {
	var rows []histogramRow
	below, step := time.Duration(1), 0
	row := histogramRow{below: below}
	for i := range h.buckets {
		n := h.buckets[i].Load()
		if n == 0 {
			continue
		}
		for time.Duration(middle(i)) >= row.below {
			if row.count > 0 || len(rows) > 0 {
				rows = append(rows, row)
			}
			below, step = nextBound(below, step)
			row = histogramRow{below: below}
		}
		row.count += n
	}
	if row.count > 0 {
		rows = append(rows, row)
	}
	return rows
}

// nextBound goes from 1 to 2, from 2 to 5 and from 5 to 10.
func nextBound(d time.Duration, step int) (time.Duration, int) {
	if step == 1 {
		return d / 2 * 5, 2
	}
	return d * 2, (step + 1) % 3
}
