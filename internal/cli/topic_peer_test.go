package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/leat-dev/leat"
)

// A TopicPeer is a topic as docs/protocol.md has it, as far as leat pub and leat
// sub need one, and records what it is asked.
type TopicPeer struct {
	mu       sync.Mutex
	messages []peerMessage
	changed  chan struct{} // closed at the next message
	answers  map[string]string
	Posts    []PeerPost
	Gets     []*http.Request
	// Refuse answers a request in place of the topic, where it answers true.
	Refuse func(w http.ResponseWriter, r *http.Request) bool
}

type peerMessage struct {
	ID    string          `json:"id"`
	Topic string          `json:"topic"`
	Event string          `json:"event,omitempty"`
	Key   string          `json:"key,omitempty"`
	Count int             `json:"count"`
	Data  json.RawMessage `json:"data"`

	media string
}

// A PeerPost is a request that has published something.
type PeerPost struct {
	Media, Body string
	Messages    int
}

// NewTopicPeer makes a topic.
func NewTopicPeer() *TopicPeer {
	return &TopicPeer{changed: make(chan struct{}), answers: map[string]string{}}
}

// Publish adds messages.
func (p *TopicPeer) Publish(data ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range data {
		p.add(peerMessage{Data: json.RawMessage(d)})
	}
}

func (p *TopicPeer) add(m peerMessage) {
	m.Count = len(p.messages) + 1
	m.ID = fmt.Sprintf("e1-%d", m.Count)
	m.Topic = "numbers"
	p.messages = append(p.messages, m)
	close(p.changed)
	p.changed = make(chan struct{})
}

// Data is what has been published, a line each.
func (p *TopicPeer) Data() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for _, m := range p.messages {
		fmt.Fprintf(&b, "%s\n", m.Data)
	}
	return b.String()
}

// Wait waits until n messages have been published.
func (p *TopicPeer) Wait(t *testing.T, n int) {
	t.Helper()
	for {
		p.mu.Lock()
		have, changed := len(p.messages), p.changed
		p.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatalf("%d of %d messages came", have, n)
		}
	}
}

func (p *TopicPeer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.Refuse != nil && p.Refuse(w, r) {
		return
	}
	if r.Method == http.MethodPost {
		p.take(w, r)
		return
	}
	p.mu.Lock()
	p.Gets = append(p.Gets, r)
	p.mu.Unlock()
	switch {
	case r.Header.Get("Upgrade") != "":
		s, err := leat.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		p.feed(s.Context(), r, func(v any) error {
			text, _ := json.Marshal(v)
			_, err := s.Write(s.Context(), leat.Text(text))
			return err
		})
	case strings.Contains(r.Header.Get("Accept"), "event-stream"):
		s, err := leat.SSE(w, r, nil)
		if err != nil {
			return
		}
		p.feed(s.Context(), r, func(v any) error {
			e := leat.Event{Data: v}
			switch v := v.(type) {
			case peerMessage:
				e.ID, e.Name = v.ID, v.Event
			case map[string]any:
				e.ID, e.Name = v["id"].(string), "leat."+v["control"].(string)
			}
			return s.SendEvent(e)
		})
	default:
		s, err := leat.NDJSON(w, r, nil)
		if err != nil {
			return
		}
		p.feed(s.Context(), r, s.Send)
	}
}

// feed sends what a reader asks for, until it has left.
func (p *TopicPeer) feed(ctx context.Context, r *http.Request, send func(v any) error) {
	p.mu.Lock()
	at := len(p.messages)
	p.mu.Unlock()
	first := map[string]any{"control": "open", "heartbeat": 25}
	switch since, resumes := strings.CutPrefix(r.Header.Get("Last-Event-ID"), "e1-"); {
	case resumes:
		at, _ = strconv.Atoi(since)
		first["control"] = "resumed"
	case r.URL.Query().Get("history") == "all":
		at = 0
	}
	first["id"] = fmt.Sprintf("e1-%d", at)
	err := send(first)
	for err == nil {
		p.mu.Lock()
		changed := p.changed
		news := p.messages[at:]
		p.mu.Unlock()
		for _, m := range news {
			if err = send(m); err != nil {
				break
			}
			at++
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (p *TopicPeer) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := r.Header.Get("Idempotency-Key")
	if answer, known := p.answers[key]; known {
		_, _ = io.WriteString(w, answer)
		return
	}
	before := len(p.messages)
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch media {
	case "application/x-ndjson":
		for line := range strings.Lines(string(body)) {
			var m peerMessage
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				http.Error(w, fmt.Sprintf("line %d: %v", len(p.messages)-before+1, err), http.StatusBadRequest)
				return
			}
			p.add(m)
		}
	default:
		m := peerMessage{Event: r.FormValue("event"), Key: r.FormValue("key"), Data: body, media: media}
		if media != "application/json" {
			m.Data, _ = json.Marshal(string(body))
		}
		p.add(m)
	}
	p.Posts = append(p.Posts, PeerPost{media, string(body), len(p.messages) - before})
	answer := fmt.Sprintf(`{"id":"e1-%d","count":%[1]d}`, len(p.messages))
	p.answers[key] = answer
	_, _ = io.WriteString(w, answer)
}

// aPeer is a topic and its URL.
func aPeer(t *testing.T) (*TopicPeer, string) {
	p := NewTopicPeer()
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return p, s.URL + "/live/numbers"
}

// cut has the connections of a listener break after a random number of bytes.
type cut struct {
	net.Listener
	mu     sync.Mutex
	random *rand.Rand
	most   int
	count  int
}

func (l *cut) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	return &cutConn{Conn: c, left: l.random.IntN(l.most)}, nil
}

// cutConn takes so many bytes.
type cutConn struct {
	net.Conn
	left int
}

func (c *cutConn) Write(b []byte) (int, error) {
	if c.left >= len(b) {
		c.left -= len(b)
		return c.Conn.Write(b)
	}
	n, _ := c.Conn.Write(b[:c.left])
	c.left = 0
	_ = c.Close()
	return n, io.ErrClosedPipe
}

// aCutPeer is a topic whose connections break.
func aCutPeer(t *testing.T, most int) (*TopicPeer, string, *cut) {
	p := NewTopicPeer()
	s := httptest.NewUnstartedServer(p)
	s.Config.ErrorLog = discardLog()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	l := &cut{Listener: s.Listener, random: rand.New(rand.NewPCG(seed, 0)), most: most}
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return p, s.URL + "/live/numbers", l
}
