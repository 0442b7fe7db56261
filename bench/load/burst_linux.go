package load

import (
	"errors"
	"runtime"
	"time"
)

// A Burst is a load of large messages that stops: what the server holds for them
// should be given back while the connections stay.
type Burst struct {
	URL   string
	Conns int
	Size  int           // bytes of a message
	Depth int           // messages under way on each connection; 0 is 1
	Time  time.Duration // of the burst
	Limit time.Duration // how long what it has left is watched
	PID   int           // of the server's process
}

// A BurstResult is what the server's process held, in bytes.
type BurstResult struct {
	Before float64 `json:"before"` // with the connections open
	Peak   float64 `json:"peak"`
	Second float64 `json:"second"` // a second after the last echo
	End    float64 `json:"end"`    // when all was given back, or the time was over
	// Back is the seconds until all but a tenth, or a MiB, of what the burst had
	// added was given back, and the limit where it was not.
	Back float64 `json:"back"`
}

// Run puts the load on the server. Every echo is compared.
func (b *Burst) Run() (r BurstResult, err error) {
	if b.Conns < 1 || b.Size < headLen || b.PID < 1 {
		return r, errors.New("want connections, messages, and the server's process")
	}
	h, err := newEchoer(&Echo{URL: b.URL, Size: b.Size, Depth: max(b.Depth, 1), Fragments: 1})
	if err != nil {
		return r, err
	}
	defer h.loop.close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := h.loop.connect(b.Conns); err != nil {
		return r, err
	}
	if err := h.loop.pollFor(b.Time / 4); err != nil {
		return r, err
	}
	r.Before = float64(memory(b.PID))
	r.Peak = r.Before
	h.begin()
	watch := b.Time / 20
	for end := now() + int64(b.Time); now() < end; {
		if err := h.loop.pollFor(watch); err != nil {
			return r, err
		}
		r.Peak = max(r.Peak, float64(memory(b.PID)))
	}
	h.stopped = true
	if err := h.drain(); err != nil {
		return r, err
	}
	return r, b.watch(h.loop, &r)
}

// watch reads the memory until it was given back.
func (b *Burst) watch(l *loop, r *BurstResult) error {
	begin := now()
	most := r.Before + max((r.Peak-r.Before)/10, 1<<20)
	for {
		r.End = float64(memory(b.PID))
		r.Back = float64(now()-begin) / 1e9
		if r.Back < 1 || r.Second == 0 {
			r.Second = r.End
		}
		if r.End <= most || r.Back >= b.Limit.Seconds() {
			return nil
		}
		if err := l.pollFor(100 * time.Millisecond); err != nil {
			return err
		}
	}
}
