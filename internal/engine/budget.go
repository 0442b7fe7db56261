package engine

// room is what the budget has left where so many bytes wait, some of them of a Send
// above it. What was offered may wait above the budget, too: then it is none.
func (o *Options) room(waiting int, above surplus) int {
	return max(0, o.Budget-(waiting-above.size))
}

// fits says whether n bytes may wait, too.
func (o *Options) fits(n, waiting int, above surplus) bool {
	if n > o.Budget {
		return n <= o.Most && above.size == 0
	}
	return n <= o.room(waiting, above)
}

// A surplus is the one Send above the budget that may be among the bytes that wait.
type surplus struct {
	size   int // bytes of it that wait; 0: there is none
	before int // bytes that wait ahead of it
}

// take notes that the first n bytes of those that wait are gone.
func (s *surplus) take(n int) {
	ahead := min(n, s.before)
	s.before -= ahead
	s.size -= min(n-ahead, s.size)
}
