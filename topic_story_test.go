package leat_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// A ledger is what has been published: by topic the numbers of its messages, in
// order, and the count of the last of each key.
type ledger struct {
	mu     sync.Mutex
	seqs   map[string][]int64
	latest map[string]map[string]int64
	over   bool
}

func newLedger() *ledger {
	return &ledger{seqs: map[string][]int64{}, latest: map[string]map[string]int64{}}
}

// upTo is how many messages a topic had up to a number.
func (l *ledger) upTo(topic string, seq int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, _ := slices.BinarySearch(l.seqs[topic], seq+1)
	return int64(i)
}

// A story is what one reader has been told, over all its connections.
type story struct {
	*ledger
	policy   string
	topics   []string
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
	// From may be behind the position: what is between was for others.
	if from := seqOf(r.From); len(r.Missed) == 0 || from < s.last || seqOf(r.ID) < from || r.AtLeast && r.Reason != "history" && s.policy != "latest" {
		return fmt.Errorf("behind %q: %+v", s.position, r)
	}
	s.slow = r.Reason == "slow"
	for topic, missed := range r.Missed {
		behind := r.Counts[topic]
		lacks := behind - s.told[topic]
		switch {
		case !slices.Contains(s.topics, topic), missed < 1, s.policy != "latest" && s.upTo(topic, seqOf(r.From)) > s.told[topic]:
			return fmt.Errorf("a gap in %s: %+v", topic, r)
		case s.policy == "latest":
			if missed > lacks { // others are not missed: they have a newer one
				return fmt.Errorf("%s: %d of %d are missing: %+v", topic, missed, lacks, r)
			}
			for key := range s.got[topic] {
				s.got[topic][key] = max(s.got[topic][key], behind) // it may be among them
			}
		case missed != lacks && (!r.AtLeast || missed > lacks):
			return fmt.Errorf("%s: of %d behind %d, %d are named as missing: %+v", topic, behind, s.told[topic], missed, r)
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
	switch told := s.told[r.Topic]; {
	case !slices.Contains(s.topics, r.Topic):
		return fmt.Errorf("of %s comes %d", r.Topic, r.Count)
	case seq <= s.last:
		return fmt.Errorf("behind %d comes %d", s.last, seq)
	case s.policy == "latest" && r.Count <= told, s.policy != "latest" && r.Count != told+1:
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
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Errorf("it never has everything: at %q it is told of %v and has %v, of %v and %v", s.position, s.told, s.got, s.latest, lengths(s.seqs))
}

func lengths(of map[string][]int64) map[string]int {
	n := map[string]int{}
	for name, all := range of {
		n[name] = len(all)
	}
	return n
}

// ends says whether the reader knows of everything.
func (s *story) ends() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over || !s.begun {
		return false
	}
	for _, topic := range s.topics {
		if s.policy != "latest" {
			if s.told[topic] < int64(len(s.seqs[topic])) {
				return false
			}
			continue
		}
		for key, count := range s.latest[topic] {
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
	l.mu.Lock()
	defer l.mu.Unlock()
	m := leat.JSON(struct {
		N   int64
		Pad string `json:",omitempty"`
	}{int64(len(l.seqs[topic])) + 1, strings.Repeat("abcdefgh", size/8)})
	m.Key = key
	r, err := srv.Topic(topic).Publish(t.Context(), m)
	if err != nil {
		t.Error(err)
	}
	l.seqs[topic] = append(l.seqs[topic], seqOf(r.ID))
	if l.latest[topic] == nil {
		l.latest[topic] = map[string]int64{}
	}
	l.latest[topic][key] = r.Count
}

func (l *ledger) ends() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}
