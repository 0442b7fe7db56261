package leat

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// A streamAnnex holds what few streams need, so that an idle one is small. It is
// made when the first of it is needed, and used with mu held.
type streamAnnex struct {
	scope
	lastEventID string
	onClose     []func(error)
	notIdleFor  int64 // ExtendTimeout's: the inactivity timeout is not before, as ticks; 0 for none
	stray       int64 // bytes that the reader sent beyond its request
	err         error

	// Of a reader of topics.
	leave    func()  // its address's share; nil: nothing is counted
	expiry   *expiry // of its token; nil: it has none that ends
	farewell []byte  // goes out ahead of the end
}

// An expiry is the end of a token.
type expiry struct {
	at   int64 // as ticks
	told bool
}

// A streamOrigin is the handler that a stream comes from, and its response.
type streamOrigin struct {
	origin
	response *response // nil once the connection has been taken over
}

// response is nil once the connection has been taken over. It is called with mu
// held, or, before the hand-over, with the writer's lock.
func (s *Stream) response() *response {
	if s.from == nil {
		return nil
	}
	return s.from.response
}

// A response is what a stream has of its handler, until its connection is taken
// over. Who has the writer's lock may use w, rc, request and what is written.
type response struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	request *http.Request
	arms    bool // each write sets a deadline
	started bool // the header is written

	deadline atomic.Int64 // of the write under way, as ticks; 0 for none

	unbind func() bool // from the request's context; the stream's mu guards it, and timer
	timer  *time.Timer
}

// extra is the annex. It is called with mu held.
func (s *Stream) extra() *streamAnnex {
	if s.annex == nil {
		s.annex = &streamAnnex{}
	}
	return s.annex
}

// reason is Err for who has mu.
func (s *Stream) reason() error {
	if s.annex == nil {
		return nil
	}
	return s.annex.err
}

// endCause is the cause of the context's end. It is called with mu held.
func (s *Stream) endCause() error { return first(s.reason(), context.Canceled) }

// listing is for the server's roll.
func (s *Stream) listing() *member[Stream] { return &s.member }
