package leat

// A lasting thing may outlive its request: a stream, a socket.
type lasting interface {
	stop() // ends it in good order, because its server stops
	kill() // ends it at once
}

// A member is a place in a server's list of what lasts.
type member struct {
	of         lasting
	prev, next *member
}

// enter lists m. It answers false when the server stops.
func (s *Server) enter(m *member) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	m.prev, m.next = s.members.prev, &s.members
	m.prev.next, m.next.prev = m, m
	s.count++
	return true
}

// leave takes m off the list.
func (s *Server) leave(m *member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.prev.next, m.next.prev = m.next, m.prev
	m.prev, m.next = nil, nil
	s.count--
	if s.empty != nil && s.count == 0 {
		close(s.empty)
	}
}

// living answers everything that lasts now.
func (s *Server) living() []lasting {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]lasting, 0, s.count)
	for m := s.members.next; m != &s.members; m = m.next {
		list = append(list, m.of)
	}
	return list
}
