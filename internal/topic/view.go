package topic

import (
	"iter"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/leat-dev/leat/internal/pattern"
)

// Terms are what a reader asks for. Readers with the same ones share the work of
// finding what comes next.
type Terms struct {
	Encoding Encoding
	Patterns []string // names, or patterns of names
	Events   []string // that are wanted; none: all
	MaxRate  float64  // messages of a key a second; 0: all
	Filtered bool     // by Events, even where there are none
	// Heartbeat is how long nothing may go out; 0: for ever.
	Heartbeat time.Duration
	// Grant is what the reader may see by its token: patterns. See Options.May.
	Grant []string
	// Trusted readers see every topic.
	Trusted bool
}

// wants says whether messages with an event name are asked for.
func (t *Terms) wants(event string) bool { return !t.Filtered || slices.Contains(t.Events, event) }

// A view is what readers with the same terms see, of one pump. Those that are up
// to date share a place.
type view struct {
	pump  *pump
	key   string
	terms Terms

	// The hub's mu guards these.
	logs    map[*log]mark // as they were when they became the view's
	touched map[*log]mark // of them, those that have had messages since the pump looked
	readers int
	watches []*watch // of the topics that it sees

	// The pump's work guards these.
	place   place
	current []*Sub
	behind  map[*Sub]struct{}
	ahead   []*Sub        // of them, those that wait until the others are where they are
	every   time.Duration // between two looks; 0: at once
	due     time.Time     // of the next look, where one is
	queued  bool          // it is among those to look at
	told    uint64        // the last position that went out

	last *frame // that has gone out to those who are up to date, who may hold a part of it

	sent  atomic.Int64 // bytes, to each that is up to date
	moved atomic.Int64 // when something last was, since the hub began
}

// A place is how far a reader, or all that are up to date, has come.
type place struct {
	cursor uint64
	marks  map[*log]mark // those of the view's logs that have moved
	latest uint64        // up to there the latest of each key is enough
}

// A mark is how far that is in one log.
type mark struct {
	count  int64  // its messages so far
	unsure bool   // they may be fewer
	from   uint64 // what it had lost up to there is not missed
}

// clone is a place of one's own.
func (p *place) clone() place {
	c := *p
	c.marks = maps.Clone(p.marks)
	return c
}

// of is the mark of a log, which was since when it became the view's.
func (p *place) of(l *log, since mark) mark {
	if m, ok := p.marks[l]; ok {
		return m
	}
	return since
}

// set sets the mark of a log.
func (p *place) set(l *log, m mark) {
	if p.marks == nil {
		p.marks = map[*log]mark{}
	}
	p.marks[l] = m
}

// add makes l one of the view's. It is called with the hub's mu held, as are all
// that follow.
func (v *view) add(l *log) {
	if _, has := v.logs[l]; has {
		return
	}
	v.logs[l] = mark{count: l.count, from: l.lost}
	l.views = append(l.views, v)
	l.pumps |= 1 << v.pump.index
	if slices.Contains(v.terms.Patterns, l.name) {
		l.named++
	}
}

// remove ends that.
func (v *view) remove(l *log) {
	if _, has := v.logs[l]; !has {
		return
	}
	delete(v.logs, l)
	delete(v.touched, l)
	l.views = slices.DeleteFunc(l.views, func(o *view) bool { return o == v })
	l.pumps = 0
	for _, o := range l.views {
		l.pumps |= 1 << o.pump.index
	}
	if slices.Contains(v.terms.Patterns, l.name) {
		l.named--
	}
}

// enlist has the view see the topics that are, and those that come.
func (h *Hub) enlist(v *view) {
	for _, p := range v.terms.Patterns {
		switch {
		case !pattern.Wild(p):
			h.exact[p] = append(h.exact[p], v)
		case !slices.Contains(h.wild, v):
			h.wild = append(h.wild, v)
		}
	}
	for l := range h.of(&v.terms) {
		v.add(l)
	}
	h.watch(v)
}

// of gives the topics of some terms.
func (h *Hub) of(t *Terms) iter.Seq[*log] {
	return func(yield func(*log) bool) {
		for _, p := range t.Patterns {
			if !pattern.Wild(p) {
				if l := h.logs[p]; l != nil && h.may(p, t) && !yield(l) {
					return
				}
				continue
			}
			for name, l := range h.logs {
				if pattern.Match(p, name) && h.may(name, t) && !yield(l) {
					return
				}
			}
		}
	}
}

// may says whether a reader with such terms may see a topic.
func (h *Hub) may(name string, t *Terms) bool {
	return h.o.May == nil || t.Trusted || h.o.May(name, t.Grant)
}

// delist ends that.
func (h *Hub) delist(v *view) {
	h.unwatch(v)
	for l := range v.logs {
		v.remove(l)
	}
	for _, p := range v.terms.Patterns {
		if h.exact[p] = slices.DeleteFunc(h.exact[p], func(o *view) bool { return o == v }); len(h.exact[p]) == 0 {
			delete(h.exact, p)
		}
	}
	h.wild = slices.DeleteFunc(h.wild, func(o *view) bool { return o == v })
	delete(v.pump.views, v.key)
}

// miss finds what the logs have dropped behind a place, and from where it goes on.
func (v *view) miss(p *place, logs map[*log]mark, upto uint64, b *batch) {
	b.from = p.cursor
	gap := newGap()
	gap.Reason = ReasonSlow
	var lost uint64
	for l, since := range logs {
		at := p.of(l, since)
		n, exact := l.first()-1-at.count, !at.unsure
		if n <= 0 && exact {
			continue
		}
		if latest := v.every > 0 || l.rule.Slow == SlowLatest || p.latest > p.cursor; latest || v.terms.Filtered {
			n, exact = l.dropped(max(p.cursor, at.from), &v.terms, latest)
		}
		if b.passed == nil {
			b.passed = map[*log]mark{}
		}
		b.passed[l] = mark{count: l.first() - 1, from: l.lost}
		if n > 0 || !exact {
			gap.Missed[l.name], gap.Counts[l.name] = n, l.first()-1
			gap.AtLeast = gap.AtLeast || !exact
			b.ends = b.ends || l.rule.Slow == SlowEnd
			lost = max(lost, l.lost)
		}
	}
	if len(gap.Missed) == 0 {
		return
	}
	b.from = max(p.cursor, v.before(logs, p.cursor, upto))
	epoch := v.pump.h.epoch
	gap.ID, gap.From, gap.To = ID{epoch, b.from}, ID{epoch, p.cursor}.String(), ID{epoch, lost}
	b.gap = gap
}

// before is the number before the first message behind a cursor, or upto.
func (v *view) before(logs map[*log]mark, cursor, upto uint64) uint64 {
	first := upto + 1
	for l := range logs {
		if i := l.after(cursor); i < len(l.kept) {
			first = min(first, l.kept[i].Seq)
		}
	}
	return first - 1
}
