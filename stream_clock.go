package leat

import (
	"errors"
	"math/rand/v2"
	"time"
)

// ExtendTimeout moves the inactivity and the request timeout d later.
func (s *Stream) ExtendTimeout(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if idle := s.idleBy(); !idle.IsZero() {
		s.floor = idle.Add(d)
	}
	if !s.endBy.IsZero() {
		s.endBy = s.endBy.Add(d)
	}
	s.schedule(time.Now())
}

// UpdateDeadline starts the inactivity and the request timeout anew.
func (s *Stream) UpdateDeadline() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.active.Store(ticks(now))
	s.floor, s.endBy = time.Time{}, time.Time{}
	if s.o.Request > 0 {
		s.endBy = now.Add(s.o.Request)
	}
	s.schedule(now)
}

// idleBy is when the inactivity timeout ends the stream; zero for never.
func (s *Stream) idleBy() time.Time {
	if s.o.Inactivity <= 0 {
		return time.Time{}
	}
	by := epoch.Add(time.Duration(s.active.Load())).Add(s.o.Inactivity)
	if by.Before(s.floor) {
		return s.floor
	}
	return by
}

// beatBy is when a heartbeat is due; zero for never.
func (s *Stream) beatBy() time.Time {
	if s.o.Heartbeat <= 0 {
		return time.Time{}
	}
	return epoch.Add(time.Duration(s.sent.Load())).Add(s.o.Heartbeat - s.jitter)
}

// schedule sets the alarm to what comes first. It is called with mu held.
func (s *Stream) schedule(now time.Time) {
	var first, due time.Time
	if s.conn != nil { // fn is called by the engine alone
		due = s.due
	}
	for _, t := range [...]time.Time{due, s.endBy, s.idleBy(), s.beatBy()} {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	switch {
	case s.ended:
	case s.conn != nil:
		s.conn.SetAlarm(first)
	case s.timer != nil && first.IsZero():
		s.timer.Stop()
	case s.timer != nil:
		s.timer.Reset(first.Sub(now))
	case !first.IsZero():
		s.timer = time.AfterFunc(first.Sub(now), s.alarm)
	}
}

// alarm does what is due.
func (s *Stream) alarm() {
	now := time.Now()
	s.mu.Lock()
	ended, endBy, idleBy, beatBy, due, fn := s.ended, s.endBy, s.idleBy(), s.beatBy(), s.due, s.fn
	if s.conn == nil || due.IsZero() || now.Before(due) {
		fn = nil
	} else {
		s.due = time.Time{} // until fn has returned, or changes it
	}
	s.mu.Unlock()
	is := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	switch {
	case ended:
		return
	case is(endBy):
		s.end(&TimeoutError{keyRequest}, true)
		return
	case is(idleBy):
		s.end(&TimeoutError{keyInactivity}, true)
		return
	case fn != nil:
		s.tick(fn)
	case is(beatBy):
		s.beat()
	}
	s.mu.Lock()
	now = time.Now()
	if fn != nil && s.due.IsZero() {
		s.due = nextTick(due, now, s.every)
	}
	s.schedule(now)
	s.mu.Unlock()
}

// nextTick is the first tick after now: those that were missed are skipped.
func nextTick(due, now time.Time, every time.Duration) time.Time {
	missed := int64(now.Sub(due) / every)
	return due.Add(time.Duration(missed+1) * every)
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
		s.format.comment(b, "")
		_ = s.deliver(b, 0) // what is refused is no loss: bytes are waiting
		b.free()
	}
	s.sent.Store(ticks(time.Now()))
	s.mu.Lock()
	s.jitter = rand.N(s.o.Heartbeat/5 + 1)
	s.mu.Unlock()
}

// epoch is what ticks count from. They are not the calendar's time: a clock that
// is set, as on a small device after its start, must not end streams.
var epoch = time.Now()

// ticks are the nanoseconds from epoch to t.
func ticks(t time.Time) int64 { return int64(t.Sub(epoch)) }

// moved notes that bytes went out, or came in.
func (s *Stream) moved(out bool) {
	now := ticks(time.Now())
	s.active.Store(now)
	if out {
		s.sent.Store(now)
	}
}
