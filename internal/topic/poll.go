package topic

import (
	"context"
	"time"
)

// Polled is what a long poll answers.
type Polled struct {
	First    *Control // what a reader is told first
	Gap      *Control // what has got lost meanwhile; nil: nothing
	Messages []*Message
	At       ID // the position behind them
}

// Poll answers what has come for a reader, or what comes next within a time, or
// until ctx is done. Where there is a rate, it takes as long as lies between two of
// its messages. Who has missed something is told at once.
func (h *Hub) Poll(ctx context.Context, t Terms, from Start, wait time.Duration) Polled {
	sub, first := h.Subscribe(t, from)
	defer sub.Leave()
	if first.Name == Gap || first.Name == Reset {
		wait = 0 // which is news, too
	}
	p := Polled{First: first, At: first.ID}
	w := make(waiter, 1)
	sub.Join(w, w)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	if every := sub.v.every; every > 0 { // who asks again and again gets no more for it
		select {
		case <-time.After(min(every, wait)):
		case <-ctx.Done():
			return p
		}
	}
	for {
		if sub.collect(&p) {
			return p
		}
		select {
		case <-w:
		case <-timer.C:
			sub.collect(&p)
			return p
		case <-ctx.Done():
			return p
		}
	}
}

// A waiter is a connection that takes nothing, but says that there is something.
type waiter chan struct{}

// Offer says so.
func (w waiter) Offer([]byte, [][]byte) int {
	w.Drop(nil)
	return 0
}

// Drop says so, too.
func (w waiter) Drop(error) {
	select {
	case w <- struct{}{}:
	default:
	}
}

// collect takes what comes next, and answers whether there is something.
func (s *Sub) collect(p *Polled) bool {
	v := s.v
	h := v.pump.h
	v.pump.work.Lock()
	defer v.pump.work.Unlock()
	at := v.place.clone()
	if s.place != nil {
		at = s.place.clone()
	}
	h.mu.Lock()
	b := v.next(&at, v.logs, h.seq, true)
	h.mu.Unlock()
	p.Gap, p.Messages = b.gap, b.send
	p.At = ID{h.epoch, max(b.to, p.First.ID.Seq)}
	return b.gap != nil || len(b.send) > 0
}
