package leat

// A lasting thing may outlive its request: a stream, a socket.
type lasting interface {
	stop() // ends it in good order, because its server stops
	kill() // ends it at once
}

// A member is the place of a T in a list of them.
type member[T any] struct{ prev, next *T }

// A roll is a server's list of the T that last, in the order in which they came.
// What it costs is in the T.
type roll[T any, P listed[T]] struct {
	first, last *T
	count       int
}

type listed[T any] interface {
	*T
	lasting
	listing() *member[T]
}

func (r *roll[T, P]) add(t *T) {
	m := P(t).listing()
	m.prev = r.last
	if r.last == nil {
		r.first = t
	} else {
		P(r.last).listing().next = t
	}
	r.last = t
	r.count++
}

func (r *roll[T, P]) remove(t *T) {
	m := P(t).listing()
	if m.prev == nil {
		r.first = m.next
	} else {
		P(m.prev).listing().next = m.next
	}
	if m.next == nil {
		r.last = m.prev
	} else {
		P(m.next).listing().prev = m.prev
	}
	*m = member[T]{}
	r.count--
}

func (r *roll[T, P]) appendTo(list []lasting) []lasting {
	for t := r.first; t != nil; t = P(t).listing().next {
		list = append(list, P(t))
	}
	return list
}

// enter lists t. It answers false when the server stops.
func enter[T any, P listed[T]](s *Server, r *roll[T, P], t *T) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	r.add(t)
	return true
}

// leave takes t off the list.
func leave[T any, P listed[T]](s *Server, r *roll[T, P], t *T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.remove(t)
	if s.empty != nil && s.lasts() == 0 {
		close(s.empty)
	}
}

// lasts is how many things last. It is called with mu held.
func (s *Server) lasts() int { return s.streams.count + s.sockets.count }

// living answers everything that lasts now.
func (s *Server) living() []lasting {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]lasting, 0, s.lasts())
	return s.sockets.appendTo(s.streams.appendTo(list))
}
