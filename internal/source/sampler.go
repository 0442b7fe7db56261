package source

import "time"

// A sampler lets a burst through, and then one more for each time that passes.
type sampler struct {
	burst int
	every time.Duration

	until time.Time // when all that went through will be forgotten
	more  int       // not let through since the last that was
}

// take answers whether the next goes through, and how many before it did not.
func (s *sampler) take() (more int, ok bool) {
	now := time.Now()
	if s.until.Before(now) {
		s.until = now
	}
	next := s.until.Add(s.every)
	if next.Sub(now) > time.Duration(s.burst)*s.every {
		s.more++
		return 0, false
	}
	s.until = next
	return s.rest(), true
}

// rest answers how many did not go through since the last that did, once.
func (s *sampler) rest() int {
	more := s.more
	s.more = 0
	return more
}
