package topic

import (
	"math/bits"
	"sync"
	"time"
)

// A pump writes to its share of the readers. It has a goroutine while it has
// readers.
type pump struct {
	h     *Hub
	index int
	views map[string]*view // the hub's mu guards it

	mu      sync.Mutex
	inbox   []*Sub // something is to be done about them
	touched []*log // they have new messages
	wake    chan struct{}
	readers int
	fresh   bool // there is a view that is new
	running bool
	closed  bool

	seen uint64 // up to there the views know which logs have messages; the hub's mu guards it

	work  sync.Mutex // held during a round
	todo  []*view    // to look at
	later []*view    // and when they are due
	beats time.Time  // when the first heartbeat may be due
}

func newPump(h *Hub, index int) *pump {
	return &pump{h: h, index: index, views: map[string]*view{}, wake: make(chan struct{}, 1)}
}

func bitOf(mask uint64) int { return bits.TrailingZeros64(mask) }

// put has the pump see to s.
func (p *pump) put(s *Sub) {
	p.mu.Lock()
	p.inbox = append(p.inbox, s)
	p.start()
	p.mu.Unlock()
	p.poke()
}

// mark has the pump look at the views of a log. It is called with the hub's mu held.
func (p *pump) mark(l *log) {
	p.mu.Lock()
	p.touched = append(p.touched, l)
	p.start()
	p.mu.Unlock()
	p.poke()
}

// start sees to it that there is a goroutine. It is called with mu held.
func (p *pump) start() {
	if !p.running && !p.closed {
		p.running = true
		go p.run()
	}
}

func (p *pump) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *pump) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.poke()
}

// run makes rounds until there is no reader any more.
func (p *pump) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait, again := p.round()
		if again {
			continue
		}
		p.mu.Lock()
		idle := len(p.inbox) == 0 && len(p.touched) == 0
		if p.closed || idle && p.readers == 0 {
			p.running = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		if !idle {
			continue
		}
		if wait <= 0 {
			<-p.wake
			continue
		}
		timer.Reset(wait)
		select {
		case <-p.wake:
		case <-timer.C:
		}
	}
}

// Flush has what has been published so far be offered to its readers, but for what
// waits for a rate.
func (h *Hub) Flush() {
	for _, p := range h.pumps {
		for again, n := true, 0; again && n < flushMost; n++ {
			_, again = p.round()
		}
		p.poke() // what its goroutine waits for may be another thing now
	}
}

// flushMost is how many rounds that may take, while others publish.
const flushMost = 100

// round does what is to be done now. It answers how long the next thing may wait,
// 0 for ever, and whether there is more to do at once.
func (p *pump) round() (wait time.Duration, again bool) {
	p.work.Lock()
	defer p.work.Unlock()
	subs := p.look()
	now := time.Now()
	todo := p.todo
	p.todo = nil
	for _, v := range todo {
		v.queued = false
		switch {
		case v.every > 0 && now.Before(v.due):
			v.queued = true
			p.later = append(p.later, v)
		case v.pass(now):
			p.again(v)
		}
	}
	p.dueAt(now)
	for _, s := range subs {
		s.queued.Store(false)
		s.attend(now)
	}
	if wait = p.beat(now); len(p.todo) > 0 {
		return 0, true
	}
	for _, v := range p.later {
		if d := max(time.Millisecond, v.due.Sub(now)); wait == 0 || d < wait {
			wait = d
		}
	}
	return wait, false
}

// beat has the views send heartbeats. It answers how long the next one may wait, 0
// for ever.
func (p *pump) beat(now time.Time) time.Duration {
	if now.Before(p.beats) {
		return p.beats.Sub(now)
	}
	p.h.mu.Lock()
	views := make([]*view, 0, len(p.views))
	for _, v := range p.views {
		if v.terms.Heartbeat > 0 {
			views = append(views, v)
		}
	}
	p.h.mu.Unlock()
	if len(views) == 0 {
		p.beats = time.Time{}
		return 0
	}
	first := now.Add(views[0].terms.Heartbeat)
	for _, v := range views {
		if due := v.beat(now); due.Before(first) {
			first = due
		}
	}
	p.beats = now.Add(max(first.Sub(now), beatLeast))
	return p.beats.Sub(now)
}

// beatLeast is how far apart looks for heartbeats are at least.
const beatLeast = 20 * time.Millisecond

// look takes what there is to do, and has the views of logs with new messages be
// looked at. What is published behind that waits for the next round, since only
// some of its logs would be known.
func (p *pump) look() (subs []*Sub) {
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	p.mu.Lock()
	subs, logs := p.inbox, p.touched
	p.inbox, p.touched = nil, nil
	if p.fresh {
		p.fresh, p.beats = false, time.Time{}
	}
	p.mu.Unlock()
	p.seen = p.h.seq
	for _, l := range logs {
		l.dirty &^= 1 << p.index
		for _, v := range l.views {
			if v.pump != p {
				continue
			}
			if v.touched == nil {
				v.touched = map[*log]mark{}
			}
			v.touched[l] = v.logs[l]
			p.again(v)
		}
	}
	return subs
}

// again has v be looked at, in this round or the next.
func (p *pump) again(v *view) {
	if !v.queued {
		v.queued = true
		p.todo = append(p.todo, v)
	}
}

// dueAt moves what has waited long enough to what is looked at.
func (p *pump) dueAt(now time.Time) {
	left := p.later[:0]
	for _, v := range p.later {
		if now.Before(v.due) {
			left = append(left, v)
			continue
		}
		p.todo = append(p.todo, v)
	}
	clear(p.later[len(left):])
	p.later = left
}
