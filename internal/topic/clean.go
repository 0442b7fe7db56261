package topic

import "time"

// clean drops what is too old, and topics that are empty and have no reader.
func (h *Hub) clean() {
	if h.age(time.Now()) {
		h.sweep()
	}
}

// age drops what is too old. It answers whether there are topics that may vanish.
func (h *Hub) age(now time.Time) (empty bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.janitorAt = time.Time{}
	next := now.Add(janitorMost)
	for _, l := range h.logs {
		h.drop(l, l.excess(now))
		empty = empty || l.empty()
		if len(l.kept) > 0 && l.rule.Age > 0 {
			if at := l.kept[0].Time.Add(l.rule.Age); at.Before(next) {
				next = at
			}
		}
	}
	if len(h.logs) > 0 {
		h.expect(now.Add(max(next.Sub(now), janitorLeast)))
	}
	return empty
}

// empty says whether l has nothing, and nobody who names it.
func (l *log) empty() bool { return len(l.kept) == 0 && l.named == 0 }

// sweep takes out topics that are empty, but for those that a slow reader has yet
// to be told of. No pump works meanwhile.
func (h *Hub) sweep() {
	for _, p := range h.pumps {
		p.work.Lock()
		defer p.work.Unlock()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	least := map[*view]uint64{}
	for name, l := range h.logs {
		if l.empty() && l.told(least) {
			h.vanish(name, l)
		}
	}
}

// told says whether all readers are behind the last message of l. Least are their
// cursors, as far as they have been looked for.
func (l *log) told(least map[*view]uint64) bool {
	for _, v := range l.views {
		at, known := least[v]
		if !known {
			at = v.least()
			least[v] = at
		}
		if at < l.lost {
			return false
		}
	}
	return true
}

// least is the cursor of the view's slowest reader. It is called with the pump's
// work held, and the hub's mu.
func (v *view) least() uint64 {
	if v.readers != len(v.current)+len(v.behind) { // somebody begins or ends
		return 0
	}
	at := v.place.cursor
	for s := range v.behind {
		at = min(at, s.place.cursor)
	}
	return at
}

// vanish takes a topic out, but for a note of what it has had.
func (h *Hub) vanish(name string, l *log) {
	delete(h.logs, name)
	for _, v := range l.views {
		v.remove(l)
		delete(v.place.marks, l)
		for s := range v.behind {
			delete(s.place.marks, l)
		}
	}
	h.ghosts.keep(l, max(h.o.Topics, 1))
}
