package load

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

// A Records is a load of readers, each of which wants a record every so often and
// says so in its URL: ?every=20ms. The server keeps the time.
type Records struct {
	URL   string
	Kind  string // SSE or NDJSON
	Conns int
	Every time.Duration // of each reader
	Warm  time.Duration
	Time  time.Duration // of the measurement, behind Warm
	PID   int           // of the server's process
}

// Run puts the load on the server. Every record must be whole and in its order;
// a reader that gets none fails the run.
func (r *Records) Run() (Result, error) {
	if r.Conns < 1 || r.Every <= 0 {
		return Result{}, errors.New("want readers, and how often they get a record")
	}
	h, err := newReader(r.Kind, fmt.Sprintf("%s?every=%v", r.URL, r.Every))
	if err != nil {
		return Result{}, err
	}
	defer h.loop.close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := h.loop.connect(r.Conns); err != nil {
		return Result{}, err
	}
	if err := h.atLeast(1); err != nil {
		return Result{}, err
	}
	if err := h.loop.pollFor(r.Warm); err != nil {
		return Result{}, err
	}
	begin, before, most := markNow(r.PID), h.total, h.most()
	if err := h.loop.pollFor(r.Time); err != nil {
		return Result{}, err
	}
	result := spent(begin, markNow(r.PID), h.total-before)
	if r.PID > 0 {
		result.Memory = float64(memory(r.PID))
	}
	return result, h.atLeast(most + 1)
}

// atLeast waits until every reader has so many records.
func (h *reader) atLeast(n uint32) error {
	ok, err := h.loop.pollUntil(patience, func() bool { return h.least() >= n })
	if err == nil && !ok {
		err = fmt.Errorf("a reader has %d records by now, want %d", h.least(), n)
	}
	return err
}

// least is how many records a reader has at least.
func (h *reader) least() uint32 {
	n := ^uint32(0)
	for _, c := range h.loop.conns {
		n = min(n, c.received)
	}
	return n
}

// most is how many records a reader has at most.
func (h *reader) most() (n uint32) {
	for _, c := range h.loop.conns {
		n = max(n, c.received)
	}
	return n
}
