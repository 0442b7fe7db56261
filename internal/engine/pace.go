package engine

import (
	"sync/atomic"
	"time"
)

// A pace is what has been seen of callbacks that are alike: whether they take
// their time. Those that do not are run by the loop that has read for them, and
// those that do by goroutines of their own, so that a loop is not held up by each
// of them anew.
type pace struct {
	mean atomic.Int64 // nanoseconds of a callback, of late
	slow atomic.Bool
}

// Between the two a pace stays what it is. A goroutine costs about a microsecond
// more than no goroutine.
const (
	quickCall = 50 * time.Microsecond
	slowCall  = 200 * time.Microsecond
)

// note takes down how long a callback took, for which so many bytes had come: a
// nanosecond for each of them is work, and would be on any goroutine. One that was
// only interrupted does not make a pace slow: it counts as a few of the slowest.
func (p *pace) note(took time.Duration, bytes int) {
	took = max(0, took-time.Duration(bytes))
	if took < quickCall && !p.slow.Load() {
		return
	}
	mean := p.mean.Load()
	mean += (min(int64(took), 4*int64(slowCall)) - mean) / 8
	p.mean.Store(mean)
	switch {
	case mean > int64(slowCall):
		p.slow.Store(true)
	case mean < int64(quickCall):
		p.slow.Store(false)
	}
}

// blocks takes down that a callback has been found waiting.
func (p *pace) blocks() {
	p.mean.Store(4 * int64(slowCall))
	p.slow.Store(true)
}
