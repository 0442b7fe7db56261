//go:build amd64 || arm64

package engine

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Loops share the work by need. One is enough while it keeps up, and costs least:
// each loop that is woken is a thread that is woken. One that has more to do than
// it can, gives connections to others; and those who have little to do give
// theirs back.

// A load is how much of its time a loop works, as others see it.
type load struct {
	percent atomic.Int32
	at      atomic.Int64 // when that was weighed, by the clock
	crowded atomic.Bool  // it has not rested for a while
}

const (
	// crowdedTime is how long a loop must have had something to do all the time.
	crowdedTime = 10 * time.Millisecond
	// weighTime is how long its work is looked at.
	weighTime = 100 * time.Millisecond
	// littleWork is what two loops must have less of, in percent, to become one.
	littleWork = 20
)

// place answers the loop for a new connection: the first that keeps up.
func (e *Loops) place() *loop {
	for _, l := range e.loops {
		if !l.load.crowded.Load() {
			return l
		}
	}
	return e.loops[int(e.next.Add(1))%len(e.loops)]
}

// of is the load as it was a moment ago: none where nobody has worked since.
func (l *load) of(now time.Duration) int32 {
	if now-time.Duration(l.at.Load()) > 3*weighTime {
		return 0
	}
	return l.percent.Load()
}

// weigh decides whether another loop takes connections over.
func (r *runner) weigh() {
	l := r.l
	if r.rested == 0 {
		r.rested = l.now
		if l.load.crowded.Load() {
			l.load.crowded.Store(false)
		}
	}
	crowded := l.now-r.rested > crowdedTime
	if since := l.now - r.weighed; crowded || since > weighTime {
		percent := int32(100 * r.worked / max(1, since))
		l.load.percent.Store(percent)
		l.load.at.Store(int64(l.now))
		r.weighed, r.worked = l.now, 0
		r.to, r.all = nil, false
		home := l.e.loops[0]
		switch {
		case crowded:
			l.load.crowded.Store(true)
			r.rested = l.now
			r.to = l.e.idle(l)
		case l != home && percent < littleWork && !home.load.crowded.Load() && home.load.of(l.now) < littleWork:
			r.to, r.all = home, true
		}
		return
	}
	if !r.all {
		r.to = nil // each other of one pass is enough
	}
}

// idle is a loop that has nothing to do right now, nil for none.
func (e *Loops) idle(but *loop) *loop {
	for _, l := range e.loops {
		if l != but && !l.load.crowded.Load() && !l.inbox.awake.Load() {
			return l
		}
	}
	return nil
}

// move gives the connection in a slot to another loop, which the system tells
// what it has to say. It answers false where something is under way on it.
func (r *runner) move(slot int32) bool {
	c := r.l.in(slot)
	if c == nil {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy || c.writing || c.posted || c.signals > 0 || c.ending || c.closed || c.hears != hearsAll {
		return false
	}
	from, to := r.l, r.to
	old := c.slot
	if to.admit(c) != nil {
		c.slot = old
		return false
	}
	_ = unix.EpollCtl(from.epoll, unix.EPOLL_CTL_DEL, int(c.fd), nil) // it is there
	from.mu.Lock()
	from.release(old)
	from.mu.Unlock()
	from.open.Add(-1)
	from.alarms.Lock()
	from.wheel.remove(&c.timer)
	c.loop.Store(to)
	from.alarms.Unlock()
	to.alarms.Lock()
	early := c.wind(to)
	to.alarms.Unlock()
	if early {
		to.wake()
	}
	from.counts.moved.Add(1)
	return true
}
