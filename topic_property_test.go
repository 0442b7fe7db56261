package leat_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

var (
	topicsFor  = flag.Duration("topics", 2*time.Second, "how long the property of topics is tried for")
	topicsSeed = flag.Uint64("topics-seed", 0, "what chance begins with there; 0: anything")
)

// target is what the reader asks for.
func (s *story) target(also string) string {
	q := "/live/?topic=" + strings.Join(s.topics, "&topic=") + also
	for _, event := range s.events {
		q += "&event=" + event
	}
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
			if err := s.late(); err != nil {
				return err
			}
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
	resp, leave, err := s.asks(&http.Client{Transport: tr}, at, "")
	if err != nil {
		return err
	}
	defer leave()
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
			return errors.Join(s.late(), fmt.Errorf("it has ended behind %.100q: %w", line, err))
		case len(line) == 1: // a heartbeat
			continue
		}
		if err := s.line(line); err != nil {
			return err
		}
	}
	return nil
}

// asks asks for what comes next, for as long as the reader has time.
func (s *story) asks(client *http.Client, at, also string) (resp *http.Response, leave func(), err error) {
	ctx, cancel := context.WithDeadline(context.Background(), s.end)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at+s.target(also), nil)
	if err == nil {
		resp, err = client.Do(req)
	}
	if err != nil {
		cancel()
		return nil, nil, errors.Join(s.late(), err)
	}
	return resp, cancel, nil
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
	resp, leave, err := s.asks(http.DefaultClient, at, "&wait=50ms")
	if err != nil {
		return err
	}
	defer leave()
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
	seed := cmp.Or(*topicsSeed, rand.Uint64())
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
	book := newLedger()
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
		for i, policy := range []string{"gap", "latest", "disconnect", "gap", "latest", "disconnect"} {
			random := rand.New(rand.NewPCG(seed, uint64(len(way)*10+i))) //nolint:gosec // small
			s := &story{ledger: book, policy: policy, topics: []string{policy + ".a", policy + ".b"}}
			if i > 2 {
				s.events = []string{"x", "z"}
			}
			wg.Go(func() {
				connections := 0
				for s.end = time.Now().Add(*topicsFor + patience); !s.ends(); connections++ {
					s.rests(random)
					s.comes()
					err := s.late()
					if err == nil {
						err = travels(at, s, random)
					}
					if err != nil {
						t.Errorf("seed %d, %s, %s, %v: %v", seed, way, policy, s.events, err)
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
			event := []string{"", "x", "y", "y"}[random.IntN(4)]
			book.publishes(t, srv, topics[random.IntN(len(topics))], event, fmt.Sprint("k", random.IntN(3)), random.IntN(1<<random.IntN(13)))
		}
		time.Sleep(time.Duration(random.IntN(4000)) * time.Microsecond) //nolint:forbidigo // publishers pause
	}
	book.ends()
	for _, topic := range topics { // for those who had everything, and wait for more
		book.publishes(t, srv, topic, "x", "k", 0)
	}
	wg.Wait()
	for way, n := range total {
		t.Logf("%s: %d connections, %d messages, %d gaps", way, n[0], n[1], n[2])
		if !t.Failed() && *topicsFor >= 2*time.Second && (n[0] < 3 || n[1] == 0) {
			t.Errorf("%s: that proves nothing", way)
		}
	}
}
