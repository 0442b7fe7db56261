package site

import (
	"slices"
	"sync"
	"time"

	"github.com/leat-dev/leat"
)

// A collector looks at intervals while somebody reads one of its topics, and
// publishes what it sees. So there is one look for all readers, over whatever
// transport. It has no goroutine, and while nobody reads no timer.
type collector struct {
	every  time.Duration
	look   func(read []*leat.Topic) // publishes to these
	topics []*leat.Topic

	mu    sync.Mutex
	read  []bool // by topic
	timer *time.Timer
	next  time.Time // no look is earlier
}

// gather is how long the first look waits: who reads several topics is to get
// all of them from the first.
const gather = 10 * time.Millisecond

// collect has look called each time that every has passed while one of the topics
// is read, with those that are. The first call comes as soon as there is a reader.
func collect(every time.Duration, look func(read []*leat.Topic), topics ...*leat.Topic) {
	c := &collector{every: every, look: look, topics: topics, read: make([]bool, len(topics))}
	c.timer = time.AfterFunc(every, c.tick)
	c.timer.Stop()
	for i, t := range topics {
		t.Watch(func(read bool) { c.watch(i, read) })
	}
}

// watch heeds whether a topic is read. A reader who comes and goes, as one by long
// polls does, gets no more looks than others.
func (c *collector) watch(i int, read bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := slices.Contains(c.read, true)
	c.read[i] = read
	switch is := slices.Contains(c.read, true); {
	case is && !was:
		c.timer.Reset(max(gather, time.Until(c.next)))
	case !is:
		c.timer.Stop()
	}
}

// tick looks, and waits for the next time.
func (c *collector) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	var read []*leat.Topic
	for i, t := range c.topics {
		if c.read[i] {
			read = append(read, t)
		}
	}
	now := time.Now()
	if len(read) == 0 || now.Before(c.next) { // the timer had rung already when it was stopped
		return
	}
	c.look(read)
	if c.next = c.next.Add(c.every); c.next.Before(now) {
		c.next = now.Add(c.every)
	}
	c.timer.Reset(time.Until(c.next))
}
