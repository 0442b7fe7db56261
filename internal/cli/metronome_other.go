//go:build !linux

package cli

import (
	"sync"
	"time"
)

// A metronome wakes its one user as exactly as the system's timers do.
type metronome struct {
	stopped chan struct{}
	once    sync.Once
}

func newMetronome() (*metronome, error) { return &metronome{stopped: make(chan struct{})}, nil }

// wait returns after d, or once the metronome is stopped: then with false.
func (m *metronome) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-m.stopped:
		return false
	}
}

// stop ends a wait. It may be called from any goroutine.
func (m *metronome) stop() { m.once.Do(func() { close(m.stopped) }) }

func (m *metronome) close() {}
