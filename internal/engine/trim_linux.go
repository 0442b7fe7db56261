//go:build amd64 || arm64

package engine

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// A trimmer gives memory back to the system behind a burst. Go keeps what it has
// once had until the next collection, and for a while behind it; a server whose
// readers only wait may not have one for minutes. It works while there are
// connections, once for each burst, and not while the program allocates.
type trimmer struct {
	mu      sync.Mutex
	on      bool
	seen    uint64 // bytes allocated up to the last look
	trimmed uint64 // and up to the last time that memory was given back
	trims   int
}

const (
	trimTime = 2 * time.Second // between two looks
	// trimLeast is what must have been allocated since the last time, and a
	// sixteenth of what is in use.
	trimLeast = 1 << 20
	// calmMost is the most that is allocated between two looks when it is calm.
	calmMost = 1 << 20
)

// begin has the trimmer look, from now on.
func (t *trimmer) begin(e *Loops) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.on {
		t.on = true
		time.AfterFunc(trimTime, func() { t.turn(e) })
	}
}

// turn looks, and sees to the next look.
func (t *trimmer) turn(e *Loops) {
	open := 0
	for _, l := range e.loops {
		open += int(l.open.Load())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	calm := t.look()
	if t.on = open > 0 || !calm; t.on {
		time.AfterFunc(trimTime, func() { t.turn(e) })
	}
}

// look gives memory back if it is calm, and answers whether it is. It is called
// with mu held.
func (t *trimmer) look() (calm bool) {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	allocated, live := s[0].Value.Uint64(), s[1].Value.Uint64()
	calm = allocated-t.seen < calmMost
	t.seen = allocated
	if calm && allocated-t.trimmed > max(trimLeast, live/16) {
		runtime.GC() // what pools hold goes with the second
		debug.FreeOSMemory()
		t.trimmed = allocated
		t.trims++
	}
	return calm
}
