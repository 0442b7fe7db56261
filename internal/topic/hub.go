package topic

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leat-dev/leat/internal/pattern"
)

// Options are what a hub is made of.
type Options struct {
	Encoders []func(*Message) []byte // by Encoding
	// Control is a control as it goes out; nil: such readers are not told, but end.
	Control func(as Encoding, c *Control) []byte
	// Beat is a heartbeat, which tells where the reader is if that has moved; nil: there
	// is none.
	Beat func(as Encoding, at ID, moved bool) []byte
	Rule func(name string) *Rule // of a topic
	// May says who may see a topic; nil: everybody.
	May     func(name string, grant []string) bool
	Topics  int           // that may be; 0: any number
	Bytes   int64         // that are counted for all of them; 0: any number
	Records *atomic.Int64 // counts what is delivered; nil: nobody does
	Pumps   int           // 0: one for each processor
	Epoch   string        // of the ids; "": a new one
}

// A Hub holds all topics of a server. Its methods may be called from any
// goroutine.
type Hub struct {
	o         Options
	epoch     string
	began     time.Time
	encodings atomic.Int64 // made so far
	readers   atomic.Int64

	mu        sync.Mutex
	seq       uint64 // of the last message: the watermark
	logs      map[string]*log
	ghosts    ghosts
	bytes     int64
	pinned    int64    // bytes of messages that are not kept, but held by readers
	first     *Message // of all that are kept, in the order of their numbers
	last      *Message
	once      onces
	pumps     []*pump
	exact     map[string][]*view // by a name they have
	wild      []*view            // those with a wildcard
	watches   map[string][]*watch
	steps     int64 // of publishing: see Counts
	janitor   *time.Timer
	janitorAt time.Time // when it comes; zero: never
	closed    bool
}

// Errors of publishing.
var (
	// ErrTopics: a topic would be one too many.
	ErrTopics = errors.New("leat: too many topics")
	// ErrClosed: the hub is.
	ErrClosed = errors.New("leat: the topics are closed")
)

// NewHub makes a hub.
func NewHub(o Options) *Hub {
	h := &Hub{
		o: o, epoch: cmp.Or(o.Epoch, newEpoch()), began: time.Now(),
		logs: map[string]*log{}, exact: map[string][]*view{}, watches: map[string][]*watch{},
	}
	n := min(cmp.Or(o.Pumps, runtime.GOMAXPROCS(0)), 64)
	for i := range n {
		h.pumps = append(h.pumps, newPump(h, i))
	}
	return h
}

// Began is when the hub was made: [Sub.Moved] counts from there.
func (h *Hub) Began() time.Time { return h.began }

// Close ends the readers' pumps and publishing. Who holds the readers ends them.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.janitor != nil {
		h.janitor.Stop()
	}
	for _, p := range h.pumps {
		p.close()
	}
	for _, watches := range h.watches {
		for _, w := range watches {
			h.inform(w)
		}
	}
}

// An Entry is a draft and where it goes.
type Entry struct {
	Topic string
	Draft
}

// A Receipt is what publishing answers.
type Receipt struct {
	ID    ID    // of the last message
	Count int64 // of it
}

// Publish appends the entries, in one piece of the sequence, or none. It never
// waits for a reader. once is that of all of them, "" for none.
func (h *Hub) Publish(entries []Entry, once string) (Receipt, error) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return Receipt{}, ErrClosed
	}
	if r, ok := h.once.find(once, now); ok {
		return r, nil
	}
	if err := h.admit(entries); err != nil {
		return Receipt{}, err
	}
	var r Receipt
	begun := h.seq
	for i := range entries {
		e := &entries[i]
		l := h.open(e.Topic)
		m := &Message{
			Epoch: h.epoch, Seq: h.seq + 1, Time: now, Kind: e.Kind, Event: e.Event, Key: e.Key, Data: e.Data,
			size: overhead + int64(len(e.Data)+len(e.Event)+len(e.Key)),
		}
		h.append(l, m, begun)
		l.recent.add(now, 1)
		h.tell(l)
		r = Receipt{ID{h.epoch, m.Seq}, m.Count}
	}
	h.once.keep(once, now, r)
	h.tidy(now)
	return r, nil
}

// Attempted answers what the first attempt of this name got, where it is known: to
// publish it again would answer the same.
func (h *Hub) Attempted(once string) (Receipt, bool) {
	if once == "" {
		return Receipt{}, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return Receipt{}, false
	}
	return h.once.find(once, time.Now())
}

// admit says whether there may be all the topics of the entries.
func (h *Hub) admit(entries []Entry) error {
	if h.o.Topics <= 0 || len(h.logs)+len(entries) <= h.o.Topics {
		return nil
	}
	fresh := map[string]bool{}
	for i := range entries {
		if name := entries[i].Topic; h.logs[name] == nil {
			fresh[name] = true
		}
	}
	if len(fresh) > 0 && len(h.logs)+len(fresh) > h.o.Topics {
		return fmt.Errorf("%w: %d (limits.topics)", ErrTopics, h.o.Topics)
	}
	return nil
}

// Exists says whether there is a topic of this name.
func (h *Hub) Exists(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.logs[name] != nil
}

// open answers the log of a topic, which it makes where there is none.
func (h *Hub) open(name string) *log {
	if l := h.logs[name]; l != nil {
		return l
	}
	l := &log{name: name, rule: h.o.Rule(name)}
	h.ghosts.raise(l)
	h.logs[name] = l
	for _, v := range h.exact[name] {
		if h.may(name, &v.terms) {
			v.add(l)
		}
	}
	for _, v := range h.wild {
		if v.matches(name) {
			v.add(l)
		}
	}
	return l
}

// append puts m at the head of everything.
func (h *Hub) append(l *log, m *Message, begun uint64) {
	h.seq = m.Seq
	l.append(m, begun)
	h.link(m)
	h.drop(l, l.excess(m.Time))
	if l.rule.Age > 0 {
		h.expect(m.Time.Add(max(l.rule.Age, janitorLeast)))
	}
	if l.window(m.Time) > 0 {
		h.expect(m.Time.Add(windowTime))
	}
	h.steps++
}

// link puts m behind all others that are kept.
func (h *Hub) link(m *Message) {
	h.bytes += m.size
	if m.prev = h.last; m.prev == nil {
		h.first = m
	} else {
		m.prev.next = m
	}
	h.last = m
}

// tell has those pumps look whose readers have l.
func (h *Hub) tell(l *log) {
	for rest := l.pumps &^ l.dirty; rest != 0; rest &= rest - 1 {
		p := h.pumps[bitOf(rest)]
		p.mark(l)
		h.steps++
	}
	l.dirty |= l.pumps
}

// drop forgets the n oldest messages of l.
func (h *Hub) drop(l *log, n int) {
	for range n {
		m := l.drop()
		h.bytes -= m.size
		if m.prev == nil {
			h.first = m.next
		} else {
			m.prev.next = m.next
		}
		if m.next == nil {
			h.last = m.prev
		} else {
			m.next.prev = m.prev
		}
		m.prev, m.next = nil, nil
		h.leaves(m)
		h.steps++
	}
}

// tidy keeps the whole within its bound, and sees to it that what grows old goes.
func (h *Hub) tidy(now time.Time) {
	h.shrink()
	h.expect(now.Add(janitorMost))
}

// shrink keeps the whole within its bound.
func (h *Hub) shrink() {
	for h.o.Bytes > 0 && h.bytes+h.pinned > h.o.Bytes && h.first != nil && h.first != h.last {
		h.drop(h.first.log, 1)
	}
}

// How often what has grown old is looked for.
const (
	janitorLeast = time.Second
	janitorMost  = time.Minute
)

// expect has the janitor come at a time, if not earlier.
func (h *Hub) expect(at time.Time) {
	if h.closed || !h.janitorAt.IsZero() && !at.Before(h.janitorAt) {
		return
	}
	h.janitorAt = at
	if h.janitor == nil {
		h.janitor = time.AfterFunc(time.Until(at), h.clean)
		return
	}
	h.janitor.Reset(time.Until(at))
}

// matches says whether one of the view's patterns matches a name.
func (v *view) matches(name string) bool {
	for _, p := range v.terms.Patterns {
		if pattern.Match(p, name) {
			return v.pump.h.may(name, &v.terms)
		}
	}
	return false
}
