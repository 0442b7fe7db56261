package leat

import (
	"time"

	"github.com/leat-dev/leat/internal/serve"
)

// StreamOptions say how a stream behaves. The zero value takes everything from
// the route, the server's configuration and the defaults of web.json5, in that
// order.
type StreamOptions struct {
	// Heartbeat is how long nothing may be sent before a heartbeat is: a
	// comment in SSE, an empty line in NDJSON. Never turns it off. The default
	// is timeouts.heartbeat, 25 s.
	Heartbeat time.Duration
	// Queue is how many bytes may wait for the reader of a stream that was
	// handed over. The default is limits.queue, 256 KiB.
	Queue int64
	// Write is how long the reader may take no byte before the stream ends.
	// The default is timeouts.write, 30 s.
	Write time.Duration
	// Inactivity is how long no byte may go either way before the stream ends.
	// The default is timeouts.inactivity, 5 min; heartbeats renew it.
	Inactivity time.Duration
	// Request is the most that the stream may last. The default is the
	// timeouts.request that the route or the file sets, else Never.
	Request time.Duration
	// Slow is what happens when the queue is full.
	Slow SlowPolicy
	// HalfClose is "end" or "ignore": whether a reader that ends its half of
	// the connection has left. The default is halfClose, "end". In the
	// blocking style "ignore" needs a Leat server.
	HalfClose string
}

// A SlowPolicy says what happens to a record when limits.queue bytes wait for
// the reader of a stream that was handed over. In the blocking style Send
// waits instead.
type SlowPolicy int

const (
	// SlowError has Send answer ErrSlowReader; the stream lives on without the
	// record.
	SlowError SlowPolicy = iota
	// SlowEnd ends the stream with ErrSlowReader.
	SlowEnd
)

// streamTerms are what a stream is told. Streams that are told the same share
// them; nobody changes them.
type streamTerms struct {
	StreamOptions // resolved: positive, or 0 for none
	srv           *Server
	format        *format
}

// streamOptions resolves o, which may be nil, for a stream of this server: by
// its route, where a Leat server leads the request.
func (s *Server) streamOptions(o *StreamOptions, x *serve.Exchange) StreamOptions {
	b := s.bounds(x)
	if o == nil {
		o = &StreamOptions{}
	}
	r := *o
	r.Heartbeat = positive(first(o.Heartbeat, b.Heartbeat))
	r.Write = positive(first(o.Write, b.Write))
	r.Inactivity = positive(first(o.Inactivity, b.Inactivity))
	if b.Whole {
		r.Request = first(o.Request, b.Request)
	}
	r.Request = positive(r.Request)
	r.Queue = first(o.Queue, b.Queue)
	if r.Queue <= 0 {
		r.Queue = unbounded
	}
	if r.HalfClose == "" {
		r.HalfClose = HalfCloseEnd
		if b.IgnoreEOF {
			r.HalfClose = HalfCloseIgnore
		}
	}
	return r
}

// unbounded is what a size without a bound comes to: nothing is without one.
const unbounded = 1 << 30
