package topic

import (
	"cmp"
	"container/heap"
	"slices"
)

// A batch is what lies between a place and the head, or the first of it: a gap, and
// messages.
type batch struct {
	gap    *Control
	from   uint64        // the place behind the gap, or before the messages
	passed map[*log]mark // the marks there, of the logs that have lost something
	ends   bool          // the reader ends behind the gap

	messages []*Message // in the order of their numbers, those that are passed over included
	send     []*Message // of them, those that go out
	to       uint64     // the place behind them
	more     bool       // there are more
}

// Bounds of a batch: of one write, and of what is looked at under the hub's lock.
const (
	batchBytes = 64 << 10
	batchMost  = 4096
)

// next finds what comes behind a place, up to a number, in some of the view's
// logs.
func (v *view) next(p *place, logs map[*log]mark, upto uint64, behind bool) (b batch) {
	v.miss(p, logs, upto, &b)
	if b.ends { // what is behind the gap is for those who come later
		b.to, b.more = b.from, true
		return b
	}
	bytes := 0
	for rest := merged(logs, b.from, upto); len(rest) > 0; {
		if bytes >= batchBytes || len(b.messages) == batchMost {
			b.more = true
			b.to = b.messages[len(b.messages)-1].Seq
			return b
		}
		m := rest.pop()
		b.messages = append(b.messages, m)
		if v.goes(m, p, upto, behind) {
			b.send = append(b.send, m)
			bytes += len(m.Data) + overhead/2
		}
	}
	b.to = max(upto, b.from)
	return b
}

// A merge is what is left of some logs, that with the next message first.
type merge []tail

// A tail is messages of a log, at least one.
type tail []*Message

// merged is what logs have behind a number, up to another one.
func merged(logs map[*log]mark, from, upto uint64) merge {
	var m merge
	for l := range logs {
		t := tail(l.kept[l.after(from):])
		if n := len(t); n > 0 && t[n-1].Seq > upto {
			t = tail(l.kept[len(l.kept)-n : l.after(upto)])
		}
		if len(t) > 0 {
			m = append(m, t)
		}
	}
	heap.Init(&m)
	return m
}

func (m merge) Len() int           { return len(m) }
func (m merge) Less(i, j int) bool { return m[i][0].Seq < m[j][0].Seq }
func (m merge) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(any)          {}
func (m *merge) Pop() any {
	*m = (*m)[:len(*m)-1]
	return nil
}

// pop takes the next message.
func (m *merge) pop() *Message {
	first := &(*m)[0]
	next := (*first)[0]
	if *first = (*first)[1:]; len(*first) == 0 {
		heap.Pop(m)
	} else if len(*m) > 1 {
		heap.Fix(m, 0)
	}
	return next
}

// goes says whether m goes out to a reader at p.
func (v *view) goes(m *Message, p *place, upto uint64, behind bool) bool {
	if !v.terms.wants(m.Event) {
		return false
	}
	newer := v.terms.newer(m)
	switch {
	case newer == nil || newer.Seq > upto:
		return true
	case newer.Seq <= p.latest:
		return false
	}
	return v.every == 0 && (!behind || m.log.rule.Slow != SlowLatest)
}

// newer is the next message with the key of m that is asked for; nil: there is
// none.
func (t *Terms) newer(m *Message) *Message {
	for m = m.newer; m != nil && !t.wants(m.Event); m = m.newer {
	}
	return m
}

// units is how many a batch is written as.
func (b *batch) units() int {
	if b.gap != nil {
		return len(b.send) + 1
	}
	return len(b.send)
}

// messagesIn is how many messages are among the first n units.
func (b *batch) messagesIn(n int) int { return max(0, n-(b.units()-len(b.send))) }

// advance has a place be behind the first n units of a batch.
func (p *place) advance(b *batch, n int) {
	all := n == b.units()
	if b.gap != nil {
		if n == 0 {
			return
		}
		n--
	}
	p.cursor = b.from
	for l, m := range b.passed {
		p.set(l, m)
	}
	passed := b.messages
	switch {
	case all:
		p.cursor = b.to
	case n == 0:
		return
	default:
		p.cursor = b.send[n-1].Seq
		i, _ := slices.BinarySearchFunc(passed, p.cursor, func(m *Message, seq uint64) int { return cmp.Compare(m.Seq, seq) })
		passed = passed[:i+1]
	}
	for i, m := range passed {
		if i+1 == len(passed) || passed[i+1].log != m.log {
			p.set(m.log, mark{count: m.Count, from: p.marks[m.log].from})
		}
	}
}
