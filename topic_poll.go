package leat

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"

	"github.com/leat-dev/leat/internal/serve"
	"github.com/leat-dev/leat/internal/topic"
)

// snapshot answers what is kept, as one array.
func (t *topics) snapshot(w http.ResponseWriter, r *http.Request, q *topicRequest) {
	if q.start.Since != "" {
		q.waits = true // for nothing: what has come since is there
		t.poll(w, r, q, typeJSON)
		return
	}
	history := q.start.History
	if q.history == "" {
		history.Last = topic.All
	}
	t.terms(&q.terms, 0)
	messages, at := t.hub.History(q.terms, history)
	tag := tagOf(messages, r.URL.RawQuery)
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", "no-cache")
	h.Set(positionHeader, at.String())
	if matches(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	var lines [][]byte
	for _, m := range messages {
		lines = append(lines, q.line(m))
	}
	writeArray(w, lines)
}

// tagOf is the entity tag of some messages, as a query asks for them.
func tagOf(messages []*topic.Message, query string) string {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(query)) // a hash takes everything
	for _, m := range messages {
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
func (t *topics) poll(w http.ResponseWriter, r *http.Request, q *topicRequest, want string) {
	t.terms(&q.terms, 0)
	if r.Method == http.MethodHead {
		q.wait = 0
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(t.stopping, cancel)()
	p := t.hub.Poll(ctx, q.terms, q.start, q.wait)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set(positionHeader, p.At.String())
	var lines [][]byte
	tell := func(c *controlRecord) {
		if !q.bare {
			lines = append(lines, controlRecordOf(nil, c))
		}
	}
	if q.bare && (p.Gap != nil || p.First.Name == topic.Gap || p.First.Name == topic.Reset) {
		serve.Error(w, r, http.StatusGone, "messages are missing behind this id; without ?bare the answer says which")
		return
	}
	tell(recordOf(p.First, q.history))
	if p.Gap != nil {
		tell(recordOf(p.Gap, ""))
	}
	for _, m := range p.Messages {
		lines = append(lines, q.line(m))
	}
	tell(&controlRecord{Control: topic.Position, ID: p.At.String()})
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

// line is a message as the request wants it.
func (q *topicRequest) line(m *topic.Message) []byte {
	if q.bare {
		return appendData(nil, m)
	}
	return appendRecord(nil, m)
}
