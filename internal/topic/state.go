package topic

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// stateVersion is that of what Save writes.
const stateVersion = 1

// A head is the first line of a saved hub.
type head struct {
	Version int    `json:"version"`
	Epoch   string `json:"epoch"`
	Seq     uint64 `json:"seq"`
	Faded   uint64 `json:"faded,omitempty"`
	Lines   int    `json:"lines"` // that follow
}

// A line is one of the others: a topic, or a message of the topic before.
type line struct {
	Topic  string  `json:"topic,omitempty"`
	Count  int64   `json:"count,omitempty"`
	Lost   uint64  `json:"lost,omitempty"`
	Ledger *ledger `json:"ledger,omitempty"` // nil: it has vanished

	Seq   uint64    `json:"seq,omitempty"`
	Time  time.Time `json:"time,omitzero"`
	Kind  Kind      `json:"kind,omitempty"`
	Event string    `json:"event,omitempty"`
	Key   string    `json:"key,omitempty"`
	Data  []byte    `json:"data,omitempty"`
}

// Save writes all that is kept, for the Load of another hub. The hub has to be
// closed: what came later would be lost.
func (h *Hub) Save(w io.Writer) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		return errors.New("topic: the hub is not closed")
	}
	lines := len(h.ghosts.of)
	for _, l := range h.logs {
		lines += 1 + len(l.kept)
	}
	out := bufio.NewWriter(w)
	to := json.NewEncoder(out)
	err := to.Encode(head{stateVersion, h.epoch, h.seq, h.ghosts.faded, lines})
	for name, g := range h.ghosts.of {
		err = errors.Join(err, to.Encode(line{Topic: name, Count: g.count, Lost: g.lost}))
	}
	for name, l := range h.logs {
		err = errors.Join(err, to.Encode(line{Topic: name, Count: l.count, Lost: l.lost, Ledger: &l.ledger}))
		for _, m := range l.kept {
			err = errors.Join(err, to.Encode(line{Seq: m.Seq, Time: m.Time, Kind: m.Kind, Event: m.Event, Key: m.Key, Data: m.Data}))
		}
	}
	return errors.Join(err, out.Flush())
}

// Load takes over what Save has written, and with it the epoch, so that readers go
// on where they were. The hub is new. With an error it is as it was.
func (h *Hub) Load(r io.Reader) error {
	in := json.NewDecoder(bufio.NewReader(r))
	var first head
	if err := in.Decode(&first); err != nil {
		return fmt.Errorf("the first line: %w", err)
	}
	if first.Version != stateVersion || first.Epoch == "" {
		return fmt.Errorf("it has version %d, and this program reads %d", first.Version, stateVersion)
	}
	lines := make([]line, 0, min(first.Lines, 1<<20))
	for i := range first.Lines {
		var l line
		if err := in.Decode(&l); err != nil {
			return fmt.Errorf("line %d of %d: %w", i+2, first.Lines+1, err)
		}
		if i == 0 && l.Topic == "" || l.Seq > first.Seq || l.Lost > first.Seq {
			return fmt.Errorf("line %d does not belong there", i+2)
		}
		lines = append(lines, l)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.epoch, h.seq, h.ghosts.faded = first.Epoch, first.Seq, first.Faded
	h.restore(lines)
	return nil
}

// restore makes the topics of some lines.
func (h *Hub) restore(lines []line) {
	var l *log
	var vanished bool
	var all []*Message
	done := func() { // with the messages of a topic
		switch {
		case l == nil:
			return
		case vanished:
			h.ghosts.keep(l, max(h.o.Topics, 1))
			return
		}
		if l.count -= int64(len(l.kept)); l.count < 0 {
			l.count = 0
		}
		kept := l.kept
		l.kept = nil
		for _, m := range kept {
			l.append(m, m.Seq)
		}
		all = append(all, kept...)
		h.logs[l.name] = l
	}
	for _, s := range lines {
		if s.Topic != "" {
			done()
			l = &log{name: s.Topic, rule: h.o.Rule(s.Topic), count: s.Count, lost: s.Lost}
			if vanished = s.Ledger == nil; !vanished {
				l.ledger = *s.Ledger
			}
			continue
		}
		l.kept = append(l.kept, &Message{
			Epoch: h.epoch, Seq: s.Seq, Time: s.Time, Kind: s.Kind, Event: s.Event, Key: s.Key, Data: s.Data,
			size: overhead + int64(len(s.Data)+len(s.Event)+len(s.Key)),
		})
	}
	done()
	slices.SortFunc(all, func(x, y *Message) int { return cmp.Compare(x.Seq, y.Seq) })
	for _, m := range all {
		h.link(m)
	}
	now := time.Now()
	for _, l := range h.logs {
		h.drop(l, l.excess(now))
	}
	h.tidy(now)
}
