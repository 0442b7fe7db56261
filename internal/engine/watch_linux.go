//go:build amd64 || arm64

package engine

import (
	"sync/atomic"
	"time"
)

// A watch looks for loops that a callback holds up, and has them go on without
// it. It has a goroutine only while callbacks run.
type watch struct{ on atomic.Bool }

const (
	// watchTime is how often it looks: a loop is held up for once or twice as
	// long.
	watchTime = 10 * time.Millisecond
	// watchRests is how often nothing must have happened before it stops.
	watchRests = 20
)

// begin has the watch look, from now on.
func (w *watch) begin(e *Loops) {
	if !w.on.Load() && w.on.CompareAndSwap(false, true) {
		go w.look(e)
	}
}

func (w *watch) look(e *Loops) {
	last := make([]uint64, len(e.loops))
	tick := time.NewTicker(watchTime)
	defer tick.Stop()
	for rests := 0; rests < watchRests; rests++ {
		<-tick.C
		for i, l := range e.loops {
			turn := l.turn.Load()
			if turn != last[i] {
				last[i], rests = turn, 0
				continue
			}
			if turn&1 != 0 {
				rests = 0
				l.goOn(turn)
			}
		}
	}
	w.on.Store(false)
	for i, l := range e.loops {
		if turn := l.turn.Load(); turn != last[i] && turn&1 != 0 { // since it was looked at
			w.begin(e)
		}
	}
}

// goOn has the loop go on without the callback of a turn, unless that has just
// ended. What the callback has sent goes out.
func (l *loop) goOn(turn uint64) {
	c := l.current.Load()
	if !l.turn.CompareAndSwap(turn, turn+1) {
		return
	}
	l.counts.handovers.Add(1)
	c.o.pace.blocks()
	c.mu.Lock()
	c.pass = false
	c.post()
	c.mu.Unlock()
	go l.run()
}
