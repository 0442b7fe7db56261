package leat

import (
	"errors"
	"time"
)

// ExtendTimeout moves the inactivity and the request timeout d later.
func (s *Stream) ExtendTimeout(d time.Duration) {
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
func (s *Stream) UpdateDeadline() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := ticks(time.Now())
	s.active.Store(now)
	if s.annex != nil {
		s.annex.notIdleFor = 0
	}
	s.endBy = 0
	if s.o.Request > 0 {
		s.endBy = later(now, s.o.Request)
	}
	s.schedule()
}

// idleBy is when the inactivity timeout ends the stream; 0 for never.
func (s *Stream) idleBy() int64 {
	if s.o.Inactivity <= 0 {
		return 0
	}
	by := later(s.lastActive(), s.o.Inactivity)
	if a := s.annex; a != nil && a.notIdleFor != 0 {
		by = max(by, a.notIdleFor)
	}
	return by
}

// beatBy is when a heartbeat is due; 0 for never.
func (s *Stream) beatBy() int64 {
	if s.o.Heartbeat <= 0 || s.sub.Load() != nil { // its topics send them
		return 0
	}
	return later(s.sent.Load(), s.o.Heartbeat-s.early.of(s.o.Heartbeat))
}

// schedule sets the alarm to what comes first. It is called with mu held.
func (s *Stream) schedule() {
	if s.ended {
		return
	}
	var next, due int64
	if s.conn != nil { // fn is called by the engine alone
		due = s.due
	}
	for _, t := range [...]int64{due, s.endBy, s.idleBy(), s.beatBy(), s.expiryBy()} {
		if t != 0 && (next == 0 || t < next) {
			next = t
		}
	}
	if s.conn != nil {
		s.conn.SetAlarm(timeOf(next))
		return
	}
	switch r, wait := s.response(), time.Duration(next-ticks(time.Now())); {
	case r.timer != nil && next == 0:
		r.timer.Stop()
	case r.timer != nil:
		r.timer.Reset(wait)
	case next != 0:
		r.timer = time.AfterFunc(wait, s.alarm)
	}
}

// alarm does what is due.
func (s *Stream) alarm() {
	now := ticks(time.Now())
	is := func(t int64) bool { return t != 0 && now >= t }
	s.mu.Lock()
	s.rung = false
	ended, endBy, idleBy, beatBy, due, fn := s.ended, s.endBy, s.idleBy(), s.beatBy(), s.due, s.fn
	expiryBy := s.expiryBy()
	if s.conn == nil || !is(due) {
		fn = nil
	} else {
		s.due = 0 // until fn has returned, or changes it
	}
	s.mu.Unlock()
	switch {
	case ended:
		return
	case is(endBy):
		s.end(&TimeoutError{keyRequest}, true)
		return
	case is(idleBy):
		s.end(&TimeoutError{keyInactivity}, true)
		return
	case is(expiryBy):
		s.expires()
	case fn != nil:
		s.tick(fn)
	case is(beatBy):
		s.beat()
	}
	s.mu.Lock()
	if fn != nil && s.due == 0 {
		s.due = nextTick(due, ticks(time.Now()), s.every)
	}
	s.schedule()
	s.mu.Unlock()
}

// nextTick is the first tick after now: those that were missed are skipped.
func nextTick(due, now int64, every time.Duration) int64 {
	missed := (now - due) / int64(every)
	return later(due+missed*int64(every), every)
}

func (s *Stream) tick(fn func() error) {
	err := fn()
	switch {
	case err == nil:
	case errors.Is(err, Done):
		s.end(nil, true)
	case errors.Is(err, ErrSlowReader) && s.o.Slow == SlowError:
	case errors.Is(err, ErrClosed):
		s.mu.Lock()
		conn, ended := s.conn, s.ended
		s.mu.Unlock()
		if !ended { // a connection that has failed keeps its own reason
			conn.Abort(err)
		}
	default:
		s.end(err, false)
	}
}

// beat sends a heartbeat, unless somebody is just writing, and draws when the
// next one is due: up to a fifth early, so that a crowd of readers does not
// beat in step.
func (s *Stream) beat() {
	if s.writer.TryLock() {
		b := getScratch()
		s.o.format.comment(b, "")
		_ = s.deliver(b, 0) // what is refused is no loss: bytes are waiting
		b.free()
	}
	s.sent.Store(ticks(time.Now()))
	s.mu.Lock()
	s.early = draw()
	s.mu.Unlock()
}

// epoch is what ticks count from. They are not the calendar's time: a clock that
// is set, as on a small device after its start, must not end streams.
var epoch = time.Now()

// ticks are the nanoseconds from epoch to t.
func ticks(t time.Time) int64 { return int64(t.Sub(epoch)) }

// timeOf is the time of these ticks; of 0, which is for none, the zero time.
func timeOf(t int64) time.Time {
	if t == 0 {
		return time.Time{}
	}
	return epoch.Add(time.Duration(t))
}

// moved notes that bytes went out, or came in.
func (s *Stream) moved(out bool) {
	now := ticks(time.Now())
	s.active.Store(now)
	if out {
		s.sent.Store(now)
	}
}
