package leat

import (
	"cmp"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/leat-dev/leat/internal/access"
	"github.com/leat-dev/leat/internal/conf"
	"github.com/leat-dev/leat/internal/pattern"
	"github.com/leat-dev/leat/internal/topic"
)

// topics are what a server has of them.
type topics struct {
	srv      *Server
	hub      *topic.Hub
	rules    []topicRule // the last one matches every topic
	verifier *access.Verifier
	tickets  *access.Tickets
	caps     caps
	origins  http.CrossOriginProtection
	stopping context.Context // done when the server stops
	stop     context.CancelFunc
	sources  sources
	saved    savedState
	closing  sync.Once
}

// A topicRule is a TopicRule as it is looked up.
type topicRule struct {
	match     string
	key       string
	heartbeat time.Duration // 0: none; negative: that of the route
	subscribe string
	publish   string
	log       topic.Rule
}

// newTopics makes the topics of a server.
func newTopics(s *Server) (*topics, error) {
	c := &s.config
	t := &topics{srv: s, tickets: access.NewTickets(time.Now)}
	t.stopping, t.stop = context.WithCancel(context.Background())
	defaults := conf.Config{Topics: []conf.Topic{{}}}
	conf.Fill(&defaults)
	for _, r := range append(c.Topics[:len(c.Topics):len(c.Topics)], topicsFromConf(defaults.Topics)...) {
		t.rules = append(t.rules, ruleFrom(&r))
	}
	if err := t.loadKeys(); err != nil {
		return nil, err
	}
	t.caps.limit(&c.Limits)
	t.hub = topic.NewHub(topic.Options{
		Encoders: encoders(),
		Control: func(as topic.Encoding, c *topic.Control) []byte {
			return dialects[as].record(recordOf(c, nil))
		},
		Beat: func(as topic.Encoding, at topic.ID, moved bool) []byte { return dialects[as].heartbeat(at, moved) },
		Rule: func(name string) *topic.Rule { return &t.ruleOf(name).log },
		May:  t.maySee, Topics: max(0, c.Limits.Topics), Bytes: max(0, c.Limits.TopicMemory), Records: &s.counters.Records,
	})
	return t, t.load()
}

var slowRules = map[string]topic.Slow{conf.SlowGap: topic.SlowGap, conf.SlowLatest: topic.SlowLatest, conf.SlowDisconnect: topic.SlowEnd}

func ruleFrom(r *TopicRule) topicRule {
	rule := topicRule{
		match: cmp.Or(r.Match, ">"), key: r.Key, heartbeat: -1, subscribe: r.Subscribe, publish: r.Publish,
		log: topic.Rule{
			Count: r.History.Count, Bytes: max(0, r.History.Bytes), Age: positive(r.History.Age),
			Slow: slowRules[r.Slow], MaxRate: r.MaxRate,
		},
	}
	if r.Heartbeat != 0 {
		rule.heartbeat = positive(r.Heartbeat)
	}
	switch {
	case r.History.None:
		rule.log = topic.Rule{Age: time.Second, Slow: rule.log.Slow, MaxRate: rule.log.MaxRate}
	case r.History.Count < 0:
		rule.log.Count = unbounded
	}
	return rule
}

// ruleOf is the rule of a topic.
func (t *topics) ruleOf(name string) *topicRule {
	for i := range t.rules {
		if pattern.Match(t.rules[i].match, name) {
			return &t.rules[i]
		}
	}
	return &t.rules[len(t.rules)-1]
}

// terms adds to what a reader has asked for what the rules of its topics say.
func (t *topics) terms(o *topic.Terms, heartbeat time.Duration) {
	o.Heartbeat = heartbeat
	first := true
	for _, p := range o.Patterns {
		if pattern.Wild(p) {
			continue
		}
		rule := t.ruleOf(p)
		if rate := rule.log.MaxRate; rate > 0 && (o.MaxRate == 0 || rate < o.MaxRate) {
			o.MaxRate = rate
		}
		if h := rule.heartbeat; h >= 0 && (first || h > 0 && (o.Heartbeat == 0 || h < o.Heartbeat)) {
			o.Heartbeat = h
		}
		first = false
	}
}

// slowOf is the policy that readers of some patterns have to know of, or "".
func (t *topics) slowOf(patterns []string) string {
	for _, p := range patterns {
		for i := range t.rules {
			r := &t.rules[i]
			if r.log.Slow == topic.SlowLatest && overlaps(r.match, p) {
				return conf.SlowLatest
			}
			if pattern.Contains(r.match, p) { // no later one has a topic of it
				break
			}
		}
	}
	return ""
}
