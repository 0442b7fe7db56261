package load

import "math/bits"

// A histogram counts latencies log-linearly: 32 buckets for each power of two,
// so that a quantile is read to within 3 %.
type histogram struct {
	buckets [64 * 32]int64
	count   int64
	max     int64
}

func bucketOf(v int64) int {
	if v < 32 {
		return int(max(v, 0))
	}
	shift := bits.Len64(uint64(v)) - 6
	return (shift+1)<<5 + int(v>>shift)&31
}

func bucketValue(b int) int64 {
	if b < 32 {
		return int64(b)
	}
	return (32 + int64(b&31)) << (b>>5 - 1)
}

func (h *histogram) add(v int64) {
	h.buckets[bucketOf(v)]++
	h.count++
	h.max = max(h.max, v)
}

// quantile answers in the unit that was added.
func (h *histogram) quantile(q float64) int64 {
	left := int64(q * float64(h.count))
	for i, n := range h.buckets {
		if left -= n; left < 0 {
			return bucketValue(i)
		}
	}
	return h.max
}
