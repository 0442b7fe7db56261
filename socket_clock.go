package leat

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/leat-dev/leat/internal/engine"
)

// early is by how much something comes early that is to come by up to a fifth
// early, so that a crowd does not act in step: so many 2^32nds of the fifth.
type early uint32

func draw() early { return early(rand.Uint32()) }

// of is that part of every.
func (e early) of(every time.Duration) time.Duration {
	part, _ := bits.Mul64(uint64(every/5), uint64(e)<<32)
	return time.Duration(part)
}

// ExtendTimeout moves the inactivity and the request timeout d later.
func (s *Socket) ExtendTimeout(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if idle := s.idleBy(); idle != 0 {
		s.extra().notIdleFor = later(idle, d)
	}
	if s.endBy != 0 {
		s.endBy = later(s.endBy, d)
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
	if s.annex != nil {
		s.annex.notIdleFor = 0
	}
	s.endBy = 0
	if s.o.request > 0 {
		s.endBy = later(now, s.o.request)
	}
	s.schedule()
}

// idleBy is when the inactivity timeout ends the socket.
func (s *Socket) idleBy() int64 {
	if s.o.inactivity <= 0 {
		return 0
	}
	by := later(s.active.Load(), s.o.inactivity)
	if a := s.annex; a != nil && a.notIdleFor != 0 {
		by = max(by, a.notIdleFor)
	}
	return by
}

// pingBy is when the next ping is due, or, while a pong is waited for, when that
// is given up.
func (s *Socket) pingBy() (at int64, waiting bool) {
	every := s.o.pingEvery
	if every <= 0 {
		return 0, false
	}
	heard := s.heard.Load()
	since, waiting := heard>>1, heard&1 != 0
	if !waiting {
		return later(since, every-s.early.of(every)), false
	}
	if s.o.write > 0 {
		every = min(every, s.o.write)
	}
	return later(since, every), true
}

// heardAt is what Socket.heard is when a byte has come at t, and pingedAt, when a
// ping has been sent then that nothing has come behind.
func heardAt(t int64) int64  { return t << 1 }
func pingedAt(t int64) int64 { return t<<1 | 1 }

// later is d after t, or, where no number is so late, the last that is.
func later(t int64, d time.Duration) int64 {
	if d > 0 && t > math.MaxInt64-int64(d) {
		return math.MaxInt64
	}
	return t + int64(d)
}

// schedule sets the alarm to what comes first. It is called with mu held.
func (s *Socket) schedule() {
	if s.conn == nil || s.over {
		return
	}
	busy := s.signs.Or(alarmWaits)&isBusy != 0 // at once: what ends then asks for alarmWaits
	var due [3]int64
	switch {
	case s.state != socketOpen:
		due[0] = s.fate().closeBy
	case busy: // the other clocks stand
		due[0] = s.endBy
	default:
		s.sign(alarmWaits, false)
		due[0], due[1] = s.endBy, s.idleBy()
		due[2], _ = s.pingBy()
	}
	next := int64(0)
	for _, t := range due {
		if t != 0 && (next == 0 || t < next) {
			next = t
		}
	}
	s.conn.SetAlarm(timeOf(next))
}

// Alarm does what is due.
func (l *line) Alarm(c engine.Conn) {
	s := (*Socket)(l)
	now := ticks(time.Now())
	is := func(t int64) bool { return t != 0 && now >= t }
	s.mu.Lock()
	open, busy := s.state == socketOpen, s.has(isBusy)
	closeBy, endBy, idleBy := int64(0), s.endBy, s.idleBy()
	if !open {
		closeBy = s.fate().closeBy
	}
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
		s.heard.Store(pingedAt(now))
		s.mu.Lock()
		s.early = draw()
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
