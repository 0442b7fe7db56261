package topic

import "time"

// frames is a batch as it goes out.
type frames struct {
	joined []byte // nil where there is one unit
	units  [][]byte
	frames []*frame // of the last of them, the messages
	mute   bool     // a gap cannot be told
}

// frame is what a reader holds that has got a part of a unit; nil: nothing that is
// shared.
func (f *frames) frame(unit int) *frame {
	if i := unit - (len(f.units) - len(f.frames)); i >= 0 {
		return f.frames[i]
	}
	return nil
}

// encode makes the units of a batch, behind others.
func (v *view) encode(b *batch, before [][]byte) frames {
	f := frames{units: make([][]byte, 0, len(before)+b.units())}
	f.units = append(f.units, before...)
	h := v.pump.h
	if b.gap != nil {
		unit := h.o.Control(v.terms.Encoding, b.gap)
		f.mute = unit == nil
		f.units = append(f.units, unit)
	}
	if len(b.send) > 0 {
		f.frames = make([]*frame, 0, len(b.send))
	}
	for _, m := range b.send {
		one := h.in(m, v.terms.Encoding)
		f.frames = append(f.frames, one)
		f.units = append(f.units, one.bytes)
	}
	if len(f.units) > 1 {
		n := 0
		for _, u := range f.units {
			n += len(u)
		}
		f.joined = make([]byte, 0, n)
		for _, u := range f.units {
			f.joined = append(f.joined, u...)
		}
	}
	return f
}

// size is how long the first n units are.
func (f *frames) size(n int) (size int64) {
	for _, u := range f.units[:n] {
		size += int64(len(u))
	}
	return size
}

// pass delivers what has come to those that are up to date, and answers whether
// there is more.
func (v *view) pass(now time.Time) (more bool) {
	h := v.pump.h
	h.mu.Lock()
	b := v.next(&v.place, v.touched, v.pump.seen, false)
	if !b.more {
		v.touched = nil
	}
	h.mu.Unlock()
	if n := b.units(); n > 0 && len(v.current) > 0 {
		v.deliver(&b, now)
	}
	v.place.advance(&b, b.units())
	for _, s := range v.ahead {
		s.waits = false
		s.enqueue()
	}
	v.ahead = nil
	if n := len(b.send); n > 0 {
		v.told = b.send[n-1].Seq
		if v.every > 0 {
			v.due = now.Add(v.every)
		}
	}
	return b.more
}

// deliver offers a batch to those that are up to date.
func (v *view) deliver(b *batch, now time.Time) {
	f := v.encode(b, nil)
	if f.mute || b.ends {
		v.dismiss(b, &f)
		return
	}
	whole := f.size(len(f.units))
	took := 0
	for i := len(v.current) - 1; i >= 0; i-- { // from the end: who falls behind leaves its place to the last
		s := v.current[i]
		n := s.conn.Offer(f.joined, f.units)
		if n == len(f.units) {
			took++
			if s.held != nil {
				s.holds(nil)
			}
			continue
		}
		s.falls(b, n, &f)
	}
	var last *frame
	if took > 0 {
		last = f.frame(len(f.units) - 1)
	}
	v.pump.h.hold(&v.last, last)
	v.sent.Add(whole)
	v.moved.Store(int64(now.Sub(v.pump.h.began)))
	v.count(int64(took) * int64(len(b.send)))
}

// beat offers a heartbeat to those that are up to date, where nothing has gone out
// for long enough. It answers when the next one may be due.
func (v *view) beat(now time.Time) (due time.Time) {
	h := v.pump.h
	every := v.terms.Heartbeat
	v.follows()
	if due = h.began.Add(time.Duration(v.moved.Load())).Add(every); now.Before(due) {
		return due
	}
	at := v.place.cursor
	unit := h.o.Beat(v.terms.Encoding, ID{h.epoch, at}, at > v.told)
	v.told = at
	v.moved.Store(int64(now.Sub(h.began)))
	if unit == nil {
		return now.Add(every)
	}
	f := frames{units: [][]byte{unit}}
	b := batch{from: at, to: at}
	for i := len(v.current) - 1; i >= 0; i-- {
		if s := v.current[i]; s.conn.Offer(nil, f.units) == 0 { // something else is on its way
			s.falls(&b, 0, &f)
		}
	}
	v.sent.Add(int64(len(unit)))
	return now.Add(every)
}

// follows has those that are up to date be where the last message is that others
// have got, so that their position does not grow old.
func (v *view) follows() {
	h := v.pump.h
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(v.touched) == 0 {
		v.place.cursor = max(v.place.cursor, v.pump.seen)
	}
}

func (v *view) count(records int64) {
	if c := v.pump.h.o.Records; c != nil {
		c.Add(records)
	}
}

// dismiss ends all that are up to date: they miss something that they are not told,
// or may not miss. Who cannot be told yet ends when it has been.
func (v *view) dismiss(b *batch, f *frames) {
	for len(v.current) > 0 {
		s := v.current[len(v.current)-1]
		if !f.mute && s.conn.Offer(nil, f.units[:1]) == 0 {
			s.falls(b, 0, f)
			continue
		}
		s.leaves()
		s.drops(f.mute)
	}
}

// drops has the owner end s.
func (s *Sub) drops(mute bool) {
	if s.dropped || s.left.Load() {
		return
	}
	s.dropped = true
	if mute {
		s.owner.Drop(ErrBare)
		return
	}
	s.owner.Drop(ErrSlow)
}

// falls takes s out of those that are up to date, at the first n units of a batch.
func (s *Sub) falls(b *batch, n int, f *frames) {
	p := s.v.place.clone()
	p.advance(b, n)
	s.leaves()
	s.place = &p
	s.v.behind[s] = struct{}{}
	s.bytes.Add(f.size(n))
	s.v.count(int64(b.messagesIn(n)))
	if n > 0 {
		s.holds(f.frame(n - 1))
	}
	s.lagging.Store(true)
	s.enqueue() // it may have become ready before anybody would have heeded that
}

// holds says which frame the connection may have a part of.
func (s *Sub) holds(f *frame) {
	s.v.pump.h.hold(&s.held, f)
	s.holding.Store(f != nil)
}

// leaves takes s out of those that are up to date.
func (s *Sub) leaves() {
	v := s.v
	last := len(v.current) - 1
	v.current[s.index] = v.current[last]
	v.current[s.index].index = s.index
	v.current[last] = nil
	v.current = v.current[:last]
	s.index = -1
	n := v.sent.Load() - s.base.Swap(-1)
	s.bytes.Add(n)
	if n > 0 { // the last of that may be cut
		s.holds(v.last)
	}
}

// joins puts s among those that are up to date.
func (s *Sub) joins() {
	v := s.v
	delete(v.behind, s)
	v.place.cursor = max(v.place.cursor, s.place.cursor) // nothing is between them
	s.place = nil
	s.index = len(v.current)
	v.current = append(v.current, s)
	s.base.Store(v.sent.Load())
	s.lagging.Store(false)
}

// attend does what is to be done about s: it begins, is told something, catches
// up, or ends.
func (s *Sub) attend(now time.Time) {
	v := s.v
	if s.left.Load() {
		s.goes()
		return
	}
	if s.dropped || !s.joined && !s.begins() {
		return
	}
	if s.drained.Swap(false) {
		s.holds(nil)
	}
	if !s.joined {
		s.joined = true
		v.behind[s] = struct{}{}
		s.lagging.Store(true)
	}
	private := s.take()
	if s.index >= 0 && len(private) == 0 {
		return
	}
	if s.index >= 0 { // it catches up with what it is told
		p := v.place.clone()
		s.leaves()
		s.place = &p
		v.behind[s] = struct{}{}
		s.lagging.Store(true)
	}
	s.catchUp(private, now)
}

// catchUp offers s what it is told, and the next of what it is behind.
func (s *Sub) catchUp(private [][]byte, now time.Time) {
	v := s.v
	h := v.pump.h
	h.mu.Lock()
	b := batch{from: s.place.cursor, to: s.place.cursor}
	ahead := v.overtaken(s.place.cursor)
	if !ahead {
		b = v.next(s.place, v.logs, v.place.cursor, true)
	}
	h.mu.Unlock()
	if len(private) == 0 && ahead {
		if !s.waits {
			s.waits = true
			v.ahead = append(v.ahead, s)
		}
		return
	}
	if len(private) == 0 && b.units() == 0 && !b.more {
		s.place.advance(&b, 0)
		s.joins()
		return
	}
	f := v.encode(&b, private)
	if f.mute {
		s.drops(true)
		return
	}
	n := 0
	if len(f.units) > 0 {
		s.drained.Store(false)
		n = s.conn.Offer(f.joined, f.units)
	}
	if n > 0 {
		s.moved.Store(int64(now.Sub(h.began)))
	}
	s.bytes.Add(f.size(n))
	if n > 0 {
		s.holds(f.frame(n - 1))
	}
	s.back(private[min(n, len(private)):])
	if n < len(private) {
		return
	}
	if b.gap != nil && b.ends && n > len(private) {
		s.drops(false)
		return
	}
	s.place.advance(&b, n-len(private))
	v.count(int64(b.messagesIn(n - len(private))))
	if n == len(f.units) {
		s.enqueue() // for the rest, or to be up to date
	}
}

// overtaken says whether a reader at a cursor has behind it what others of the view
// have yet to get: it would get that, too. It is called with the hub's mu held.
func (v *view) overtaken(cursor uint64) bool {
	from := v.place.cursor
	if cursor <= from {
		return false
	}
	for l := range v.logs {
		if i := l.after(from); l.lost > from || i < len(l.kept) && l.kept[i].Seq <= cursor {
			return true
		}
	}
	return false
}

// goes takes s out of everything. Who leaves may come here twice: it is seen to
// have left before it is queued for that.
func (s *Sub) goes() {
	if s.gone {
		return
	}
	s.gone = true
	v := s.v
	if s.index >= 0 {
		s.leaves()
	}
	delete(v.behind, s)
	s.holds(nil)
	s.lagging.Store(false)
	v.pump.release(s)
}
