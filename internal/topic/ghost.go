package topic

import "github.com/leat-dev/leat/internal/pattern"

// A ghost is what is kept of a topic that has vanished: how far its counts and
// numbers had come, so that neither begins anew and nobody who comes back takes a
// new one for the old.
type ghost struct {
	lost  uint64
	count int64
}

// ghosts are those that vanished last. Of the others only the highest number is
// known.
type ghosts struct {
	of    map[string]ghost
	order []string
	faded uint64 // the highest lost of those that are not known any more
}

// keep notes what l has been.
func (g *ghosts) keep(l *log, most int) {
	if l.count == 0 {
		return
	}
	if g.of == nil {
		g.of = map[string]ghost{}
	}
	if _, again := g.of[l.name]; !again {
		g.order = append(g.order, l.name)
	}
	g.of[l.name] = ghost{l.lost, l.count}
	for len(g.of) > most && len(g.order) > 0 {
		name := g.order[0]
		g.order = g.order[1:]
		if old, ok := g.of[name]; ok {
			g.faded = max(g.faded, old.lost)
			delete(g.of, name)
		}
	}
}

// raise gives a new log what it has been before.
func (g *ghosts) raise(l *log) {
	old, ok := g.of[l.name]
	if !ok {
		l.lost = g.faded
		l.whole = g.faded == 0
		return
	}
	delete(g.of, l.name) // its name stays in order until its turn comes
	l.lost, l.count, l.whole = old.lost, old.count, false
}

// since are the topics of a view that have vanished and had messages behind a
// number, and whether there may be others.
func (g *ghosts) since(v *view, seq uint64) (names []string, more bool) {
	for _, p := range v.terms.Patterns {
		if pattern.Wild(p) {
			more = more || g.faded > seq
			continue
		}
		_, is := v.pump.h.logs[p]
		_, was := g.of[p]
		more = more || !is && !was && g.faded > seq
	}
	for name, old := range g.of {
		if old.lost > seq && v.matches(name) {
			names = append(names, name)
		}
	}
	return names, more
}
