package topic

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Conn takes what goes to a reader, as far as it has room: whole units, of which
// it keeps the rest of one that it has begun. It answers how many it has taken.
// Joined is all of them in one piece, or nil where there is one. When there is room
// again for more, whoever owns it calls [Sub.Ready].
type Conn interface {
	Offer(joined []byte, units [][]byte) (taken int)
}

// An Owner is who a reader belongs to.
type Owner interface {
	// Drop ends the reader, with [ErrSlow] or [ErrBare]. It is called by a pump,
	// once, and must not wait.
	Drop(reason error)
}

// The reasons of readers that are dropped.
var (
	ErrSlow = errors.New("leat: the reader is too slow for the topic (slow: 'disconnect')")
	ErrBare = errors.New("leat: messages are missing, and the reader has asked not to be told (bare)")
)

// A Sub is a reader: a cursor in the logs of its topics. Its methods may be called
// from any goroutine and never wait.
type Sub struct {
	v     *view
	conn  Conn
	held  *frame // that the connection may have a part of, but for the view's last
	owner Owner

	index   int          // in the view's current; -1: it is behind
	place   *place       // while it is behind
	base    atomic.Int64 // of the view's sent, when it became current; -1: it is behind
	bytes   atomic.Int64 // delivered, those since base not counted
	moved   atomic.Int64 // when something was last delivered to it alone, since the hub began
	lagging atomic.Bool  // Ready is to be heeded
	holding atomic.Bool  // so it is, since held is set
	drained atomic.Bool  // the connection has taken all that it had
	queued  atomic.Bool  // it is in the pump's inbox
	left    atomic.Bool
	gone    bool // it has left, and nothing counts it any more
	dropped bool
	joined  bool
	waits   bool // it is among those that are ahead

	mu      sync.Mutex
	begun   bool     // conn and owner are there
	private [][]byte // what it is told apart from messages
}

// Join begins the delivery to a connection, behind the units first. It has no
// effect behind a Leave.
func (s *Sub) Join(c Conn, o Owner, first ...[]byte) {
	s.mu.Lock()
	s.conn, s.owner, s.begun = c, o, true
	s.private = append(slices.Clip(first), s.private...)
	s.mu.Unlock()
	s.enqueue()
}

// begins says whether the reader has a connection.
func (s *Sub) begins() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun
}

// Ready says that the connection has taken all that it had of the reader.
func (s *Sub) Ready() {
	s.drained.Store(true)
	if s.lagging.Load() || s.holding.Load() {
		s.enqueue()
	}
}

// Leave ends the delivery. It may be called again, and without a Join.
func (s *Sub) Leave() {
	if !s.left.Swap(true) {
		s.enqueue()
	}
}

// Tell has a unit go out ahead of messages that are not begun.
func (s *Sub) Tell(unit []byte) {
	s.mu.Lock()
	s.private = append(s.private, unit)
	s.mu.Unlock()
	s.enqueue()
}

// Bytes is how many have been delivered.
func (s *Sub) Bytes() int64 {
	n := s.bytes.Load()
	if base := s.base.Load(); base >= 0 {
		n += s.v.sent.Load() - base
	}
	return n
}

// Moved is when something was last delivered, since the hub began.
func (s *Sub) Moved() time.Duration {
	at := s.moved.Load()
	if s.base.Load() >= 0 {
		at = max(at, s.v.moved.Load())
	}
	return time.Duration(at)
}

// Encoding is that of the reader's terms.
func (s *Sub) Encoding() Encoding { return s.v.terms.Encoding }

// Patterns are those of the reader's terms. They must not be changed.
func (s *Sub) Patterns() []string { return s.v.terms.Patterns }

func (s *Sub) enqueue() {
	if !s.queued.Swap(true) {
		s.v.pump.put(s)
	}
}

// take takes what the reader is to be told.
func (s *Sub) take() (private [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	private, s.private = s.private, nil
	return private
}

// back gives back what was not taken.
func (s *Sub) back(private [][]byte) {
	if len(private) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.private = slices.Concat(private, s.private)
}
