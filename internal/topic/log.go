package topic

import (
	"math"
	"slices"
	"time"
)

// A log is a topic: its messages, the oldest first, and what is known of those it
// has had. The hub's mu guards it.
type log struct {
	name  string
	rule  *Rule
	kept  []*Message
	count int64 // of all messages so far
	bytes int64 // counted for those that are kept

	latest map[string]*Message // by key, of those that are kept

	// What was published at once in the last two attempts is kept a while for who reads
	// already, though it is more than the rule says.
	batches [2]int    // messages of them
	begun   uint64    // the number before the first of the last one
	batched time.Time // when that was

	lost   uint64 // the number of the last message that is not kept any more
	ledger ledger // of those
	recent rate

	views []*view
	named int    // of views, those that name it without a wildcard
	pumps uint64 // that views belong to, a bit each
	dirty uint64 // of them, those that have yet to look
}

// What is kept for those who read already, however little is kept for others.
const (
	windowLeast = 64              // messages
	windowTime  = 5 * time.Second // for so long, what was published at once
	windowBytes = 4 << 20         // of it at most
)

// first is the number of the first message that is kept, among those of l.
func (l *log) first() int64 { return l.count - int64(len(l.kept)) + 1 }

// append puts m behind the others. It is of an attempt that began behind a number.
func (l *log) append(m *Message, begun uint64) {
	if l.batched.IsZero() || l.begun != begun {
		l.batches[0], l.batches[1] = l.batches[1], 0
		l.begun = begun
	}
	l.batches[1]++
	l.batched = m.Time
	l.count++
	m.Count, m.Topic, m.log = l.count, l.name, l
	if before := l.latest[m.Key]; before != nil {
		before.newer = m
	}
	if l.latest == nil {
		l.latest = map[string]*Message{}
	}
	l.latest[m.Key] = m
	l.kept = append(l.kept, m)
	l.bytes += m.size
}

// excess is how many of the oldest messages are too many at some time.
func (l *log) excess(now time.Time) int {
	r := l.rule
	window := l.window(now)
	n := max(0, len(l.kept)-max(r.Count, windowLeast, window))
	bytes := l.bytes
	for _, m := range l.kept[:n] {
		bytes -= m.size
	}
	for ; r.Bytes > 0 && n < len(l.kept)-1; n++ {
		most := r.Bytes
		if n >= len(l.kept)-window {
			most = max(most, windowBytes)
		}
		if bytes <= most {
			break
		}
		bytes -= l.kept[n].size
	}
	for ; r.Age > 0 && n < len(l.kept) && now.Sub(l.kept[n].Time) >= r.Age; n++ {
	}
	return n
}

// window is how many of the last messages were published at once and are kept for
// that: not those that came one by one.
func (l *log) window(now time.Time) int {
	if l.batches[0]+l.batches[1] <= 2 || len(l.views) == 0 || now.Sub(l.batched) >= windowTime {
		return 0
	}
	return l.batches[0] + l.batches[1]
}

// drop forgets the oldest message, and answers it.
func (l *log) drop() *Message {
	m := l.kept[0]
	l.kept[0] = nil
	l.kept = l.kept[1:]
	l.bytes -= m.size
	m.dropped = true
	l.lost = m.Seq
	if l.latest[m.Key] == m {
		delete(l.latest, m.Key)
	}
	l.ledger.note(l, m)
	return m
}

// after is the index of the first message that is kept behind a number.
func (l *log) after(seq uint64) int {
	n := len(l.kept)
	for back := 1; n > 0 && l.kept[n-1].Seq > seq; back *= 2 { // mostly few are
		if lower := max(0, n-back); l.kept[lower].Seq <= seq {
			i, _ := slices.BinarySearchFunc(l.kept[lower:n], seq, func(m *Message, seq uint64) int {
				if m.Seq <= seq {
					return -1
				}
				return 1
			})
			return lower + i
		}
		n = max(0, n-back)
	}
	return n
}

// at is how many messages l has had up to a number. It answers false where that is
// the most that can be, since it is too long ago.
func (l *log) at(seq uint64) (count int64, exact bool) {
	if seq >= l.lost {
		return l.first() - 1 + int64(l.after(seq)), true
	}
	exact = seq >= l.ledger.Faded.Seq
	n := int64(len(l.ledger.Gone) - l.ledger.after(seq))
	if !exact {
		n = max(n, 1) // the last that it lost
	}
	return max(0, l.first()-1-n), exact
}

// A rate is how much comes in a second, averaged over the last ten.
type rate struct {
	value float64
	at    time.Time
}

const rateOver = 10 * time.Second

// add counts n at a time.
func (r *rate) add(now time.Time, n float64) {
	r.value = r.now(now) + n/rateOver.Seconds()
	r.at = now
}

// now is the rate at a time.
func (r *rate) now(now time.Time) float64 {
	gone := now.Sub(r.at)
	if r.at.IsZero() || gone >= 8*rateOver {
		return 0
	}
	return r.value * math.Exp(-gone.Seconds()/rateOver.Seconds())
}
