package leat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"github.com/leat-dev/leat/internal/engine"
	"github.com/leat-dev/leat/internal/pattern"
	"github.com/leat-dev/leat/internal/topic"
)

// A Topic is a named log of messages. Whoever reads it, over whatever transport,
// has a cursor in the log: publishing never waits for readers, and a slow one
// slows nobody. docs/topics.md says what readers see.
//
// Its methods may be called from any goroutine. It costs nothing until something
// is published; what it keeps then is bounded by its rule in Config.Topics.
type Topic struct {
	srv  *Server
	name string
}

// Topic is the topic of a name: tokens with dots between them, at most 256 bytes.
// Whether it is a name is said when something is published.
func (s *Server) Topic(name string) *Topic { return &Topic{s, name} }

// Name is the topic's name.
func (t *Topic) Name() string { return t.name }

// A Receipt says what has become of a message that was published.
type Receipt struct {
	ID    string // the position behind it, for those who read on from there
	Count int64  // how many messages the topic has had, with it
}

// Errors of publishing.
var (
	// ErrTopics refuses a message because its topic would be one too many.
	ErrTopics = topic.ErrTopics
	// ErrMessage refuses a message that cannot be published as it is.
	ErrMessage = errors.New("leat: the message cannot be published")
)

// Publish appends a message to the topic and has its readers woken; it waits for
// none of them. It keeps m.Data, which must not be changed any more. A piece of a
// message is refused; what the file says of who may publish is not asked. It
// answers ctx's error where ctx is done.
func (t *Topic) Publish(ctx context.Context, m Message) (Receipt, error) {
	if err := ctx.Err(); err != nil {
		return Receipt{}, err
	}
	e, err := t.srv.topics.entry(t.name, m)
	if err != nil {
		return Receipt{}, err
	}
	return t.srv.topics.publish([]topic.Entry{e}, onceOf("", t.name, m.IdempotencyKey))
}

// onceOf is what an attempt is known by: that of one publisher, or of one topic, is
// not another's. No name of a topic has a space.
func onceOf(publisher, name, key string) string {
	if key == "" {
		return ""
	}
	return fmt.Sprintf("%d %s%s %s", len(publisher), publisher, name, key)
}

// publish appends entries.
func (t *topics) publish(entries []topic.Entry, once string) (Receipt, error) {
	if err := t.takeOver(); err != nil {
		return Receipt{}, err
	}
	r, err := t.hub.Publish(entries, once)
	switch {
	case errors.Is(err, topic.ErrClosed):
		return Receipt{}, ErrShutdown
	case err != nil:
		return Receipt{}, err
	}
	return receiptOf(r), nil
}

func receiptOf(r topic.Receipt) Receipt { return Receipt{r.ID.String(), r.Count} }

// Bounds of what stands beside the data of a message.
const (
	mostEvent = 256
	mostKey   = 1024
	mostOnce  = 1024
)

// entry is a message as the hub takes it, or why it cannot be published.
func (t *topics) entry(name string, m Message) (topic.Entry, error) {
	wrong := func(format string, args ...any) (topic.Entry, error) {
		return topic.Entry{}, fmt.Errorf("%w: %s", ErrMessage, fmt.Sprintf(format, args...))
	}
	if err := pattern.ValidName(name); err != nil {
		return wrong("%v", err)
	}
	if most := t.srv.config.Limits.MaxMessage; most > 0 && int64(len(m.Data)) > most {
		return topic.Entry{}, fmt.Errorf("%w: the message has %d bytes, %d are allowed (limits.maxMessage)", ErrTooLarge, len(m.Data), most)
	}
	e := topic.Entry{Topic: name, Draft: topic.Draft{Data: m.Data, Event: m.Event, Key: m.Key}}
	switch {
	case m.err != nil:
		return wrong("%v", m.err)
	case !m.Last || m.Continuation:
		return wrong("it is a piece of one; use leat.JSON, leat.Text or leat.Binary")
	case strings.ContainsAny(m.Event, "\r\n\x00") || !utf8.ValidString(m.Event) || len(m.Event) > mostEvent:
		return wrong("an event name is at most %d bytes of UTF-8 without line ends and NUL", mostEvent)
	case strings.HasPrefix(m.Event, "leat."):
		return wrong("event names that begin with leat. are the server's own; %q is one", m.Event)
	case !utf8.ValidString(m.Key) || len(m.Key) > mostKey:
		return wrong("a key is at most %d bytes of UTF-8", mostKey)
	case len(m.IdempotencyKey) > mostOnce:
		return wrong("an idempotency key is at most %d bytes", mostOnce)
	}
	switch m.Type {
	case JSONMessage:
		if !json.Valid(m.Data) || !utf8.Valid(m.Data) {
			return wrong("the data is not JSON")
		}
		if rule := t.ruleOf(name); e.Key == "" && rule.key != "" {
			e.Key = keyIn(m.Data, rule.key)
		}
	case TextMessage:
		if !utf8.Valid(m.Data) {
			return topic.Entry{}, ErrInvalidUTF8
		}
		e.Kind = topic.Text
	case BinaryMessage:
		e.Kind = topic.Bytes
	default:
		return wrong("its type is %v; use leat.JSON, leat.Text or leat.Binary", m.Type)
	}
	return e, nil
}

// keyIn is a member of a JSON object as a key: a text as it is, other values as
// their JSON; "" where there is none.
func keyIn(object []byte, name string) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return ""
	}
	value := members[name]
	var text string
	if json.Unmarshal(value, &text) == nil {
		return cutText(text)
	}
	return cutText(string(value))
}

// cutText bounds what becomes a key.
func cutText(text string) string {
	if len(text) > mostKey {
		return strings.ToValidUTF8(text[:mostKey], "")
	}
	return text
}

// Watch has fn called with true when somebody begins to read the topic, by its name
// or by a pattern that matches it, whether or not anything has been published to
// it; and with false when the last reader has left. So what makes messages can
// rest while nobody reads them. A long poll reads while it waits; who asks for the
// array of what is kept does not.
//
// The calls come one at a time, true and false in turns, from a goroutine that
// ends with them. Readers who come and go during a call are not told of where they
// change nothing in the end. When the server is closed, nobody reads.
func (t *Topic) Watch(fn func(read bool)) {
	t.srv.topics.hub.Watch(t.name, func(read bool) {
		defer func() {
			if v := recover(); v != nil {
				t.srv.logPanic(&engine.PanicError{Value: v, Stack: debug.Stack()})
			}
		}()
		fn(read)
	})
}

// TopicStats are numbers about a topic.
type TopicStats struct {
	Subscribers map[string]int `json:"subscribers"` // by transport: "ndjson", "sse", "websocket"
	Rate        float64        `json:"rate"`        // messages a second, averaged over ten
	Published   int64          `json:"published"`   // messages so far
	Kept        int            `json:"kept"`        // messages of the history
	Bytes       int64          `json:"bytes"`       // of memory, with what who reads now has yet to get, and what messages are encoded as
	Lag         uint64         `json:"lag"`         // how far the slowest reader is behind, in numbers of the sequence
	Pinned      int64          `json:"pinned"`      // bytes of messages that slow readers hold a part of
}

// Stats answers the numbers as they stand.
func (t *Topic) Stats() TopicStats {
	return t.srv.topics.stats(topic.Terms{Patterns: []string{t.name}, Trusted: true})
}

// stats are the numbers of some topics.
func (t *topics) stats(of topic.Terms) TopicStats {
	s := t.hub.Stats(of)
	stats := TopicStats{
		Subscribers: map[string]int{}, Rate: math.Round(1000*s.Rate) / 1000, Published: s.Published, Kept: s.Kept, Bytes: s.Bytes, Lag: s.Lag, Pinned: s.Pinned,
	}
	for as, n := range s.Readers {
		stats.Subscribers[dialects[as].transport] += n
	}
	return stats
}
