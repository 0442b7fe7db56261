package leat

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/leat-dev/leat/internal/serve"
)

// caps bound what one address may have of the topics. The zero value bounds
// nothing.
type caps struct {
	streams, topics, publishes int // 0: no bound

	mu   sync.Mutex
	of   map[string]*share // by household
	tidy time.Time         // when shares that are not in use were last forgotten
}

// A share is what one address has.
type share struct {
	streams int
	topics  int     // that it has made since the counts began, gone or not
	used    float64 // publishes of the last second, as far as they are not forgotten
	at      time.Time
}

// tidyEvery is how often shares are looked through, as long as somebody comes. What
// an address has made of topics is forgotten then, whether they are gone or not.
const tidyEvery = time.Hour

func (c *caps) limit(l *Limits) {
	c.streams, c.topics, c.publishes = max(0, l.StreamsPerAddress), max(0, l.TopicsPerAddress), max(0, l.PublishesPerAddress)
}

// share is that of an address. It is called with mu held.
func (c *caps) share(remote string, now time.Time) *share {
	if now.Sub(c.tidy) > tidyEvery {
		c.tidy = now
		for name, s := range c.of {
			if s.topics = 0; s.streams == 0 {
				delete(c.of, name)
			}
		}
	}
	of := serve.Household(remote)
	s := c.of[of]
	if s == nil {
		if c.of == nil {
			c.of = map[string]*share{}
		}
		s = &share{}
		c.of[of] = s
	}
	return s
}

// enter counts one more stream of an address, until the function it answers is
// called.
func (c *caps) enter(remote string) (leave func(), err error) {
	if c.streams == 0 {
		return nil, nil //nolint:nilnil // there is nothing to leave
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.share(remote, time.Now())
	if s.streams >= c.streams {
		return nil, &topicError{http.StatusTooManyRequests, fmt.Sprintf("this address reads as many streams as it may: %d (limits.streamsPerAddress)", c.streams)}
	}
	s.streams++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		s.streams--
	}, nil
}

// publish counts messages of an address, and topics that they make.
func (c *caps) publish(remote string, messages, topics int) error {
	if c.publishes == 0 && c.topics == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	s := c.share(remote, now)
	s.used = max(0, s.used-now.Sub(s.at).Seconds()*float64(c.publishes))
	s.at = now
	switch {
	case c.publishes > 0 && s.used+float64(messages) > float64(c.publishes) && s.used > 0:
		return &topicError{http.StatusTooManyRequests, fmt.Sprintf("this address publishes too fast: %d messages a second are allowed (limits.publishesPerAddress)", c.publishes)}
	case c.topics > 0 && topics > 0 && s.topics+topics > c.topics:
		return &topicError{http.StatusTooManyRequests, fmt.Sprintf("this address has made as many topics as it may: %d (limits.topicsPerAddress)", c.topics)}
	}
	s.used += float64(messages)
	s.topics += topics
	return nil
}

// forgive takes back what was counted for topics that were not made.
func (c *caps) forgive(remote string, topics int) {
	if c.topics == 0 || topics == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.share(remote, time.Now())
	s.topics = max(0, s.topics-topics)
}
