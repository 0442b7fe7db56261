package topic

import (
	"cmp"
	"slices"
)

// A ledger is what a log remembers of the messages that it does not keep any more,
// so that they can be counted: the last of them, the oldest first.
type ledger struct {
	Gone []gone `json:"gone,omitempty"`
	// Faded is the last message that is not remembered, FadedKey the last of those
	// that nothing newer had the key of, and FadedEvent of those that nothing newer is
	// known to have had the key and the event of. Number 0: there is none.
	Faded      gone `json:"faded,omitzero"`
	FadedKey   gone `json:"fadedKey,omitzero"`
	FadedEvent gone `json:"fadedEvent,omitzero"`
}

// A gone is one of them.
type gone struct {
	Seq   uint64 `json:"seq"`
	Event string `json:"event,omitempty"`
	Key   string `json:"key,omitempty"`
	Blank bool   `json:"blank,omitempty"` // its event and its key are not known
}

// goneMost is how many messages that are not kept a log remembers.
const goneMost = 512

// blank has nothing be known of what was up to a number.
func (g *ledger) blank(seq uint64) {
	if m := (gone{Seq: seq, Blank: true}); seq > 0 {
		*g = ledger{Faded: m, FadedKey: m, FadedEvent: m}
	}
}

// note remembers a message that is dropped from l.
func (g *ledger) note(l *log, m *Message) {
	g.Gone = append(g.Gone, gone{Seq: m.Seq, Event: m.Event, Key: m.Key})
	if len(g.Gone) > goneMost {
		g.fade(l, goneMost/2)
	}
}

// fade forgets the n oldest.
func (g *ledger) fade(l *log, n int) {
	newer := map[string]string{} // the event of what is next with a key
	var all, key, event gone
	for i := len(g.Gone) - 1; i >= 0; i-- {
		m := g.Gone[i]
		next, is := newer[m.Key]
		if kept := l.latest[m.Key]; !is && kept != nil {
			next, is = kept.Event, true
		}
		newer[m.Key] = m.Event
		if i >= n {
			continue
		}
		all = cmp.Or(all, m) // the newest comes first
		if !is {
			key = cmp.Or(key, m)
		}
		if !is || next != m.Event {
			event = cmp.Or(event, m)
		}
	}
	g.Faded, g.FadedKey, g.FadedEvent = all, cmp.Or(key, g.FadedKey), cmp.Or(event, g.FadedEvent)
	g.Gone = slices.Delete(g.Gone, 0, n)
}

// after is the index of the first behind a number.
func (g *ledger) after(seq uint64) int {
	i, _ := slices.BinarySearchFunc(g.Gone, seq+1, func(m gone, seq uint64) int { return cmp.Compare(m.Seq, seq) })
	return i
}

// dropped is how many messages behind a number l does not keep any more that are
// asked for; of those with the same key the latest alone counts, where latest is
// set, unless what is kept is newer. It answers false where there may be more.
func (l *log) dropped(seq uint64, t *Terms, latest bool) (n int64, exact bool) {
	g := &l.ledger
	faded := g.Faded
	switch {
	case latest && t.Filtered:
		faded = g.FadedEvent
	case latest:
		faded = g.FadedKey
	}
	var behind []gone // and asked for
	if exact = seq >= faded.Seq; !exact && !faded.Blank && t.wants(faded.Event) {
		behind = append(behind, faded)
	}
	for _, m := range g.Gone[g.after(seq):] {
		if t.wants(m.Event) {
			behind = append(behind, m)
		}
	}
	if !latest {
		return int64(len(behind)), exact
	}
	last := map[string]bool{}   // the keys of those that nothing newer is known of
	unsure := map[string]bool{} // and of those that what is kept may have newer ones of
	for _, m := range behind {
		switch newer := l.latest[m.Key]; {
		case newer == nil:
			last[m.Key] = true
		case !t.wants(newer.Event):
			unsure[m.Key] = true
		}
	}
	for i := len(l.kept) - 1; i >= 0 && len(unsure) > 0; i-- {
		if m := l.kept[i]; t.wants(m.Event) {
			delete(unsure, m.Key)
		}
	}
	return int64(len(last) + len(unsure)), exact
}
