package leat

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/leat-dev/leat/internal/pattern"
	"github.com/leat-dev/leat/internal/topic"
)

// A topicRequest is what a reader asks for; docs/protocol.md has the words.
type topicRequest struct {
	terms    topic.Terms
	start    topic.Start
	history  string // as it was asked for; "" where it was not
	slow     string // the policy that the reader has to know of; "": none
	envelope bool
	bare     bool
	stats    bool
	waits    bool
	wait     time.Duration
}

// waitMost is how long a long poll may take.
const waitMost = 2 * time.Minute

// readRequest reads what r asks for, of the topics that the path names and those of
// the query. The error says what is wrong with it.
func (t *topics) readRequest(r *http.Request, named []string) (*topicRequest, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("the query is not one: %w", err)
	}
	q := &topicRequest{envelope: query.Has("envelope"), bare: query.Has("bare"), stats: query.Has("stats")}
	if q.terms.Patterns, err = t.patterns(append(named, query["topic"]...)); err != nil {
		return nil, err
	}
	q.slow = t.slowOf(q.terms.Patterns)
	q.terms.Events, q.terms.Filtered = query["event"], query.Has("event")
	if q.start.Since = r.Header.Get("Last-Event-Id"); q.start.Since == "" {
		q.start.Since = query.Get("since")
	}
	q.history = query.Get("history")
	if q.start.History, err = historyOf(q.history); err != nil {
		return nil, err
	}
	if text := query.Get("maxRate"); text != "" {
		if q.terms.MaxRate, err = strconv.ParseFloat(text, 64); err != nil || !(q.terms.MaxRate >= 0.001 && q.terms.MaxRate <= 1000) {
			return nil, fmt.Errorf("maxRate=%s is not a rate; write messages a second from 0.001 to 1000, like maxRate=10", text)
		}
	}
	if query.Has("wait") {
		q.waits = true
		if q.wait, err = waitOf(query.Get("wait")); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// patterns checks the topics that are asked for.
func (t *topics) patterns(names []string) ([]string, error) {
	limits := &t.srv.config.Limits
	var list []string
	wild := 0
	for _, name := range names {
		if err := pattern.Check(name); err != nil {
			return nil, err
		}
		if slices.Contains(list, name) {
			continue
		}
		list = append(list, name)
		if pattern.Wild(name) {
			wild++
		}
	}
	switch {
	case len(list) == 0:
		return nil, fmt.Errorf("no topic is named; write its name behind the URL's path, or ?topic=NAME")
	case limits.TopicsPerReader > 0 && len(list) > limits.TopicsPerReader:
		return nil, fmt.Errorf("%d topics are too many for one reader; %d are allowed (limits.topicsPerReader)", len(list), limits.TopicsPerReader)
	case limits.Patterns > 0 && wild > limits.Patterns:
		return nil, fmt.Errorf("%d patterns are too many for one reader; %d are allowed (limits.patterns)", wild, limits.Patterns)
	}
	return list, nil
}

func historyOf(text string) (topic.History, error) {
	switch text {
	case "", "none":
		return topic.History{}, nil
	case "last":
		return topic.History{Keys: true}, nil
	case "all":
		return topic.History{Last: topic.All}, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return topic.History{}, fmt.Errorf("history=%s is none; write none, last, all or a number", text)
	}
	return topic.History{Last: n}, nil
}

func waitOf(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if n, plain := strconv.ParseFloat(text, 64); plain == nil {
		d, err = time.Duration(n*float64(time.Second)), nil
	}
	if err != nil || d < 0 {
		return 0, fmt.Errorf("wait=%s is no time; write wait=30s", text)
	}
	return min(d, waitMost), nil
}

// offered are the types of a topic, the default first.
var offered = []string{typeNDJSON, typeSSE, typeJSON}
