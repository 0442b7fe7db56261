package leat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/leat-dev/leat/internal/engine"
)

// clocks are a socket's deadlines, in ticks; 0 for none.
type clocks struct {
	endBy   int64 // the request timeout
	floor   int64 // the inactivity timeout is not before; always set
	pinged  int64 // when the last ping was sent; always set
	jitter  int64 // how much earlier the next one is
	closeBy int64 // the close handshake is given up
}

// ExtendTimeout moves the inactivity and the request timeout d later.
func (s *Socket) ExtendTimeout(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if idle := s.idleBy(); idle != 0 {
		s.clocks.floor = later(idle, d)
	}
	if s.clocks.endBy != 0 {
		s.clocks.endBy = later(s.clocks.endBy, d)
	}
	s.schedule()
}

// UpdateDeadline starts the inactivity and the request timeout anew.
func (s *Socket) UpdateDeadline() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.startClocks()
}

// startClocks is UpdateDeadline for who has mu.
func (s *Socket) startClocks() {
	now := ticks(time.Now())
	s.active.Store(now)
	s.clocks.floor, s.clocks.endBy = now, 0
	if s.o.request > 0 {
		s.clocks.endBy = later(now, s.o.request)
	}
	s.schedule()
}

// idleBy is when the inactivity timeout ends the socket.
func (s *Socket) idleBy() int64 {
	if s.o.inactivity <= 0 {
		return 0
	}
	return max(later(s.active.Load(), s.o.inactivity), s.clocks.floor)
}

// pingBy is when the next ping is due, or, while a pong is waited for, when that
// is given up.
func (s *Socket) pingBy() (at int64, waiting bool) {
	every := s.o.pingEvery
	if every <= 0 {
		return 0, false
	}
	received, pinged := s.received.Load(), s.clocks.pinged
	if received >= pinged {
		return later(received, every-time.Duration(s.clocks.jitter)), false
	}
	if s.o.write > 0 {
		every = min(every, s.o.write)
	}
	return later(pinged, every), true
}

// later is d after t, or, where no number is so late, the last that is.
func later(t int64, d time.Duration) int64 {
	if d > 0 && t > math.MaxInt64-int64(d) {
		return math.MaxInt64
	}
	return t + int64(d)
}

// schedule sets the alarm to what comes first. It is called with mu held.
func (s *Socket) schedule() {
	c := &s.clocks
	if s.conn == nil || s.over {
		return
	}
	s.missed.Store(true) // before busy is asked: what ends then asks for missed
	var due [3]int64
	switch {
	case s.state != socketOpen:
		due[0] = c.closeBy
	case s.busy.Load(): // the other clocks stand
		due[0] = c.endBy
	default:
		s.missed.Store(false)
		due[0], due[1] = c.endBy, s.idleBy()
		due[2], _ = s.pingBy()
	}
	next := int64(0)
	for _, t := range due {
		if t != 0 && (next == 0 || t < next) {
			next = t
		}
	}
	if next == 0 {
		s.conn.SetAlarm(time.Time{})
		return
	}
	s.conn.SetAlarm(epoch.Add(time.Duration(next)))
}

// Alarm does what is due.
func (l *line) Alarm(c engine.Conn) {
	s := (*Socket)(l)
	now := ticks(time.Now())
	is := func(t int64) bool { return t != 0 && now >= t }
	s.mu.Lock()
	open, busy := s.state == socketOpen, s.busy.Load()
	closeBy, endBy, idleBy := s.clocks.closeBy, s.clocks.endBy, s.idleBy()
	pingBy, waiting := s.pingBy()
	s.mu.Unlock()
	switch {
	case !open:
		if is(closeBy) {
			c.Abort(errNoClose)
		}
		return
	case is(endBy):
		s.timedOut(keyRequest)
		return
	case busy:
	case is(idleBy):
		s.timedOut(keyInactivity)
		return
	case is(pingBy) && waiting:
		s.fail(CloseGoingAway, keyPing, &TimeoutError{keyPing})
		return
	case is(pingBy):
		s.mu.Lock()
		s.clocks.pinged, s.clocks.jitter = now, int64(rand.N(s.o.pingEvery/5+1))
		s.mu.Unlock()
		_ = s.ping(nil) // it is refused where pings wait, which will do
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.schedule()
}

var errNoClose = fmt.Errorf("%w: the close was not answered", ErrGone)

// timedOut closes the socket with the name of the timeout.
func (s *Socket) timedOut(key string) {
	s.startClose(CloseGoingAway, key, &TimeoutError{key}, true)
}
