package site

import (
	"math"
	"sync"
	"time"
)

// window is the shortest time that rates are averaged over. The kernel counts
// processor time in steps of 10 ms: over less than this the steps show.
const window = 400 * time.Millisecond

// A reading is what the machine's counters said at one moment. What this
// system does not tell is nil. Readings are shared and never changed.
type reading struct {
	at      time.Time
	uptime  time.Duration
	cores   map[string]busy // by name of the core
	load    []float64       // over 1, 5 and 15 minutes
	memory  *memory
	network map[string]flow // by name of the interface
	disk    map[string]flow // by name of the disk
	process uint64          // resident bytes of this process
}

// busy is processor time since boot, in seconds.
type busy struct {
	order       int
	used, whole float64
}

// flow is bytes since boot, to this machine and away from it.
type flow struct{ in, out uint64 }

type memory struct {
	Total     uint64 `json:"total"`
	Used      uint64 `json:"used"`
	Available uint64 `json:"available"`
	SwapTotal uint64 `json:"swapTotal"`
	SwapUsed  uint64 `json:"swapUsed"`
}

// A sampler reads the machine when a stream asks, and lets streams that ask at
// about the same time share a reading. It has no goroutine: while nobody
// watches, nothing is read. Its methods may be called from any goroutine.
type sampler struct {
	read func() *reading
	now  func() time.Time

	mu      sync.Mutex
	history []*reading // oldest first: those of the last window, and one before
}

// newSampler returns a sampler that has a first reading already.
func newSampler(read func() *reading, now func() time.Time) *sampler {
	s := &sampler{read: read, now: now}
	s.history = []*reading{s.fresh()}
	return s
}

func (s *sampler) fresh() *reading {
	r := s.read()
	r.at = s.now()
	return r
}

// watch returns the source of one stream's records. Its rates run from record
// to record, whatever the intervals of other streams are.
func (s *sampler) watch(every time.Duration) func() *status {
	maxAge := min(max(every/10, 10*time.Millisecond), 100*time.Millisecond)
	var prev *reading
	return func() *status {
		current, base := s.take(prev, maxAge)
		prev = current
		return newStatus(base, current)
	}
}

// take returns a reading at most maxAge old that is not prev, and the one to
// compute rates from: prev where that is at least a window old, else the shared
// one whose age is nearest to the window. A nil prev means a new stream.
func (s *sampler) take(prev *reading, maxAge time.Duration) (current, base *reading) {
	s.mu.Lock()
	defer s.mu.Unlock()

	current = s.history[len(s.history)-1]
	if current == prev || len(s.history) == 1 || s.now().Sub(current.at) > maxAge {
		current = s.fresh()
		s.history = append(s.history, current)
		s.trim(current)
	}
	if prev != nil && current.at.Sub(prev.at) >= window {
		return current, prev
	}
	return current, s.nearest(current)
}

// trim forgets what lies before the newest reading that is a window old.
func (s *sampler) trim(current *reading) {
	first := 0
	for i, r := range s.history {
		if current.at.Sub(r.at) >= window {
			first = i
		}
	}
	n := copy(s.history, s.history[first:])
	clear(s.history[n:])
	s.history = s.history[:n]
}

func (s *sampler) nearest(current *reading) *reading {
	var best *reading
	off := time.Duration(math.MaxInt64)
	for _, r := range s.history {
		if r == current {
			continue
		}
		if d := (current.at.Sub(r.at) - window).Abs(); d < off {
			best, off = r, d
		}
	}
	return best
}
