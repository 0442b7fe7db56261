package site

import (
	"bytes"
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

// A room is the chat: everybody hears everything that is said in it. Sends
// never wait, so it is one lock that gives all guests the same order.
type room struct {
	now func() time.Time

	mu     sync.Mutex
	guests map[string]*guest // by the name as taken has it
	kept   [][]byte          // the last messages, as they were sent
	size   int               // bytes of kept
	last   int64             // id of the latest message
}

// A guest is a socket of the room. What is below its lock is the room's.
type guest struct {
	room    *room
	socket  *leat.Socket
	allowed float64 // messages that may come at once
	heard   time.Time

	name, key string // once it has joined
}

// newRoom makes an empty room. Its ids begin at the time, so that they grow
// over a restart too: a page can tell what it has seen already.
func newRoom(now func() time.Time) *room {
	return &room{now: now, guests: map[string]*guest{}, last: now().UnixMilli()}
}

func (r *room) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	g := &guest{room: r, allowed: mostAtOnce, heard: r.now()}
	_, _ = leat.Upgrade(w, req, &leat.SocketOptions{
		Open:    func(s *leat.Socket) { g.socket = s },
		Message: func(_ *leat.Socket, m leat.Message) { g.message(m) },
		Close:   func(*leat.Socket, int, string, error) { r.leave(g) },
		// It is JSON, so it has to be whole, and UTF-8.
		MaxPacket: leat.Unlimited, PreserveFrames: leat.Off, ValidateUTF: leat.On,
		// Only a welcome is worth it: the rest would be compressed for each guest.
		DeflateMin: 16 << 10,
	})
}

// A wish is what a guest may send.
type wish struct {
	Type string `json:"type"` // "join" or "say"
	Name string `json:"name"` // of a join
	Key  string `json:"key"`  // of a join that is a return
	Text string `json:"text"` // of a say
}

// message does what a guest wishes, or says why not.
func (g *guest) message(m leat.Message) {
	if !g.paced() {
		return
	}
	if m.Type != leat.TextMessage {
		g.refuse("", "this is a binary message; write JSON as text")
		return
	}
	var w wish
	switch err := json.Unmarshal(m.Data, &w); {
	case err != nil:
		g.refuse("", `this is not what is understood here; write {"type":"join","name":"Ada"} or {"type":"say","text":"Hello"}`)
	case w.Type == "join":
		g.join(w)
	case w.Type == "say":
		g.say(w.Text)
	default:
		g.refuse("", fmt.Sprintf(`%q is no type of a message; write "join" or "say"`, clip(w.Type)))
	}
}

// paced says whether a message may come now. It is the socket's callback alone
// that calls it.
func (g *guest) paced() bool {
	now := g.room.now()
	g.allowed = min(mostAtOnce, g.allowed+now.Sub(g.heard).Seconds()/pace.Seconds())
	g.heard = now
	g.allowed--
	switch {
	case g.allowed < -mostIgnored:
		_ = g.socket.CloseWith(leat.ClosePolicy, "far too many messages")
		return false
	case g.allowed < 0:
		g.refuse("", fmt.Sprintf("this is too fast: at most %d messages at once, and one each %v", mostAtOnce, pace))
		return false
	}
	return true
}

// join gives a guest its name, and tells everybody.
func (g *guest) join(w wish) {
	name, why := cleanName(w.Name)
	if why != "" {
		g.refuse("join", why)
		return
	}
	r := g.room
	r.mu.Lock()
	defer r.mu.Unlock()
	before, taken := r.guests[fold(name)]
	returns := taken && subtle.ConstantTimeCompare([]byte(w.Key), []byte(before.key)) == 1
	switch {
	case g.name != "":
		g.refuse("join", fmt.Sprintf("you are in already, as %q", g.name))
		return
	case taken && !returns:
		g.refuse("join", fmt.Sprintf("%q is here already; choose another name", before.name))
		return
	case !taken && len(r.guests) >= mostGuests:
		g.refuse("join", fmt.Sprintf("the room is full: %d are here; try again later", mostGuests))
		return
	}
	g.name, g.key = name, rand.Text()
	r.guests[fold(name)] = g
	if returns {
		_ = before.socket.CloseWith(closeReplaced, "you are here by another connection")
	}
	if !r.welcome(g) {
		delete(r.guests, fold(name))
		return
	}
	if !returns {
		r.tell(arrival{"joined", name, len(r.guests), r.now().UnixMilli()}, g)
	}
}

// closeReplaced closes a socket whose guest has come again by another.
const closeReplaced = 4001

// A welcome is the answer to a join.
type welcome struct {
	Type string            `json:"type"` // "welcome"
	Name string            `json:"name"` // as it is seen by others
	Key  string            `json:"key"`  // takes the name over, by a later connection
	Here []string          `json:"here"` // everybody's names
	Kept []json.RawMessage `json:"kept"` // the last messages
}

// welcome tells g who is here and what was said, as much of it as
// limits.maxMessage lets through.
func (r *room) welcome(g *guest) bool {
	w := welcome{Type: "welcome", Name: g.name, Key: g.key}
	for _, other := range r.guests {
		w.Here = append(w.Here, other.name)
	}
	slices.SortFunc(w.Here, func(a, b string) int { return strings.Compare(fold(a), fold(b)) })
	for kept := r.kept; ; kept = kept[(len(kept)+1)/2:] {
		w.Kept = make([]json.RawMessage, len(kept))
		for i, m := range kept {
			w.Kept[i] = m
		}
		_, err := g.socket.Send(leat.Text(encode(w)))
		switch {
		case err == nil:
			return true
		case errors.Is(err, leat.ErrTooLarge) && len(kept) > 0:
			continue
		}
		_ = g.socket.CloseWith(leat.CloseTryAgain, "the welcome does not get through: "+err.Error())
		return false
	}
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
	if g.name == "" || r.guests[fold(g.name)] != g {
		return
	}
	delete(r.guests, fold(g.name))
	r.tell(arrival{"left", g.name, len(r.guests), r.now().UnixMilli()}, nil)
}

// A said is a message that everybody gets, its speaker too.
type said struct {
	Type string `json:"type"` // "said"
	ID   int64  `json:"id"`   // grows by one
	Name string `json:"name"`
	Text string `json:"text"`
	Time int64  `json:"time"` // milliseconds since 1970
}

// say has everybody hear the text.
func (g *guest) say(text string) {
	text, why := cleanText(text)
	if why != "" {
		g.refuse("say", why)
		return
	}
	r := g.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if g.name == "" || r.guests[fold(g.name)] != g {
		g.refuse("say", `you are not in the room; join first: {"type":"join","name":"Ada"}`)
		return
	}
	m := said{"said", r.last + 1, g.name, text, r.now().UnixMilli()}
	data := encode(m)
	// The speaker comes first: what is too large for one is too large for all.
	if _, err := g.socket.Send(leat.Text(data)); errors.Is(err, leat.ErrTooLarge) {
		g.refuse("say", "the text is longer than messages may be here (limits.maxMessage)")
		return
	} else if errors.Is(err, leat.ErrSlowReader) {
		r.drop(g)
	}
	r.last++
	r.keep(data)
	r.tellBytes(data, g)
}

// keep keeps a message for those who come later.
func (r *room) keep(data []byte) {
	r.kept = append(r.kept, data)
	r.size += len(data)
	for len(r.kept) > mostKept || r.size > mostKeptAll {
		r.size -= len(r.kept[0])
		r.kept = slices.Delete(r.kept, 0, 1)
	}
}

// tell sends v to everybody but one. It is called, like tellBytes and drop,
// with the lock held.
func (r *room) tell(v any, but *guest) { r.tellBytes(encode(v), but) }

// tellBytes sends a message to everybody but one. Who is too slow for it is
// dropped, which is told to the others in turn.
func (r *room) tellBytes(data []byte, but *guest) {
	var slow []*guest
	for _, g := range r.guests {
		if g == but {
			continue
		}
		if _, err := g.socket.Send(leat.Text(data)); errors.Is(err, leat.ErrSlowReader) {
			slow = append(slow, g)
		}
	}
	for _, g := range slow {
		r.drop(g)
	}
}

// drop ends a guest that does not read what it is sent. It may come again, and
// gets what was kept.
func (r *room) drop(g *guest) {
	if r.guests[fold(g.name)] != g {
		return
	}
	delete(r.guests, fold(g.name))
	_ = g.socket.CloseWith(leat.CloseTryAgain, "you read too slowly (limits.queue)")
	r.tell(arrival{"left", g.name, len(r.guests), r.now().UnixMilli()}, nil)
}

// A refusal says why a message of the guest was not taken.
type refusal struct {
	Type string `json:"type"` // "refused"
	What string `json:"what"` // "join", "say", or "" for what was neither
	Why  string `json:"why"`
}

// refuse tells a guest why its message has no effect. One that does not even
// read that has to go.
func (g *guest) refuse(what, why string) {
	if _, err := g.socket.Send(leat.Text(encode(refusal{"refused", what, why}))); errors.Is(err, leat.ErrSlowReader) {
		_ = g.socket.CloseWith(leat.CloseTryAgain, "you read too slowly (limits.queue)")
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
