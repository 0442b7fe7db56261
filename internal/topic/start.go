package topic

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// A Start says where a reader begins.
type Start struct {
	Since   string // an id; "": History says it
	History History
}

// A History is what a reader begins with.
type History struct {
	Last int  // so many messages; All for all that are kept; 0 for none
	Keys bool // and the latest of each key instead
}

// All is the Last of all messages that are kept.
const All = -1

// Subscribe makes a reader, and says what it is to be told first. What is published
// from then on reaches it, behind its Join. It must Leave.
func (h *Hub) Subscribe(t Terms, from Start) (*Sub, *Control) {
	t.Filtered = t.Filtered || len(t.Events) > 0
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.view(t)
	s := &Sub{v: v, index: -1}
	s.base.Store(-1)
	c := v.begin(s, from)
	c.Terms = &v.terms
	return s, c
}

// perPump is how many readers come to a pump before the next one has its turn: for
// few readers it costs less to wake one.
const perPump = 64

// view answers the view of some terms, with one reader more.
func (h *Hub) view(t Terms) *view {
	n := h.readers.Add(1) - 1
	p := h.pumps[int(n/perPump)%len(h.pumps)]
	key := t.key()
	v := p.views[key]
	fresh := v == nil
	if fresh {
		v = &view{pump: p, key: key, terms: t, logs: map[*log]mark{}, behind: map[*Sub]struct{}{}, place: place{cursor: h.seq}, told: h.seq}
		v.moved.Store(int64(time.Since(h.began)))
		if t.MaxRate > 0 {
			v.every = time.Duration(float64(time.Second) / t.MaxRate)
		}
		p.views[key] = v
		h.enlist(v)
	}
	v.readers++
	p.mu.Lock()
	p.readers++
	p.fresh = p.fresh || fresh
	p.mu.Unlock()
	return v
}

// key is what the terms are told apart by.
func (t *Terms) key() string {
	return fmt.Sprintf("%d %v %v %v %v %q %q %q", t.Encoding, t.MaxRate, t.Filtered, t.Trusted, t.Heartbeat, t.Patterns, t.Events, t.Grant)
}

// release is the end of s.
func (p *pump) release(s *Sub) {
	h := p.h
	h.readers.Add(-1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.v.readers--; s.v.readers == 0 {
		h.swap(&s.v.last, nil)
		h.delist(s.v)
	}
	p.mu.Lock()
	p.readers--
	p.mu.Unlock()
}

// begin sets the place of a reader, and says what it is to be told.
func (v *view) begin(s *Sub, from Start) *Control {
	h := v.pump.h
	p := &place{}
	s.place = p
	c := &Control{Name: Open}
	if from.Since != "" {
		if c = v.resume(p, from.Since); c.Name != Reset {
			return c
		}
	}
	v.enter(p, from.History)
	c.ID = ID{h.epoch, p.cursor}
	return c
}

// resume sets a place behind an id.
func (v *view) resume(p *place, since string) *Control {
	h := v.pump.h
	id, ok := ParseID(since)
	reset := &Control{Name: Reset, From: since}
	switch {
	case !ok:
		reset.Reason = ReasonUnknown
		return reset
	case id.Epoch != h.epoch:
		reset.Reason = ReasonEpoch
		return reset
	case id.Seq > h.seq:
		reset.Reason = ReasonFuture
		return reset
	}
	p.cursor = id.Seq
	for l := range v.logs {
		count, exact := l.at(id.Seq)
		p.set(l, mark{count: count, unsure: !exact})
	}
	var b batch
	v.miss(p, v.logs, h.seq, &b)
	c := b.gap
	if names, more := h.ghosts.since(v, id.Seq); len(names) > 0 || more {
		if c == nil {
			c = newGap()
			c.ID, c.From, c.To = id, since, ID{h.epoch, h.seq}
		}
		c.AtLeast = true
		for _, name := range names {
			old := h.ghosts.of[name]
			if c.Counts[name] = old.count; v.terms.Filtered {
				c.Missed[name] = 0 // it may be that nothing was asked for
			} else {
				c.Missed[name] = 1
			}
			c.To.Seq = max(c.To.Seq, old.lost)
		}
	}
	if c == nil {
		c = &Control{Name: Resumed, ID: id}
	}
	c.Reason = ""
	if c.Name == Gap {
		c.Reason = ReasonHistory
	}
	p.cursor = b.from
	for l, m := range b.passed {
		p.set(l, m)
	}
	return c
}

// enter sets a place for who begins.
func (v *view) enter(p *place, history History) {
	h := v.pump.h
	p.cursor = h.seq
	for l := range v.logs {
		p.set(l, mark{count: l.count, from: l.lost})
	}
	if history.Last == 0 && !history.Keys {
		return
	}
	kept := v.kept(history)
	if len(kept) == 0 {
		return
	}
	p.cursor = kept[0].Seq - 1
	if history.Keys {
		p.latest = h.seq
	}
	for l := range v.logs {
		count, _ := l.at(p.cursor)
		p.set(l, mark{count: max(count, l.first()-1), from: l.lost})
	}
}

// kept are the messages of a history, in order.
func (v *view) kept(history History) []*Message {
	var found []*Message
	for l := range v.logs {
		found = l.history(found, &v.terms, history)
	}
	return cut(found, history)
}

// history appends what l has of a history.
func (l *log) history(found []*Message, t *Terms, history History) []*Message {
	if history == (History{}) {
		return found
	}
	for _, m := range l.kept[max(0, len(l.kept)-l.rule.Count):] {
		if t.wants(m.Event) && (!history.Keys || t.newer(m) == nil) {
			found = append(found, m)
		}
	}
	return found
}

// cut puts the messages of several topics into order, and leaves out those that
// are too many.
func cut(found []*Message, history History) []*Message {
	slices.SortFunc(found, func(x, y *Message) int { return cmp.Compare(x.Seq, y.Seq) })
	if n := history.Last; n > 0 && !history.Keys && len(found) > n {
		found = found[len(found)-n:]
	}
	return found
}

// History answers what is kept for somebody who does not stay, in order, and the
// position behind it.
func (h *Hub) History(t Terms, history History) ([]*Message, ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []*Message
	seen := map[*log]bool{}
	for l := range h.of(&t) {
		if !seen[l] {
			seen[l] = true
			found = l.history(found, &t, history)
		}
	}
	return cut(found, history), ID{h.epoch, h.seq}
}
