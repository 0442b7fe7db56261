package leat_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// A ledger is what has been published: by topic its messages, in order.
type ledger struct {
	mu   sync.Mutex
	of   map[string][]noted
	over bool
}

// A noted is one of them.
type noted struct {
	seq        int64
	event, key string
}

func newLedger() *ledger { return &ledger{of: map[string][]noted{}} }

// upTo is how many messages a topic had up to a number.
func (l *ledger) upTo(topic string, seq int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, _ := slices.BinarySearchFunc(l.of[topic], seq+1, func(n noted, seq int64) int { return cmp.Compare(n.seq, seq) })
	return int64(i)
}

// A story is what one reader has been told, over all its connections.
type story struct {
	*ledger
	policy   string
	topics   []string
	events   []string // that it asks for; none: all
	position string
	last     int64                       // number
	told     map[string]int64            // by topic the last count that it knows of, on this connection
	opened   map[string]int64            // by topic, what had been when it first came
	got      map[string]map[string]int64 // by topic and key, the last that came
	begun    bool                        // this connection
	slow     bool                        // it is told that it has been too slow
	end      time.Time                   // by then it has everything
	messages int
	gaps     int
}

// comes begins another connection.
func (s *story) comes() {
	s.told, s.begun, s.slow = map[string]int64{}, false, false
	if s.got == nil {
		s.got = map[string]map[string]int64{}
	}
	for _, topic := range s.topics {
		if s.got[topic] == nil {
			s.got[topic] = map[string]int64{}
		}
	}
}

// wants says whether the reader asks for a message.
func (s *story) wants(n noted) bool { return len(s.events) == 0 || slices.Contains(s.events, n.event) }

// wanted is what the reader asks for of the messages of a topic behind a count, up to
// another one: how many there are, and the last count of each key.
func (s *story) wanted(topic string, behind, upTo int64) (n int64, last map[string]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last = map[string]int64{}
	all := s.of[topic]
	for count := behind + 1; count <= min(upTo, int64(len(all))); count++ {
		if one := all[count-1]; s.wants(one) {
			n++
			last[one.key] = count
		}
	}
	return n, last
}

// takes checks one record against what has been published.
func (s *story) takes(r topicRecord) error {
	if !s.begun {
		want := "open"
		if s.position != "" {
			want = "resumed"
		}
		if r.Control != want && (s.position == "" || r.Control != "gap" || r.Reason != "history") {
			return fmt.Errorf("behind %q it begins with %+v", s.position, r)
		}
		from := r.ID
		if s.position != "" {
			from = s.position
		}
		for _, topic := range s.topics {
			s.told[topic] = s.upTo(topic, seqOf(from))
		}
		if s.position == "" {
			s.opened = maps.Clone(s.told)
		}
		s.begun, s.last = true, seqOf(from)
	}
	switch r.Control {
	case "":
		return s.message(r)
	case "gap":
		if err := s.gap(r); err != nil {
			return err
		}
	case "open", "resumed", "position":
	default:
		return fmt.Errorf("what is %+v?", r)
	}
	if seqOf(r.ID) < s.last {
		return fmt.Errorf("behind %d comes %+v", s.last, r)
	}
	s.position, s.last = r.ID, seqOf(r.ID)
	return nil
}

func (s *story) gap(r topicRecord) error {
	s.gaps++
	from := seqOf(r.From)
	if len(r.Missed) == 0 || from < s.last || seqOf(r.ID) < from || r.AtLeast && r.Reason != "history" && s.policy == "gap" && len(s.events) == 0 {
		return fmt.Errorf("behind %q: %+v", s.position, r)
	}
	for _, topic := range s.topics {
		// From may be behind the position: what is between was for others, or has a newer value.
		if n, _ := s.wanted(topic, s.told[topic], s.upTo(topic, from)); n > 0 && s.policy != "latest" {
			return fmt.Errorf("%s: %d are behind %d, and %+v begins behind that", topic, n, s.told[topic], r)
		}
	}
	s.slow = r.Reason == "slow"
	for topic, missed := range r.Missed {
		behind := r.Counts[topic]
		if !slices.Contains(s.topics, topic) || missed < 0 || missed == 0 && !r.AtLeast {
			return fmt.Errorf("a gap in %s: %+v", topic, r)
		}
		lacks, last := s.wanted(topic, s.told[topic], behind)
		most, least := lacks, lacks
		if s.policy == "latest" { // others are not missed: they have a newer one
			_, newer := s.wanted(topic, behind, math.MaxInt64)
			most, least = int64(len(last)), 0
			for key, count := range last {
				if newer[key] == 0 {
					least++
				}
				s.got[topic][key] = max(s.got[topic][key], count) // it may be among them
			}
		}
		if r.AtLeast {
			least = 0
		}
		if missed < least || missed > most {
			return fmt.Errorf("%s: of %d to %d behind %d, up to %d, %d are named as missing: %+v", topic, least, most, s.told[topic], behind, missed, r)
		}
		s.told[topic] = max(s.told[topic], behind)
	}
	return nil
}

func (s *story) message(r topicRecord) error {
	s.messages++
	var data struct{ N int64 }
	if err := json.Unmarshal(r.Data, &data); err != nil || data.N != r.Count {
		return fmt.Errorf("message %d has the data %.100s", r.Count, r.Data)
	}
	seq := seqOf(r.ID)
	told := s.told[r.Topic]
	passed, last := s.wanted(r.Topic, told, r.Count-1)
	if passed > 0 { // each has a newer one
		_, newer := s.wanted(r.Topic, r.Count-1, math.MaxInt64)
		for key := range last {
			if newer[key] == 0 {
				return fmt.Errorf("%s: between %d and %d is %d, the latest of %s", r.Topic, told, r.Count, last[key], key)
			}
		}
	}
	switch is, _ := s.wanted(r.Topic, r.Count-1, r.Count); {
	case !slices.Contains(s.topics, r.Topic) || is == 0:
		return fmt.Errorf("of %s comes %d", r.Topic, r.Count)
	case seq <= s.last:
		return fmt.Errorf("behind %d comes %d", s.last, seq)
	case r.Count <= told || s.policy != "latest" && passed > 0:
		return fmt.Errorf("%s: behind %d comes %d", r.Topic, told, r.Count)
	case s.policy == "disconnect" && s.slow:
		return fmt.Errorf("%s: behind the last gap comes %d", r.Topic, r.Count)
	case s.upTo(r.Topic, seq) != r.Count:
		return fmt.Errorf("%s: the number of %d is %d", r.Topic, r.Count, seq)
	}
	s.told[r.Topic] = r.Count
	s.got[r.Topic][r.Key] = r.Count
	s.position, s.last = r.ID, seq
	return nil
}

// late is an error where the reader has had its time.
func (s *story) late() error {
	if s.end.IsZero() || time.Now().Before(s.end) {
		return nil
	}
	text := fmt.Sprintf("at %q it is told of %v and has %v", s.position, s.told, s.got)
	for _, topic := range s.topics {
		n, last := s.wanted(topic, 0, math.MaxInt64)
		text += fmt.Sprintf(", of %s are %d, %v", topic, n, last)
	}
	return fmt.Errorf("it never has everything: %s", text)
}

// ends says whether the reader knows of everything.
func (s *story) ends() bool {
	if !s.isOver() || !s.begun {
		return false
	}
	for _, topic := range s.topics {
		n, last := s.wanted(topic, s.told[topic], math.MaxInt64)
		if s.policy != "latest" {
			if n > 0 {
				return false
			}
			continue
		}
		for key, count := range last {
			if s.got[topic][key] < count && s.opened[topic] < count {
				return false
			}
		}
	}
	return true
}

// publish publishes and notes the next message of a topic, which has its count.
// Nobody looks meanwhile: readers may have it before it is noted.
func (l *ledger) publish(t *testing.T, srv *leat.Server, topic, key string, size int) {
	l.publishes(t, srv, topic, "", key, size)
}

// publishes is publish with the name of an event.
func (l *ledger) publishes(t *testing.T, srv *leat.Server, topic, event, key string, size int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := leat.JSON(struct {
		N   int64
		Pad string `json:",omitempty"`
	}{int64(len(l.of[topic])) + 1, strings.Repeat("abcdefgh", size/8)})
	m.Event, m.Key = event, key
	r, err := srv.Topic(topic).Publish(t.Context(), m)
	if err != nil {
		t.Error(err)
	}
	l.of[topic] = append(l.of[topic], noted{seqOf(r.ID), event, key})
}

func (l *ledger) ends() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}
