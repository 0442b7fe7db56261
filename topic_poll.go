package leat

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"
	"time"

	"github.com/leat-dev/leat/internal/serve"
	"github.com/leat-dev/leat/internal/topic"
)

// snapshot answers what is kept, as one array.
func (t *topics) snapshot(w http.ResponseWriter, r *http.Request, q *topicRequest) {
	if q.history == "" {
		q.start.History.Last = topic.All
	}
	t.terms(&q.terms, 0)
	var p topic.Polled
	if q.start.Since == "" {
		p.Messages, p.At = t.hub.History(q.terms, q.start.History)
	} else {
		p = t.hub.Poll(r.Context(), q.terms, q.start, 0)
	}
	lines, whole := q.lines(&p)
	h := w.Header()
	h.Set(positionHeader, p.At.String())
	if !whole {
		serve.Error(w, r, http.StatusGone, textGone)
		return
	}
	tag := tagOf(&p, r)
	h.Set("ETag", tag)
	h.Set("Cache-Control", "no-cache")
	if matches(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	writeArray(w, lines)
}

const textGone = "messages are missing behind this id; without ?bare the answer says which"

// tagOf is the entity tag of what is answered to a request.
func tagOf(p *topic.Polled, r *http.Request) string {
	sum := fnv.New64a() // which takes everything
	_, _ = fmt.Fprintln(sum, r.URL.RawQuery, r.Header.Get("Last-Event-Id"))
	for _, c := range []*topic.Control{p.First, p.Gap} {
		if c != nil { // its position moves without anything coming
			_, _ = fmt.Fprintln(sum, c.Name, c.Counts, c.Missed)
		}
	}
	for _, m := range p.Messages {
		_, _ = sum.Write(m.ID().Append(nil))
	}
	return fmt.Sprintf(`"%016x"`, sum.Sum64())
}

// matches says whether If-None-Match has a tag (RFC 9110, 13.1.2).
func matches(lines []string, tag string) bool {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			if part = strings.TrimSpace(part); part == "*" || strings.TrimPrefix(part, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// writeArray answers JSON values as one array.
func writeArray(w http.ResponseWriter, values [][]byte) {
	w.Header().Set("Content-Type", typeJSON)
	body := append([]byte{'['}, bytes.Join(values, []byte(",\n"))...)
	_, _ = w.Write(append(body, "]\n"...)) // who does not read it is gone
}

// poll answers what has come, or comes within a time.
func (t *topics) poll(w http.ResponseWriter, r *http.Request, q *topicRequest, c *caller, want string) {
	t.terms(&q.terms, 0)
	if q.wait = t.waits(r, q.wait, c.expires()); q.wait > 0 {
		leave, err := t.caps.enter(r.RemoteAddr)
		if err != nil {
			t.refuse(w, r, err)
			return
		}
		if leave != nil {
			defer leave()
		}
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(t.stopping, cancel)()
	p := t.hub.Poll(ctx, q.terms, q.start, q.wait)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set(positionHeader, p.At.String())
	lines, whole := q.lines(&p)
	if !whole {
		serve.Error(w, r, http.StatusGone, textGone)
		return
	}
	if !q.bare {
		lines = append(lines, controlRecordOf(nil, &controlRecord{Control: topic.Position, ID: p.At.String()}))
	}
	if want == typeJSON {
		writeArray(w, lines)
		return
	}
	h.Set("Content-Type", typeNDJSON)
	for i, line := range lines {
		lines[i] = append(line, '\n')
	}
	_, _ = w.Write(bytes.Join(lines, nil)) // who does not read it is gone
}

// waits is how long a poll may take: not longer than its token is good, and so that
// its answer comes within timeouts.request.
func (t *topics) waits(r *http.Request, asked time.Duration, expires time.Time) time.Duration {
	if r.Method == http.MethodHead {
		return 0
	}
	if x := serve.Of(r.Context()); x != nil && x.Bounds.Request > 0 {
		asked = min(asked, x.Bounds.Request*3/4)
	}
	if !expires.IsZero() {
		asked = min(asked, max(0, time.Until(expires)))
	}
	return asked
}

// lines are the records of an answer; false where some are missing for one that has
// asked not to be told.
func (q *topicRequest) lines(p *topic.Polled) (lines [][]byte, whole bool) {
	for _, c := range []*topic.Control{p.First, p.Gap} {
		switch {
		case c == nil:
		case !q.bare:
			lines = append(lines, controlRecordOf(nil, recordOf(c, q)))
		case c.Name == topic.Gap || c.Name == topic.Reset:
			return nil, false
		}
	}
	for _, m := range p.Messages {
		lines = append(lines, q.line(m))
	}
	return lines, true
}

// line is a message as the request wants it.
func (q *topicRequest) line(m *topic.Message) []byte {
	if q.bare {
		return appendData(nil, m)
	}
	return appendRecord(nil, m)
}
