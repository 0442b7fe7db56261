package topic

import (
	"time"
)

// Stats are numbers about some topics and their readers.
type Stats struct {
	Readers   map[Encoding]int // that have one of the topics
	Rate      float64          // messages a second, averaged over ten
	Published int64            // since the topics began
	Kept      int              // messages for who comes later
	Bytes     int64            // counted for all that are still there
	Lag       uint64           // how many numbers the slowest reader is behind the last of the topics
	Pinned    int64            // bytes of messages that slow readers hold a part of, each once
}

// Stats answers the numbers of the topics that some terms name.
func (h *Hub) Stats(t Terms) Stats {
	s := Stats{Readers: map[Encoding]int{}}
	views := map[*view]bool{}
	now := time.Now()
	last := uint64(0)
	h.mu.Lock()
	for l := range h.of(&t) {
		s.Rate += l.recent.now(now)
		s.Published += l.count
		s.Kept += min(len(l.kept), l.rule.Count)
		s.Bytes += l.bytes
		if n := len(l.kept); n > 0 {
			last = max(last, l.kept[n-1].Seq)
		} else {
			last = max(last, l.lost)
		}
		for _, v := range l.views {
			views[v] = true
		}
	}
	for _, name := range t.Patterns {
		for _, v := range h.exact[name] { // of a topic that is not yet
			views[v] = true
		}
	}
	for v := range views {
		s.Readers[v.terms.Encoding] += v.readers
	}
	h.mu.Unlock()
	held := map[*frame]bool{}
	for v := range views {
		v.measure(&s, last, held)
	}
	for f := range held {
		s.Pinned += int64(len(f.bytes))
	}
	return s
}

// measure adds what is known of slow readers, and the frames that they hold.
func (v *view) measure(s *Stats, last uint64, held map[*frame]bool) {
	v.pump.work.Lock()
	defer v.pump.work.Unlock()
	for sub := range v.behind {
		if sub.place != nil && sub.place.cursor < last {
			s.Lag = max(s.Lag, last-sub.place.cursor)
		}
		if sub.held != nil {
			held[sub.held] = true
		}
	}
	for _, sub := range v.current {
		if sub.held != nil {
			held[sub.held] = true
		}
	}
}

// Counts are what a hub has done so far.
type Counts struct {
	Steps     int64 // of publishing: messages put in, taken out, and pumps told
	Encodings int64 // made
	Topics    int
	Readers   int64
	Bytes     int64 // that are kept, with what slow readers hold
}

// Counts answers the counts as they stand.
func (h *Hub) Counts() Counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Counts{
		Steps: h.steps, Encodings: h.encodings.Load(), Topics: len(h.logs), Readers: h.readers.Load(),
		Bytes: h.bytes + h.pinned,
	}
}
