// Package metrics counts what happens in one server.
package metrics

import "sync/atomic"

// Counters are the counts of one server. The zero value is ready; its fields
// may be used from any goroutine.
type Counters struct {
	Connections  atomic.Int64 // open now
	Refused      atomic.Int64 // connections answered 503 for limits.connections
	BadRequests  atomic.Int64 // answered 400, 408 or 431 before there was a request
	Requests     atomic.Int64 // begun
	Panics       atomic.Int64 // handlers and callbacks that panicked
	Streams      atomic.Int64 // open now
	Records      atomic.Int64 // sent by streams
	SlowRecords  atomic.Int64 // refused because a reader's queue was full
	StreamsEnded Ends

	Sockets        atomic.Int64 // open now
	SocketsRefused atomic.Int64 // handshakes that were not answered 101
	MessagesIn     atomic.Int64 // that came whole
	MessagesOut    atomic.Int64 // that were queued whole
	SlowMessages   atomic.Int64 // refused because a peer's queue was full
	SocketsEnded   Ends
}

// A Reason says why a stream, a response that was flushed, or a socket ended.
type Reason int

// The reasons, in the order of their names.
const (
	Done Reason = iota
	Gone
	Stalled
	Slow
	RequestTimeout
	InactivityTimeout
	Shutdown
	Panic
	Failed
	NoPong
	TooBig
	Protocol
	Behind
	Expired
	reasons
)

var names = [reasons]string{
	Done:              "done",
	Gone:              "reader gone",
	Stalled:           "timeouts.write",
	Slow:              "limits.queue",
	RequestTimeout:    "timeouts.request",
	InactivityTimeout: "timeouts.inactivity",
	Shutdown:          "shutdown",
	Panic:             "panic",
	Failed:            "failed",
	NoPong:            "webSockets.ping",
	TooBig:            "limits.maxMessage",
	Protocol:          "protocol",
	Behind:            "topics.slow",
	Expired:           "token expired",
}

// String is the reason's name, as the log and the counters show it.
func (r Reason) String() string { return names[r] }

// Ends counts ends by their reasons.
type Ends [reasons]atomic.Int64

// ByName answers the ends counted so far, by the names of their reasons.
func (e *Ends) ByName() map[string]int64 {
	ended := map[string]int64{}
	for r, name := range names {
		if n := e[r].Load(); n > 0 {
			ended[name] = n
		}
	}
	return ended
}

// The messages of the log, as its readers search for them.
const (
	LogRequest    = "request"
	LogBadRequest = "bad request"
	LogPanic      = "panic"
	LogListening  = "listening"
	LogStopping   = "stopping"
	LogAccept     = "accept"
	LogRefused    = "websocket refused"
	LogWrapped    = "connections of this kind are kept by goroutines"
)
