package serve

import "sync"

// Live is the set of ordinary answers that are being flushed as they come.
type Live struct {
	mu       sync.Mutex
	stopping bool
	open     map[*Exchange]struct{}
}

func (l *Live) add(x *Exchange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping {
		x.cancel(ErrShutdown)
	}
	if l.open == nil {
		l.open = map[*Exchange]struct{}{}
	}
	l.open[x] = struct{}{}
}

func (l *Live) remove(x *Exchange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, x)
}

// Stop tells them all, by their contexts, that the server stops.
func (l *Live) Stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopping = true
	for x := range l.open {
		x.cancel(ErrShutdown)
	}
}
