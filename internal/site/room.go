package site

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/leat-dev/leat"
)

// The bounds of the chat.
const (
	mostGuests  = 250
	mostName    = 24                     // characters
	mostText    = 2000                   // characters
	mostKept    = 50                     // messages for who comes later
	mostKeptAll = 64 << 10               // bytes of them
	mostAtOnce  = 10                     // messages of one guest, and
	pace        = 500 * time.Millisecond // how long one takes to be forgotten
	mostIgnored = 50                     // messages beyond that until the guest has to go
)

// A room is the chat: everybody hears everything that is said in it. Who may be
// in it and say what is decided here; how they come and go is a door's: chat.go has
// that for WebSockets, chat_post.go that for requests. All that happens is published
// to a topic as well, for those who read that.
//
// Neither sends nor publishing wait, so it is one lock that gives everybody the same
// order, whatever they hear by.
type room struct {
	now   func() time.Time
	topic *leat.Topic

	mu       sync.Mutex
	guests   map[string]*guest // by the name as taken has it
	kept     [][]byte          // the last messages, as they were sent
	size     int               // bytes of kept
	last     int64             // id of the latest message
	position string            // in the topic, behind what happened last
	leases   map[string]int    // of each address: see chat_post.go
}

// A guest is somebody at a door of the room. What it has is the room's, under its
// lock.
type guest struct {
	line    line
	allowed float64 // messages that may come at once
	heard   time.Time

	name, key string // once it has joined
}

// A line is what a guest hears by. The room calls it with its lock held.
type line interface {
	// send never waits: leat.ErrSlowReader says that there is no place for more.
	send(data []byte) error
	// end is the end of the line, with a WebSocket's code and reason.
	end(code int, reason string)
}

// newRoom makes an empty room, which publishes to a topic. Its ids begin at the
// time, so that they grow over a restart too: a page can tell what it has seen
// already.
func newRoom(now func() time.Time, topic *leat.Topic) *room {
	return &room{now: now, topic: topic, guests: map[string]*guest{}, last: now().UnixMilli(), leases: map[string]int{}}
}

// newGuest is somebody who has not joined yet.
func (r *room) newGuest() *guest { return &guest{allowed: mostAtOnce, heard: r.now()} }

// A wish is what a guest may send.
type wish struct {
	Type string `json:"type"` // "join" or "say"; by POST "here" and "leave" too
	Name string `json:"name"` // of a join
	Key  string `json:"key"`  // of a join that is a return; by POST of all but a join
	Text string `json:"text"` // of a say
}

// A refusal says why a message of the guest was not taken.
type refusal struct {
	Type string `json:"type"` // "refused"
	What string `json:"what"` // "join", "say", "here", or "" for what was none
	Why  string `json:"why"`
}

// A denial is a refusal and the HTTP status that says the same.
type denial struct {
	refusal
	status int
	after  time.Duration // when it may be granted, where that is known
}

func deny(status int, what, format string, args ...any) *denial {
	return &denial{refusal{"refused", what, fmt.Sprintf(format, args...)}, status, 0}
}

// paced says whether a message of the guest may come now. Who sends far too many
// has to go.
func (r *room) paced(g *guest) *denial {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	g.allowed = min(mostAtOnce, g.allowed+now.Sub(g.heard).Seconds()/pace.Seconds())
	g.heard = now
	g.allowed--
	if g.allowed >= 0 {
		return nil
	}
	if g.allowed < -mostIgnored {
		r.drop(g, leat.ClosePolicy, "far too many messages")
	}
	d := deny(http.StatusTooManyRequests, "", "this is too fast: at most %d messages at once, and one each %v", mostAtOnce, pace)
	d.after = time.Duration(-g.allowed * float64(pace))
	return d
}

// join gives a guest its name, greets it by what greet does with the welcome, and
// tells everybody. Where greet answers false the guest leaves again.
func (r *room) join(g *guest, w wish, greet func(welcome) bool) *denial {
	name, why := cleanName(w.Name)
	if why != "" {
		return deny(http.StatusBadRequest, "join", "%s", why)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before, taken := r.guests[fold(name)]
	returns := taken && subtle.ConstantTimeCompare([]byte(w.Key), []byte(before.key)) == 1
	switch {
	case g.name != "":
		return deny(http.StatusConflict, "join", "you are in already, as %q", g.name)
	case taken && !returns:
		return deny(http.StatusConflict, "join", "%q is here already; choose another name", before.name)
	case !taken && len(r.guests) >= mostGuests:
		d := deny(http.StatusServiceUnavailable, "join", "the room is full: %d are here; try again later", mostGuests)
		d.after = 10 * time.Second
		return d
	}
	g.name, g.key = name, rand.Text()
	r.guests[fold(name)] = g
	if returns {
		before.line.end(closeReplaced, "you are here by another connection")
	}
	joined := encode(arrival{"joined", name, len(r.guests), r.now().UnixMilli()})
	if !returns {
		_ = r.publish("joined", joined) // before the welcome, which may name the position behind it
	}
	greeted := greet(r.welcome(g))
	if !returns {
		r.tell(joined, g)
	}
	if !greeted {
		r.out(g)
	}
	return nil
}

// closeReplaced ends a line whose guest has come again by another.
const closeReplaced = 4001

// A welcome is the answer to a join.
type welcome struct {
	Type string            `json:"type"` // "welcome"
	Name string            `json:"name"` // as it is seen by others
	Key  string            `json:"key"`  // takes the name over, by a later connection
	Here []string          `json:"here"` // everybody's names
	Kept []json.RawMessage `json:"kept"` // the last messages
	// Position is where to go on in the topic. It is for those who join by POST.
	Position string `json:"position,omitempty"`
}

// welcome says who is here and what was said.
func (r *room) welcome(g *guest) welcome {
	w := welcome{Type: "welcome", Name: g.name, Key: g.key, Kept: make([]json.RawMessage, len(r.kept))}
	for _, other := range r.guests {
		w.Here = append(w.Here, other.name)
	}
	slices.SortFunc(w.Here, func(a, b string) int { return strings.Compare(fold(a), fold(b)) })
	for i, m := range r.kept {
		w.Kept[i] = m
	}
	return w
}

// An arrival is told when somebody comes or goes.
type arrival struct {
	Type   string `json:"type"` // "joined" or "left"
	Name   string `json:"name"`
	People int    `json:"people"` // how many are here now
	Time   int64  `json:"time"`   // milliseconds since 1970
}

// leave takes a guest out of the room, if it is still in.
func (r *room) leave(g *guest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out(g)
}

// in says whether a guest is in the room. It is called, like all that follows but
// say, with the lock held.
func (r *room) in(g *guest) bool { return g.name != "" && r.guests[fold(g.name)] == g }

// out is what leave does.
func (r *room) out(g *guest) {
	if !r.in(g) {
		return
	}
	delete(r.guests, fold(g.name))
	left := encode(arrival{"left", g.name, len(r.guests), r.now().UnixMilli()})
	_ = r.publish("left", left)
	r.tell(left, nil)
}

// drop ends a guest's line, and tells the others. It may come again, and gets what
// was kept.
func (r *room) drop(g *guest, code int, reason string) {
	g.line.end(code, reason)
	r.out(g)
}

// A said is a message that everybody gets, its speaker too.
type said struct {
	Type string `json:"type"` // "said"
	ID   int64  `json:"id"`   // grows by one
	Name string `json:"name"`
	Text string `json:"text"`
	Time int64  `json:"time"` // milliseconds since 1970
}

// say has everybody hear the text, and answers the message's id.
func (r *room) say(g *guest, text string) (id int64, d *denial) {
	text, why := cleanText(text)
	if why != "" {
		return 0, deny(http.StatusBadRequest, "say", "%s", why)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.in(g) {
		return 0, deny(http.StatusForbidden, "say", `you are not in the room; join first: {"type":"join","name":"Ada"}`)
	}
	id = r.last + 1
	data := encode(said{"said", id, g.name, text, r.now().UnixMilli()})
	// The topic and the speaker come first: what is too large for one is too large for
	// all, but where a route has a limit of its own.
	err := r.publish("said", data)
	if !errors.Is(err, leat.ErrTooLarge) {
		r.last = id
		err = g.line.send(data)
	}
	switch {
	case errors.Is(err, leat.ErrTooLarge):
		return 0, deny(http.StatusRequestEntityTooLarge, "say", "the text is longer than messages may be here (limits.maxMessage)")
	case errors.Is(err, leat.ErrSlowReader):
		r.drop(g, leat.CloseTryAgain, tooSlow)
	}
	r.keep(data)
	r.tell(data, g)
	return id, nil
}

// tooSlow is why a line ends that does not take what is sent.
const tooSlow = "you read too slowly (limits.queue)"

// keep keeps a message for those who come later.
func (r *room) keep(data []byte) {
	r.kept = append(r.kept, data)
	r.size += len(data)
	for len(r.kept) > mostKept || r.size > mostKeptAll {
		r.size -= len(r.kept[0])
		r.kept = slices.Delete(r.kept, 0, 1)
	}
}

// publish has the topic's readers hear what the guests do. An event by that name
// is a message of that type.
func (r *room) publish(event string, data []byte) error {
	m := leat.Text(data)
	m.Type, m.Event = leat.JSONMessage, event
	receipt, err := r.topic.Publish(context.Background(), m)
	if err == nil {
		r.position = receipt.ID
	}
	return err
}

// tell sends a message to everybody but one. Who is too slow for it is dropped,
// which is told to the others in turn.
func (r *room) tell(data []byte, but *guest) {
	var slow []*guest
	for _, g := range r.guests {
		if g == but {
			continue
		}
		if err := g.line.send(data); errors.Is(err, leat.ErrSlowReader) {
			slow = append(slow, g)
		}
	}
	for _, g := range slow {
		r.drop(g, leat.CloseTryAgain, tooSlow)
	}
}

// encode answers v as JSON on one line. Text stays as it is, < and > included.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // our own types encode, and a buffer takes everything
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
