package topic

import (
	"slices"

	"github.com/leat-dev/leat/internal/pattern"
)

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
	order []passing
	last  uint64 // the highest lost of all
	faded uint64 // and of those that are not known any more
}

// A passing is when a topic vanished. It is over where that has another lost since.
type passing struct {
	name string
	lost uint64
}

// keep notes what l has been.
func (g *ghosts) keep(l *log, most int) {
	if l.count == 0 {
		return
	}
	if g.of == nil {
		g.of = map[string]ghost{}
	}
	g.of[l.name] = ghost{l.lost, l.count}
	g.order = append(g.order, passing{l.name, l.lost})
	g.last = max(g.last, l.lost)
	for len(g.of) > most {
		p := g.order[0]
		g.order = g.order[1:]
		if g.is(p) {
			g.faded = max(g.faded, p.lost)
			delete(g.of, p.name)
		}
	}
	if len(g.order) > 2*len(g.of)+16 {
		g.order = slices.DeleteFunc(g.order, func(p passing) bool { return !g.is(p) })
	}
}

// is says whether a topic has not come back since.
func (g *ghosts) is(p passing) bool {
	old, ok := g.of[p.name]
	return ok && old.lost == p.lost
}

// raise gives a new log what it has been before.
func (g *ghosts) raise(l *log) {
	old, ok := g.of[l.name]
	if !ok {
		l.lost = g.faded
		l.ledger.blank(l.lost)
		return
	}
	delete(g.of, l.name)
	l.lost, l.count = old.lost, old.count
	l.ledger.blank(l.lost)
}

// since are the topics of a view that have vanished and had messages behind a
// number, and whether there may be others.
func (g *ghosts) since(v *view, seq uint64) (names []string, more bool) {
	if g.last <= seq && g.faded <= seq {
		return nil, false
	}
	wild := false
	for _, p := range v.terms.Patterns {
		if pattern.Wild(p) {
			wild = true
			continue
		}
		old, was := g.of[p]
		_, is := v.pump.h.logs[p]
		more = more || !is && !was && g.faded > seq
		if was && old.lost > seq && v.pump.h.may(p, &v.terms) {
			names = append(names, p)
		}
	}
	if !wild {
		return names, more
	}
	for name, old := range g.of {
		if old.lost > seq && !slices.Contains(v.terms.Patterns, name) && v.matches(name) {
			names = append(names, name)
		}
	}
	return names, more || g.faded > seq
}
