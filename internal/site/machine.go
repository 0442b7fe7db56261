package site

import (
	"net/http"
	"os"
	"time"

	"github.com/leat-dev/leat"
)

// machine streams what this machine does: NDJSON or SSE, one record a second or
// each ?every=.
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
	next := m.sampler.watch(every)
	s.Every(every, func() error {
		record := next()
		record.Host = m.host
		return s.Send(record)
	})
}
