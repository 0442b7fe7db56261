package engine

import "math/bits"

// A wheel keeps the timers of one loop, sorted no more than they need to be:
// six rings of 64 slots, each of which spans a whole turn of the ring before. A
// timer lies in the first ring that tells it from now and sinks as its time comes
// near, so that setting one, and taking it out, costs the same whether there are
// ten or a million. It counts in ticks, and is for one goroutine at a time.
type wheel struct {
	now   int64 // it has turned so far
	slots [wheelRings][64]*timer
	full  [wheelRings]uint64 // which slots have a timer
	due   *timer
}

const (
	wheelRings = 6
	// wheelMost is the longest that a timer waits; who waits longer sets it again.
	wheelMost = 1<<(6*wheelRings) - 1

	dueSlot = wheelRings * 64
	noSlot  = dueSlot + 1
)

// A timer is a place in a wheel. The zero value is in none.
type timer struct {
	next, prev *timer
	key        int64 // its tick and, in the last ten bits, one more than its slot
}

func (t *timer) tick() int64 { return t.key >> 10 }
func (t *timer) set() bool   { return t.key&1023 != 0 }

// insert puts t, which is in no wheel, in at a tick. What is past is due.
func (w *wheel) insert(t *timer, tick int64) {
	if tick <= w.now {
		t.link(&w.due, tick, dueSlot)
		return
	}
	tick = min(tick, w.now|wheelMost)
	ring := (bits.Len64(uint64(tick^w.now)|63) - 1) / 6
	slot := int(tick>>(6*ring)) & 63
	w.full[ring] |= 1 << slot
	t.link(&w.slots[ring][slot], tick, ring*64+slot)
}

func (t *timer) link(head **timer, tick int64, slot int) {
	t.key = tick<<10 | int64(slot+1)
	t.next = *head
	if t.next != nil {
		t.next.prev = t
	}
	*head = t
}

// remove takes t out, if it is in.
func (w *wheel) remove(t *timer) {
	if !t.set() {
		return
	}
	slot := int(t.key&1023) - 1
	switch {
	case t.prev != nil:
		t.prev.next = t.next
	case slot == dueSlot:
		w.due = t.next
	default:
		ring := slot / 64
		w.slots[ring][slot%64] = t.next
		if t.next == nil {
			w.full[ring] &^= 1 << (slot % 64)
		}
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	*t = timer{}
}

// next is the tick up to which nothing need be done; false: there is no timer.
func (w *wheel) next() (int64, bool) {
	if w.due != nil {
		return w.now, true
	}
	_, _, tick, ok := w.first()
	return tick, ok
}

// first is the slot whose time comes first. All its timers lie ahead in its ring,
// and a ring's slots come before those of the next ring.
func (w *wheel) first() (ring, slot int, tick int64, ok bool) {
	for ring := range wheelRings {
		if w.full[ring] == 0 {
			continue
		}
		slot := bits.TrailingZeros64(w.full[ring])
		span := 6 * ring
		return ring, slot, w.now>>(span+6)<<(span+6) | int64(slot)<<span, true
	}
	return 0, 0, 0, false
}

// turn goes on to a tick. What is due then is popped.
func (w *wheel) turn(tick int64) {
	for {
		ring, slot, at, ok := w.first()
		if !ok || at > tick {
			w.now = max(w.now, tick)
			return
		}
		w.now = at
		t := w.slots[ring][slot]
		w.slots[ring][slot] = nil
		w.full[ring] &^= 1 << slot
		for t != nil {
			next, tick := t.next, t.tick()
			*t = timer{}
			w.insert(t, tick)
			t = next
		}
	}
}

// pop takes out one timer that is due, nil when there is none.
func (w *wheel) pop() *timer {
	t := w.due
	if t != nil {
		w.remove(t)
	}
	return t
}
