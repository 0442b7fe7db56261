//go:build amd64 || arm64

package engine

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/leat-dev/leat/internal/buffer"
)

// A conn is a connection of a loop. Idle, it is all that is held for it.
type conn struct {
	timer // first, see connOf
	h     Handler
	o     *Options
	owner Owner // nil: nobody counts it
	cold  *cold

	// By the loop's clock, with its alarms; 0: none.
	alarm time.Duration // the handler's
	own   time.Duration // of a peer that takes nothing, or does not close

	// An offer looks at these and at nothing before them: of many readers each line of
	// memory that is looked at has to be fetched.

	loop    atomic.Pointer[loop] // changes with mu and the loop's alarms; see move
	secure  *secure              // nil for a connection without TLS
	mu      sync.Mutex
	queue   *buffer.Buffer // nil: nothing waits behind out
	out     *buffer.Buffer // what is being written; it begins with a unit
	at      int32          // bytes of out that are written
	waiting int32          // bytes of Sends that are not written
	fd      int32
	slot    int32
	waits   waits // what epoll has been told
	signals int8  // Alarm, Hangup and Ending that run, or are about to

	busy    bool // a callback runs, or what it sent is being written
	pass    bool // it will be written behind the callback
	writing bool
	blocked bool // the system takes nothing; epoll will say when it does
	urged   bool // Ahead is owed
	posted  bool // in the loop's inbox

	hears     hearing
	eof       bool // the peer has ended its half
	ending    bool
	closed    bool // nothing is sent any more
	lingering bool // the peer has yet to close
	shut      bool // the descriptor is closed
	fate      fate
	offers    offers
}

// A fate is what has become of a connection that has ended.
type fate int8

const (
	fateOpen      fate = iota
	fateTold           // Closed has been called, or is about to be
	fateForgotten      // by the loop, too
)

// A hearing is what is heard of the peer.
type hearing int8

const (
	hearsAll  hearing = iota
	hearsEnd          // a callback runs: nothing is read for now
	hearsFail         // and there is more to be read before the end
)

// cold is what few connections have, and not for long.
type cold struct {
	first   []byte       // what had been read before
	calls   []func(Conn) // of Call
	called  int          // of calls
	reason  error        // of the end
	above   surplus      // of the bytes that wait
	dropped int          // bytes that came behind the end
	leadAt  int          // what Ahead gave lies there in out
	lead    int          // and is so long
}

// rare is c's cold part. It is called with mu held.
func (c *conn) rare() *cold {
	if c.cold == nil {
		c.cold = colds.Get().(*cold)
	}
	return c.cold
}

var colds = sync.Pool{New: func() any { return new(cold) }}

// due says whether a call waits.
func (k *cold) due() bool { return k.called < len(k.calls) }

// thaw gives the cold part back when nothing is in it. It is called with mu held.
func (c *conn) thaw() {
	k := c.cold
	if k == nil || c.ending || c.closed || k.first != nil || k.due() || k.above.size > 0 || k.lead > 0 {
		return
	}
	c.cold = nil
	if cap(k.calls) > callsKept {
		k.calls = nil
	}
	*k = cold{calls: k.calls[:0]}
	colds.Put(k)
}

// callsKept is the room for calls that is kept for others.
const callsKept = 16

// connOf is the connection of a timer.
func connOf(t *timer) *conn { return (*conn)(unsafe.Pointer(t)) }

// post has the loop see to c. It is called with mu held.
func (c *conn) post() {
	if !c.posted && c.fate != fateForgotten {
		c.posted = true
		c.loop.Load().post(c)
	}
}

// waits is what a connection waits for.
type waits uint8

const (
	waitsIn   waits = 1 << iota // bytes of the peer, or its end
	waitsEnd                    // its end alone
	waitsOut                    // room for what is written
	waitsOnce                   // what is said unasked, but once
)

// epoll is how the system says it.
func (w waits) epoll() (mask uint32) {
	for i, bit := range [...]uint32{unix.EPOLLIN, unix.EPOLLRDHUP, unix.EPOLLOUT, unix.EPOLLET} {
		if w>>i&1 != 0 {
			mask |= bit
		}
	}
	return mask
}

// listen tells epoll what is waited for, if that has changed. It is called with
// mu held.
func (c *conn) listen() {
	var w waits
	switch {
	case c.eof:
	case c.hears == hearsFail:
		w = waitsOnce
	case c.hears == hearsEnd:
		w = waitsEnd
	default:
		w = waitsIn
	}
	if c.blocked {
		w |= waitsOut
	}
	if w == c.waits || c.shut {
		return
	}
	c.waits = w
	_ = c.loop.Load().control(unix.EPOLL_CTL_MOD, c) // a connection that is alive is known there
}

// SetAlarm sets the one alarm; see Conn.
func (c *conn) SetAlarm(t time.Time) {
	at := time.Duration(0)
	if !t.IsZero() {
		at = max(1, t.Sub(epoch))
	}
	c.set(&c.alarm, at)
}

// never is the deadline of a connection that has none any more.
const never time.Duration = -1

// set sets a deadline of c.
func (c *conn) set(which *time.Duration, at time.Duration) {
	l := c.lockAlarms()
	if *which == at || *which == never {
		l.alarms.Unlock()
		return
	}
	*which = at
	early := c.wind(l)
	l.alarms.Unlock()
	if early {
		l.wake()
	}
}

// lockAlarms locks the alarms of c's loop, whichever that is by then.
func (c *conn) lockAlarms() *loop {
	for {
		l := c.loop.Load()
		l.alarms.Lock()
		if c.loop.Load() == l {
			return l
		}
		l.alarms.Unlock()
	}
}

// wind puts c's timer where the first of its deadlines is, and answers whether
// the loop must look sooner for it. What is past is due with the next tick: an
// alarm that sets itself anew has others between. It is called with the loop's
// alarms.
func (c *conn) wind(l *loop) bool {
	w := &l.wheel
	w.remove(&c.timer)
	first := c.alarm
	if c.own > 0 && (first <= 0 || c.own < first) {
		first = c.own
	}
	if first <= 0 {
		return false
	}
	before, any := w.next()
	w.insert(&c.timer, max(tickOf(first), w.now+1))
	after, _ := w.next()
	return !any || after < before || w.due != nil
}

// due answers which deadlines have come, and takes them off.
func (c *conn) due(now time.Duration) (alarm, own bool) {
	if alarm = c.alarm > 0 && c.alarm <= now; alarm {
		c.alarm = 0
	}
	if own = c.own > 0 && c.own <= now; own {
		c.own = 0
	}
	c.wind(c.loop.Load())
	return alarm, own
}
