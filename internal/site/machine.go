package site

import (
	"context"
	"net/http"
	"os"
	"time"

	"github.com/leat-dev/leat"
)

// machine tells what this machine does: as topics, a record a second, and by
// NDJSON or SSE with an interval of one's own, each ?every=.
type machine struct {
	sampler *sampler
	host    string
}

func newMachine(s *sampler) *machine {
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	return &machine{sampler: s, host: host}
}

func (m *machine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	every, ok := interval(w, r, time.Second)
	if !ok {
		return
	}
	s, err := leat.Records(w, r, nil)
	if err != nil {
		return
	}
	next := m.watch(every)
	s.Every(every, func() error { return s.Send(next()) })
}

// watch returns the source of one stream's records.
func (m *machine) watch(every time.Duration) func() *status {
	next := m.sampler.watch(every)
	return func() *status {
		record := next()
		record.Host = m.host
		return record
	}
}

// publish makes topics of srv of the machine: a record a second while somebody
// reads one of them.
func (m *machine) publish(srv *leat.Server) {
	const every = time.Second
	topics := make([]*leat.Topic, len(parts))
	of := map[*leat.Topic]part{}
	for i, p := range parts {
		topics[i] = srv.Topic(p.topic)
		of[topics[i]] = p
	}
	var next func() *status
	var last time.Time
	collect(every, func(read []*leat.Topic) {
		if time.Since(last) > 2*every { // behind a pause, rates begin anew
			next = m.watch(every)
		}
		last = time.Now()
		record := next()
		for _, t := range read {
			if data, told := of[t].of(record); told {
				publish(t, leat.JSON(data))
			}
		}
	}, topics...)
}

// publish publishes a message that is in order. Where the server stops, or has too
// many topics, there is nobody to tell.
func publish(t *leat.Topic, m leat.Message) {
	_, _ = t.Publish(context.Background(), m)
}
