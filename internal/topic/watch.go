package topic

import (
	"maps"
	"slices"

	"github.com/leat-dev/leat/internal/pattern"
)

// A watch is somebody who is told whether a topic is read. The hub's mu guards it.
type watch struct {
	name    string
	fn      func(read bool)
	views   int  // that see the topic
	told    bool // what fn was last called with
	telling bool // there is a goroutine that calls it
}

// Watch has fn called with true when somebody reads a topic, whether or not there
// is one of this name, and with false when nobody does any more: in turns, one call
// at a time. What has changed back by the end of a call is not told.
func (h *Hub) Watch(name string, fn func(read bool)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := &watch{name: name, fn: fn}
	h.watches[name] = append(h.watches[name], w)
	for _, p := range h.pumps {
		for _, v := range p.views {
			if v.matches(name) {
				h.look(w, v)
			}
		}
	}
}

// watch has those who watch what v sees know of it. It is called with the hub's mu
// held, as is what follows.
func (h *Hub) watch(v *view) {
	if len(h.watches) == 0 {
		return
	}
	names := slices.Compact(slices.Sorted(slices.Values(v.terms.Patterns)))
	if slices.ContainsFunc(names, pattern.Wild) {
		names = slices.Collect(maps.Keys(h.watches))
	}
	for _, name := range names {
		watches := h.watches[name]
		if len(watches) == 0 || !v.matches(name) {
			continue
		}
		for _, w := range watches {
			h.look(w, v)
		}
	}
}

// unwatch ends that.
func (h *Hub) unwatch(v *view) {
	for _, w := range v.watches {
		w.views--
		h.inform(w)
	}
	v.watches = nil
}

// look has w know that v sees its topic.
func (h *Hub) look(w *watch, v *view) {
	v.watches = append(v.watches, w)
	w.views++
	h.inform(w)
}

// inform sees to it that there is a goroutine while w has something to be told.
func (h *Hub) inform(w *watch) {
	if !w.telling && w.told != h.read(w) {
		w.telling = true
		go h.tellAll(w)
	}
}

// read says whether somebody reads the topic of w.
func (h *Hub) read(w *watch) bool { return w.views > 0 && !h.closed }

// tellAll tells w what there is to tell, until there is nothing.
func (h *Hub) tellAll(w *watch) {
	for {
		h.mu.Lock()
		read := h.read(w)
		if read == w.told {
			w.telling = false
			h.mu.Unlock()
			return
		}
		w.told = read
		h.mu.Unlock()
		w.fn(read)
	}
}
