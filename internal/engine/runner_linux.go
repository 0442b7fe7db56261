//go:build amd64 || arm64

package engine

import (
	"errors"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/leat-dev/leat/internal/buffer"
)

// A runner is the goroutine that runs a loop, until a callback holds it up: then
// the loop has another, and this one ends behind the callback.
type runner struct {
	l      *loop
	buf    *buffer.Buffer // what is read
	events [128]unix.EpollEvent
	found  int // of events
	poll   func(epoll uintptr) bool
	waited bool          // in the poll under way
	set    time.Duration // the deadline of the wait; 0: none, -1: not known
	vacant time.Duration // since when the loop has no connection; 0: it has
	kept   time.Duration // of the processor, since others were let in

	rested  time.Duration // when the loop last had nothing to do
	worked  time.Duration // of the time since weighed
	weighed time.Duration
	to      *loop // takes connections over from this one; nil: none does
	all     bool  // each that has something to do, not each other
}

func (l *loop) run() {
	r := &runner{l: l, buf: buffer.Get(muchSize)}
	defer r.buf.Free()
	r.poll = r.look
	r.set = -1
	if l.open.Load() == 0 { // nor may one come
		r.vacant = clock()
	}
	for r.pass() {
		continue
	}
}

// pass waits for something to do, and does it. It answers false when the loop is
// somebody else's, or has ended.
func (r *runner) pass() bool {
	l := r.l
	r.wait()
	began := clock()
	l.now = began
	r.weigh()
	for i := range r.events[:r.found] {
		if r.to != nil && (r.all || i&1 != 0) && r.move(r.events[i].Fd) {
			continue
		}
		if !r.event(&r.events[i]) {
			return false
		}
	}
	r.ring()
	if !r.empty() || r.ends() {
		return false
	}
	r.worked += l.now - began
	if r.kept += l.now - began; r.kept > yieldTime {
		runtime.Gosched() // new connections need the processor, too
		r.kept = 0
	}
	return true
}

// yieldTime is how long a loop may work before it lets others in, which wakes
// another thread.
const yieldTime = time.Millisecond

// emptyTime of a loop that has no connection is how long it waits for one.
const emptyTime = time.Second

// wait looks for events, and waits for them when there is nothing else to do.
func (r *runner) wait() {
	l := r.l
	r.found = 0
	until := r.until()
	if until != r.set {
		r.set = until
		deadline := time.Time{}
		if until > 0 {
			deadline = epoch.Add(until)
		}
		_ = l.file.SetReadDeadline(deadline) // it takes deadlines
	}
	l.inbox.awake.Store(false)
	if !l.inbox.empty() || r.until() != until { // who has asked for it meanwhile did not wake us
		l.inbox.awake.Store(true)
		r.waited = false
		r.look(uintptr(l.epoll))
		return
	}
	r.waited = false
	err := l.raw.Read(r.poll)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		r.set = -1 // it has come, or somebody has woken us
		r.look(uintptr(l.epoll))
	}
	if l.inbox.awake.Swap(true) {
		r.set = -1
	}
}

// until is when the loop must look at its timers, at the latest.
func (r *runner) until() time.Duration {
	l := r.l
	l.alarms.Lock()
	tick, ok := l.wheel.next()
	l.alarms.Unlock()
	switch {
	case ok:
		return max(1, time.Duration(tick)*time.Millisecond)
	case r.vacant > 0:
		return r.vacant + emptyTime
	}
	return 0
}

// look is called when there may be events, and answers whether there are.
func (r *runner) look(epoll uintptr) bool {
	l := r.l
	l.counts.polls.Add(1)
	if r.waited {
		l.counts.wakes.Add(1)
		r.rested = 0
	}
	r.waited = true
	n, e := poll(epoll, r.events[:])
	if e != 0 {
		n = 0
	}
	r.found = n
	return n > 0
}

// event sees to what the system says of a connection.
func (r *runner) event(ev *unix.EpollEvent) bool {
	c := r.l.in(ev.Fd)
	if c == nil {
		return true
	}
	if ev.Events&unix.EPOLLOUT != 0 {
		c.mu.Lock()
		c.blocked = false
		if c.write(); !c.blocked && !c.closed && c.o.Stall > 0 {
			c.stall()
		}
		if !c.busy {
			c.thaw()
		}
		c.mu.Unlock()
	}
	if ev.Events&^unix.EPOLLOUT != 0 {
		return r.readable(c, ev.Events)
	}
	return true
}

// ring sees to the timers that are due.
func (r *runner) ring() {
	l := r.l
	for first := true; ; first = false {
		l.alarms.Lock()
		if first {
			l.wheel.turn(int64(l.now / time.Millisecond))
		}
		t := l.wheel.pop()
		if t == nil {
			l.alarms.Unlock()
			return
		}
		c := connOf(t)
		alarm, own := c.due(l.now)
		l.alarms.Unlock()
		if own {
			c.late()
		}
		if alarm {
			c.signal(Handler.Alarm)
		}
	}
}

// empty sees to the connections in the inbox as it is now.
func (r *runner) empty() bool {
	l := r.l
	l.inbox.mu.Lock()
	n := len(l.inbox.conns) - l.inbox.at
	l.inbox.mu.Unlock()
	for ; n > 0; n-- {
		c := l.inbox.take()
		if c == nil {
			break
		}
		if !r.attend(c) {
			return false
		}
	}
	return true
}

// ends ends a loop that has had no connection for a while.
func (r *runner) ends() bool {
	l := r.l
	switch {
	case l.open.Load() > 0:
		r.vacant = 0
	case r.vacant == 0:
		r.vacant = l.now
	case l.now-r.vacant >= emptyTime:
		return l.stop()
	}
	return false
}
