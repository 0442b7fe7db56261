package leat

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/leat-dev/leat/internal/topic"
)

// stream answers a reader with NDJSON or SSE for as long as both want.
func (t *topics) stream(w http.ResponseWriter, r *http.Request, q *topicRequest, c *caller, want string) {
	leave, err := t.caps.enter(r.RemoteAddr)
	if err != nil {
		t.refuse(w, r, err)
		return
	}
	form, on := formatNDJSON, &ndjsonFormat
	switch {
	case want == typeSSE && q.envelope:
		form, on = formatEnvelope, &sseFormat
	case want == typeSSE:
		form, on = formatSSE, &sseFormat
	case q.bare:
		form = formatBare
	}
	s, err := beginFor(t.srv, w, r, nil, on)
	if err != nil {
		if leave != nil {
			leave()
		}
		return
	}
	t.terms(&q.terms, s.o.Heartbeat)
	s.mu.Lock()
	if leave != nil {
		s.extra().leave = leave
	}
	over := s.over
	s.mu.Unlock()
	if over || r.Method == http.MethodHead { // or its reader has left meanwhile
		s.unsubscribe()
		return
	}
	expires := c.expires()
	s.handOver(func() { t.subscribe(s, form, q, expires) })
}

// subscribe has a stream that is handed over read its topics.
func (t *topics) subscribe(s *Stream, form int, q *topicRequest, expires time.Time) {
	s.mu.Lock()
	conn, chunked := s.conn, s.chunked
	s.mu.Unlock()
	if conn == nil { // it has ended before
		s.unsubscribe()
		return
	}
	q.terms.Encoding = encodingOf(form, chunked)
	sub, begin := t.hub.Subscribe(q.terms, q.start)
	s.sub.Store(sub)
	s.mu.Lock()
	over := s.over
	s.mu.Unlock()
	if over {
		s.unsubscribe()
		return
	}
	t.join(sub, conn, (*fed)(s), q, begin)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !expires.IsZero() { // which may have to be told at once, behind the first record
		s.extra().expiry = &expiry{at: ticks(time.Now().Add(time.Until(expires)))}
	}
	s.schedule()
}

// join has a reader begin, by what it is to be told first.
func (t *topics) join(sub *topic.Sub, conn topic.Conn, owner topic.Owner, q *topicRequest, begin *topic.Control) {
	d := &dialects[q.terms.Encoding]
	first := d.record(recordOf(begin, q))
	switch {
	case first != nil:
		sub.Join(conn, owner, first)
	case begin.Name == topic.Gap || begin.Name == topic.Reset:
		owner.Drop(topic.ErrBare)
	default:
		sub.Join(conn, owner)
	}
}

// A fed stream is one that reads topics, as they see it.
type fed Stream

// Drop ends the stream.
func (f *fed) Drop(reason error) { (*Stream)(f).end(topicEnd(reason), true) }

// topicEnd is why a reader was dropped.
func topicEnd(reason error) error {
	if errors.Is(reason, topic.ErrSlow) || errors.Is(reason, topic.ErrBare) {
		return &slowError{reason}
	}
	return reason
}

// A slowError is ErrSlowReader with what the topics say.
type slowError struct{ err error }

func (e *slowError) Error() string        { return e.err.Error() }
func (e *slowError) Is(target error) bool { return target == ErrSlowReader }
func (e *slowError) Unwrap() error        { return e.err }

// unsubscribe ends what the stream has of topics.
func (s *Stream) unsubscribe() {
	if sub := s.sub.Load(); sub != nil {
		sub.Leave()
	}
	s.mu.Lock()
	var leave func()
	if s.annex != nil {
		leave, s.annex.leave = s.annex.leave, nil
	}
	s.mu.Unlock()
	if leave != nil {
		leave()
	}
}

// fed is how many bytes its topics have sent.
func (s *Stream) fed() int64 {
	if sub := s.sub.Load(); sub != nil {
		return sub.Bytes()
	}
	return 0
}

// lastActive is when a byte last went either way, as ticks.
func (s *Stream) lastActive() int64 {
	at := s.active.Load()
	if sub := s.sub.Load(); sub != nil {
		at = max(at, ticks(s.o.srv.topics.hub.Began().Add(sub.Moved())))
	}
	return at
}

// expiryTold is how long before its token's end a reader is told.
const expiryTold = 5 * time.Second

// expiryBy is when something is to be done about the token's end, as ticks; 0: never.
// It is called with mu held.
func (s *Stream) expiryBy() int64 {
	if s.annex == nil || s.annex.expiry == nil {
		return 0
	}
	return s.annex.expiry.by()
}

func (e *expiry) by() int64 {
	if e.told {
		return e.at
	}
	return max(1, e.at-int64(expiryTold))
}

// expires tells the reader of the token's end, or ends the stream with it.
func (s *Stream) expires() {
	sub := s.sub.Load()
	s.mu.Lock()
	e := s.annex.expiry
	left := time.Duration(e.at - ticks(time.Now()))
	told := e.told
	e.told = true
	s.mu.Unlock()
	switch {
	case told || left <= 0:
		s.end(ErrExpired, true)
	case sub != nil && !mute(sub):
		sub.Tell(dialects[sub.Encoding()].record(expired(left)))
	}
}

// expired is the record of a token that ends.
func expired(left time.Duration) *controlRecord {
	return &controlRecord{Control: "expired", In: float64(left.Round(100*time.Millisecond)) / float64(time.Second)}
}

// drain has a reader of topics told to come back, before the server stops.
func (s *Stream) drain() {
	sub := s.sub.Load()
	if sub == nil || mute(sub) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.extra().farewell = dialects[sub.Encoding()].record(&controlRecord{Control: "drain", Retry: retryIn().Milliseconds()})
	}
}

// retryIn is when one reader comes back to a server that restarts: not all at once.
func retryIn() time.Duration { return 500*time.Millisecond + rand.N(4500*time.Millisecond) }

// mute says whether a reader has asked not to be told anything but data.
func mute(sub *topic.Sub) bool { return dialects[sub.Encoding()].control == nil }
