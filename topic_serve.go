package leat

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/leat-dev/leat/internal/access"
	"github.com/leat-dev/leat/internal/serve"
	"github.com/leat-dev/leat/internal/topic"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// ServeHTTP serves the topic: to readers over NDJSON, Server-Sent Events,
// WebSocket, as an array or by long polls, and to publishers by POST, as
// docs/protocol.md says. It works under any router. A path that ends in /ticket is
// where tickets are made, and nothing else.
func (t *Topic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.srv.topics.serve(w, r, []string{t.name}, ticketPath(r.URL.Path))
}

// Topics serves all topics by their names, which stand in the path behind prefix:
// with "/live/" the topic "cpu" is "/live/cpu". A route with the handler "topic"
// does so by itself.
func (s *Server) Topics(prefix string) http.Handler {
	return serve.Judge{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, rest, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, prefix), "/"), "/")
		ticket := rest == ticketName || rest == "" && name == ticketName && r.Method == http.MethodPost && r.URL.Query().Has("topic")
		switch {
		case ticket && rest == "":
			name = ""
		case rest != "" && !ticket:
			serve.Error(w, r, http.StatusNotFound, "a topic's name has dots, and no slash")
			return
		}
		var names []string
		if name != "" {
			names = []string{name}
		}
		s.topics.serve(w, r, names, ticket)
	})}
}

const ticketName = "ticket"

func ticketPath(path string) bool { return strings.HasSuffix(path, "/"+ticketName) }

// serve answers a request for topics, of which named stand in the path, or for a
// ticket.
func (t *topics) serve(w http.ResponseWriter, r *http.Request, named []string, ticket bool) {
	w.Header().Add("Vary", "Accept")
	if !t.crosses(w, r) {
		return
	}
	switch {
	case r.Method == http.MethodPost && ticket:
		t.makeTicket(w, r, named)
	case r.Method == http.MethodPost:
		t.post(w, r, named)
	case !ticket && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		t.read(w, r, named)
	default:
		allow, why := "GET, HEAD, OPTIONS, POST", r.Method+" is none of a topic's methods: GET reads it, POST publishes"
		if ticket {
			allow, why = "OPTIONS, POST", "a ticket is made by POST"
		}
		w.Header().Set("Allow", allow)
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		serve.Error(w, r, http.StatusMethodNotAllowed, why)
	}
}

// crosses sets what a page of another origin needs that may read topics and publish
// to them: those of webSockets.origins. Others may do nothing that changes
// something. It answers false where it has answered the request.
func (t *topics) crosses(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	h := w.Header()
	if origin != "" {
		h.Add("Vary", "Origin")
	}
	b := t.srv.bounds(serve.Of(r.Context()))
	if origin == "" || !ws.OriginAllowed([]string{origin}, r.Host, b.Sockets.Origins) || ws.OriginAllowed([]string{origin}, r.Host, nil) {
		if err := t.origins.Check(r); err != nil {
			serve.Error(w, r, http.StatusForbidden, "this request comes from a page of another origin; webSockets.origins names those that may")
			return false
		}
		return true
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", positionHeader+", ETag, Retry-After")
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match, Last-Event-ID, Leat-Event, Leat-Key, Idempotency-Key")
		h.Set("Access-Control-Max-Age", "600")
		w.WriteHeader(http.StatusNoContent)
		return false
	}
	return true
}

// positionHeader is where a position stands for those who do not look into the
// body.
const positionHeader = "Leat-Position"

// read answers a reader.
func (t *topics) read(w http.ResponseWriter, r *http.Request, named []string) {
	q, err := t.readRequest(r, named)
	if err != nil {
		serve.Error(w, r, http.StatusBadRequest, err.Error())
		return
	}
	c := t.callerOf(r)
	socket, err := isUpgrade(r), c.mayRead(q.terms.Patterns)
	later := err != nil && socket && c.mayComeLater(err)
	if err != nil && !later {
		t.refuse(w, r, err)
		return
	}
	t.keepTicket(w, r, &c)
	q.terms.Grant = c.patterns()
	want := accepted(r.Header.Values("Accept"), offered)
	switch {
	case q.stats:
		t.answerStats(w, q)
	case socket:
		if !later { // who has no token learns nothing
			w.Header().Set(positionHeader, t.begins(q))
		}
		t.upgrade(w, r, q, c)
	case want == "":
		serve.Error(w, r, http.StatusNotAcceptable, "a topic is "+strings.Join(offered, ", ")+", or a WebSocket")
	case q.waits:
		t.poll(w, r, q, &c, want)
	case want == typeJSON:
		t.snapshot(w, r, q)
	default:
		w.Header().Set(positionHeader, t.begins(q))
		t.stream(w, r, q, &c, want)
	}
}

// begins is where a reader begins. What is published before it does comes, too.
func (t *topics) begins(q *topicRequest) string {
	var terms topic.Terms
	if q.start.History != (topic.History{}) {
		terms = q.terms
	}
	history, at := t.hub.History(terms, q.start.History)
	switch since, ok := topic.ParseID(q.start.Since); {
	case ok && since.Epoch == at.Epoch && since.Seq <= at.Seq:
		at = since
	case len(history) > 0:
		at.Seq = history[0].Seq - 1
	}
	return at.String()
}

// isUpgrade says whether a request is for a WebSocket.
func isUpgrade(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ProtoMajor == 1 && headerHas(r.Header, "Upgrade", "websocket")
}

func headerHas(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// refuse answers an error with the status that it has.
func (t *topics) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status := statusOf(err)
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	case http.StatusRequestEntityTooLarge:
		if r.ProtoMajor == 1 { // else net/http waits for more of the body, which may never come
			w.Header().Set("Connection", "close")
		}
	}
	serve.Error(w, r, status, textOf(err))
}

// makeTicket answers a ticket for who has a token.
func (t *topics) makeTicket(w http.ResponseWriter, r *http.Request, named []string) {
	q, err := t.readRequest(r, named)
	if err != nil {
		serve.Error(w, r, http.StatusBadRequest, err.Error())
		return
	}
	c := t.callerOf(r)
	if err := c.mayRead(q.terms.Patterns); err != nil {
		t.refuse(w, r, err)
		return
	}
	if c.token == "" || c.grant == nil {
		serve.Error(w, r, http.StatusUnauthorized, "a ticket is for a token; send one as Authorization: Bearer TOKEN")
		return
	}
	path := strings.TrimSuffix(r.URL.Path, ticketName)
	if len(named) > 0 {
		path = strings.TrimSuffix(path, "/")
	}
	name, expires, err := t.tickets.Make(c.token, path)
	if err != nil {
		serve.Error(w, r, http.StatusBadRequest, err.Error())
		return
	}
	answerJSON(w, map[string]any{"ticket": name, "expires": expires.UTC().Format(time.RFC3339)})
}

// keepTicket has the browser that comes with a ticket come back by a cookie.
func (t *topics) keepTicket(w http.ResponseWriter, r *http.Request, c *caller) {
	if c.grant != nil && r.URL.Query().Has("ticket") {
		http.SetCookie(w, access.Cookie(c.token, c.grant, pathOf(r), r.TLS != nil, time.Now()))
	}
}

// pathOf is the path of a request as the browser knows it: others may have taken
// something off it since.
func pathOf(r *http.Request) string {
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil && u.Path != "" {
		return u.EscapedPath()
	}
	return r.URL.EscapedPath()
}

// answerStats answers the numbers of the topics.
func (t *topics) answerStats(w http.ResponseWriter, q *topicRequest) {
	stats := map[string]TopicStats{}
	for _, p := range q.terms.Patterns {
		stats[p] = t.stats(topic.Terms{Patterns: []string{p}, Grant: q.terms.Grant})
	}
	w.Header().Set("Cache-Control", "no-store")
	if len(q.terms.Patterns) == 1 {
		answerJSON(w, stats[q.terms.Patterns[0]])
		return
	}
	answerJSON(w, stats)
}

// answerJSON answers a value.
func answerJSON(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // the values are ours
	}
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "no-store")
	}
	w.Header().Set("Content-Type", typeJSON)
	_, _ = w.Write(append(b, '\n')) // who does not read it is gone
}
