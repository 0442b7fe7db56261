package leat_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

var topicsFor = flag.Duration("topics", 2*time.Second, "how long the property of topics is tried for")

// A ledger is what has been published: by topic the numbers of its messages, in
// order, and the count of the last of each key.
type ledger struct {
	mu     sync.Mutex
	more   *sync.Cond
	seqs   map[string][]int64
	latest map[string]map[string]int64
	over   bool
}

// upTo is how many messages a topic had up to a number.
func (l *ledger) upTo(topic string, seq int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := l.seqs[topic]; !l.over && (len(s) == 0 || s[len(s)-1] <= seq); s = l.seqs[topic] {
		l.more.Wait() // it may have come before it is noted
	}
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
	if from := seqOf(r.From); len(r.Missed) == 0 || from < s.last || seqOf(r.ID) < from || r.AtLeast && r.Reason != "history" {
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

// target is what the reader asks for.
func (s *story) target(also string) string {
	q := "/live/?topic=" + strings.Join(s.topics, "&topic=") + also
	if s.position != "" {
		q += "&since=" + url.QueryEscape(s.position)
	}
	return q
}

// A traveller is a way to read topics, for one connection: until it is cut, or has
// everything.
type traveller func(at string, s *story, random *rand.Rand) error

// byWire reads by a connection of its own.
func byWire(kind string) traveller {
	return func(at string, s *story, random *rand.Rand) error {
		var wrong error
		took := func(r topicRecord) {
			if wrong == nil {
				wrong = s.takes(r)
			}
		}
		r, err := readsTopic(at, kind, s.target(""), random.IntN(2) == 0, took)
		if err != nil {
			return err
		}
		defer r.cut()
		for left := random.IntN(1 << random.IntN(22)); !s.ends(); {
			s.rests(random)
			n := 1 + random.IntN(1<<random.IntN(15))
			if !s.isOver() {
				if left -= n; left <= 0 {
					return nil
				}
			}
			err := r.read(n)
			if _, torn := errors.AsType[*tornError](err); torn || wrong != nil {
				return errors.Join(wrong, err)
			}
			if err != nil || r.over {
				return s.ended(r, err)
			}
		}
		return nil
	}
}

// ended says whether a stream may have ended so.
func (s *story) ended(r *topicReader, err error) error {
	if s.policy != "disconnect" || !s.slow || !r.over || r.code != 0 && r.code != 1013 {
		return fmt.Errorf("it has ended, with the code %d: %w", r.code, err)
	}
	return nil
}

// rests has the reader read nothing for a while, now and then.
func (s *story) rests(random *rand.Rand) {
	if !s.isOver() && random.IntN(8) == 0 {
		time.Sleep(time.Duration(random.IntN(1<<random.IntN(17))) * time.Microsecond) //nolint:forbidigo // readers stall
	}
}

func (l *ledger) isOver() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

// byHTTP2 reads NDJSON over HTTP/2.
func byHTTP2(at string, s *story, random *rand.Rand) error {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at+s.target(""), nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	in := bufio.NewReaderSize(resp.Body, 1<<random.IntN(16))
	for left := random.IntN(1 << random.IntN(22)); !s.ends(); {
		s.rests(random)
		line, err := in.ReadBytes('\n')
		if !s.isOver() {
			if left -= len(line); left <= 0 {
				return nil
			}
		}
		switch {
		case err != nil && len(line) == 0 && s.policy == "disconnect" && s.slow:
			return nil
		case err != nil:
			return fmt.Errorf("it has ended behind %.100q: %w", line, err)
		case len(line) == 1: // a heartbeat
			continue
		}
		if err := s.line(line); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) line(line []byte) error {
	var r topicRecord
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("%w: %.200q", err, line)
	}
	return s.takes(r)
}

// byPoll asks again and again. An answer that is cut is asked for again.
func byPoll(at string, s *story, random *rand.Rand) error {
	s.rests(random)
	resp, err := http.Get(at + s.target("&wait=50ms"))
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	switch {
	case err != nil || resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s %.200q %w", resp.Status, body, err)
	case random.IntN(4) == 0 && !s.isOver():
		return nil
	}
	for line := range bytes.Lines(body) {
		if err := s.line(line); err != nil {
			return err
		}
	}
	if header := resp.Header.Get("Leat-Position"); s.position != header {
		return fmt.Errorf("it ends at %q, and the header says %q", s.position, header)
	}
	return nil
}

// Each reader, however it reads, stalls and is cut, sees each message of its topics
// once and in order, or a gap that says exactly what it has missed.
func TestReadersOfTopicsMissNothingSilently(t *testing.T) {
	ways := map[string]traveller{"HTTP/2": byHTTP2, "long poll": byPoll}
	for _, kind := range topicWires {
		ways[kind] = byWire(kind)
	}
	seed := rand.Uint64()
	t.Logf("the seed is %d", seed)
	history := leat.History{Count: 100, Bytes: 32 << 10}
	srv, at := start(t, &leat.Config{
		Limits: leat.Limits{SendBuffer: 4 << 10, TopicsPerReader: leat.Unlimited},
		Routes: []leat.Route{{Match: "/live/", Handler: "topic"}},
		Topics: []leat.TopicRule{
			{Match: "latest.*", Slow: "latest", History: history},
			{Match: "disconnect.*", Slow: "disconnect", History: history},
			{Match: ">", History: history},
		},
	}, nil)
	book := &ledger{seqs: map[string][]int64{}, latest: map[string]map[string]int64{}}
	book.more = sync.NewCond(&book.mu)
	var topics []string
	for _, policy := range []string{"gap", "latest", "disconnect"} {
		topics = append(topics, policy+".a", policy+".b")
	}
	for _, topic := range topics { // so that a reader of all knows them
		book.publish(t, srv, topic, "k", 0)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := map[string][3]int{}
	for way, travels := range ways {
		for i, policy := range []string{"gap", "latest", "disconnect"} {
			random := rand.New(rand.NewPCG(seed, uint64(len(way)*10+i))) //nolint:gosec // small
			s := &story{ledger: book, policy: policy, topics: []string{policy + ".a", policy + ".b"}}
			wg.Go(func() {
				connections := 0
				for end := time.Now().Add(*topicsFor + patience); !s.ends(); connections++ {
					s.rests(random)
					s.comes()
					if err := travels(at, s, random); err != nil {
						t.Errorf("seed %d, %s, %s: %v", seed, way, policy, err)
						return
					}
					if time.Now().After(end) {
						t.Errorf("seed %d, %s, %s: it never has everything: %v at %q", seed, way, policy, s.told, s.position)
						return
					}
				}
				mu.Lock()
				defer mu.Unlock()
				n := total[way]
				total[way] = [3]int{n[0] + connections, n[1] + s.messages, n[2] + s.gaps}
			})
		}
	}
	random := rand.New(rand.NewPCG(seed, 0))
	for end := time.Now().Add(*topicsFor); time.Now().Before(end); {
		for range 1 + random.IntN(60) {
			book.publish(t, srv, topics[random.IntN(len(topics))], fmt.Sprint("k", random.IntN(3)), random.IntN(1<<random.IntN(13)))
		}
		time.Sleep(time.Duration(random.IntN(4000)) * time.Microsecond) //nolint:forbidigo // publishers pause
	}
	book.ends()
	wg.Wait()
	for way, n := range total {
		t.Logf("%s: %d connections, %d messages, %d gaps", way, n[0], n[1], n[2])
		if !t.Failed() && *topicsFor >= 2*time.Second && (n[0] < 3 || n[1] == 0) {
			t.Errorf("%s: that proves nothing", way)
		}
	}
}

// publish publishes and notes the next message of a topic, which has its count.
func (l *ledger) publish(t *testing.T, srv *leat.Server, topic, key string, size int) {
	m := leat.JSON(struct {
		N   int64
		Pad string `json:",omitempty"`
	}{int64(len(l.seqs[topic])) + 1, strings.Repeat("abcdefgh", size/8)})
	m.Key = key
	r, err := srv.Topic(topic).Publish(t.Context(), m)
	if err != nil {
		t.Error(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seqs[topic] = append(l.seqs[topic], seqOf(r.ID))
	if l.latest[topic] == nil {
		l.latest[topic] = map[string]int64{}
	}
	l.latest[topic][key] = r.Count
	l.more.Broadcast()
}

func (l *ledger) ends() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.more.Broadcast()
}
