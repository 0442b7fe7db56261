package leat

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leat-dev/leat/internal/access"
	"github.com/leat-dev/leat/internal/pattern"
	"github.com/leat-dev/leat/internal/serve"
	"github.com/leat-dev/leat/internal/topic"
)

// topicProtocol is the subprotocol of readers that name one.
const topicProtocol = "leat"

// tokenTime is how long a WebSocket without a token may take to send one.
const tokenTime = 10 * time.Second

// A fedSocket is what a socket that reads topics has beside.
type fedSocket struct {
	t     *topics
	leave func() // its address's share; nil: nothing is counted
	beats time.Duration
	sub   atomic.Pointer[topic.Sub]

	mu     sync.Mutex
	caller *caller       // nil: one without a token
	wants  *topicRequest // until it may read
	timer  *time.Timer   // of the token to come, or of its end
	told   bool          // of its end
	over   bool
}

// mayComeLater says whether a token that is missing may be the first message. Who
// has sent a wrong one is waiting for the answer to that.
func (c *caller) mayComeLater(err error) bool {
	return c.t.verifier != nil && (c.invalid == nil || c.ambient) && statusOf(err) == http.StatusUnauthorized
}

// upgrade answers a reader with a WebSocket.
func (t *topics) upgrade(w http.ResponseWriter, r *http.Request, q *topicRequest, c caller) {
	leave, err := t.caps.enter(r.RemoteAddr)
	if err != nil {
		t.refuse(w, r, err)
		return
	}
	f := &fedSocket{t: t, leave: leave, wants: q, beats: t.srv.bounds(serve.Of(r.Context())).Heartbeat}
	switch {
	case t.srv.config.Authorize != nil:
		c.request = r.Clone(context.WithoutCancel(r.Context()))
		f.caller = &c
	case c.grant != nil || c.invalid != nil:
		c.request = nil // it would hold kilobytes
		f.caller = &c
	}
	o := topicSocketOptions
	if headerHas(r.Header, "Sec-Websocket-Protocol", topicProtocol) {
		o.Protocols = []string{topicProtocol}
	}
	s, err := upgradeFor(t.srv, w, r, &o, f)
	if err != nil {
		if leave != nil {
			leave()
		}
		return
	}
	f.begin(s) // unless its first message has done so
}

// topicSocketOptions are those of sockets that read topics. What they publish is
// whole, and JSON.
var topicSocketOptions = SocketOptions{
	Message: func(s *Socket, m Message) {
		f := s.fed.Load()
		f.begin(s)
		f.message(s, m)
	},
	Protocols: []string{}, MaxPacket: Unlimited, PreserveFrames: Off, ValidateUTF: On,
}

// begin has the socket read its topics, or wait for a token.
func (f *fedSocket) begin(s *Socket) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || f.wants == nil {
		return
	}
	c := f.who()
	if err := c.mayRead(f.wants.terms.Patterns); err != nil {
		if f.timer == nil {
			f.timer = time.AfterFunc(tokenTime, func() { f.gone(s, err) })
		}
		return
	}
	q := f.wants
	f.t.terms(&q.terms, f.beats)
	q.terms.Grant = c.patterns()
	q.terms.Encoding = encodingSocket
	if q.bare {
		q.terms.Encoding = encodingSocketBare
	}
	if s.out != 0 && s.out.bits() >= deflateBits {
		q.terms.Encoding += encodingSocketDeflated - encodingSocket
	}
	sub, begin := f.t.hub.Subscribe(q.terms, q.start)
	f.wants = nil
	f.sub.Store(sub)
	f.until(s)
	if mute(sub) {
		f.t.join(sub, s.conn, (*fedEnd)(s), q, begin)
		return
	}
	f.answer(s, recordOf(begin, q)) // ahead of the answers to what has come already
	sub.Join(s.conn, (*fedEnd)(s))
}

// who is the caller. It is called with mu held.
func (f *fedSocket) who() *caller {
	if f.caller == nil {
		return &caller{t: f.t}
	}
	return f.caller
}

// gone ends a socket whose token has not come.
func (f *fedSocket) gone(s *Socket, err error) {
	if f.sub.Load() == nil {
		_ = s.CloseWith(ClosePolicy, "no token came: "+err.Error())
	}
}

// until has the socket end with its token. It is called with mu held.
func (f *fedSocket) until(s *Socket) {
	if f.timer != nil {
		f.timer.Stop()
		f.timer = nil
	}
	f.told = false
	if at := f.who().expires(); !at.IsZero() {
		f.timer = time.AfterFunc(max(0, time.Until(at)-expiryTold), func() { f.expires(s) })
	}
}

// expires tells the reader of its token's end, or ends the socket.
func (f *fedSocket) expires(s *Socket) {
	f.mu.Lock()
	left := time.Until(f.who().expires())
	if f.over || f.timer == nil || left > expiryTold+time.Second { // there is another one since
		f.mu.Unlock()
		return
	}
	if left > 0 && !f.told {
		f.told = true
		f.timer.Reset(left)
		if sub := f.sub.Load(); !mute(sub) {
			sub.Tell(dialects[sub.Encoding()].record(expired(left)))
		}
		f.mu.Unlock()
		return
	}
	f.mu.Unlock()
	s.startClose(ClosePolicy, "the token has ended", ErrExpired, false)
}

// ends is the socket's end. It answers how many bytes its topics have sent.
func (f *fedSocket) ends() (bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	if f.timer != nil {
		f.timer.Stop()
	}
	if sub := f.sub.Load(); sub != nil {
		bytes = sub.Bytes()
		sub.Leave()
	}
	if f.leave != nil {
		f.leave()
		f.leave = nil
	}
	return bytes
}

// A fedEnd is a socket that reads topics, as they see it.
type fedEnd Socket

// Drop ends the socket.
func (f *fedEnd) Drop(reason error) {
	code := CloseTryAgain
	if errors.Is(reason, topic.ErrBare) {
		code = ClosePolicy
	}
	// The pump must not wait: startClose does, for the senders' lock, which somebody may
	// have while a large message of his is compressed.
	go (*Socket)(f).startClose(code, textOf(reason), topicEnd(reason), false)
}

// A topicWish is what a reader may send.
type topicWish struct {
	Token    *string         `json:"token"`
	Publish  *string         `json:"publish"`
	Event    string          `json:"event"`
	Key      string          `json:"key"`
	Once     string          `json:"idempotencyKey"`
	Encoding string          `json:"encoding"`
	Data     json.RawMessage `json:"data"`
	Ref      json.RawMessage `json:"ref"`
}

// message does what a reader wishes, or says why not.
func (f *fedSocket) message(s *Socket, m Message) {
	var w topicWish
	if m.Type != TextMessage || json.Unmarshal(m.Data, &w) != nil {
		f.refuse(s, &w, &topicError{http.StatusBadRequest, `this is not what is understood here; write {"publish":"TOPIC","data":…} or {"token":"…"}`})
		return
	}
	if w.Token != nil {
		f.renew(s, *w.Token, &w)
		return
	}
	if w.Data == nil {
		f.refuse(s, &w, &topicError{http.StatusBadRequest, `there is no data; write {"publish":"TOPIC","data":…}`})
		return
	}
	name, err := f.nameOf(&w)
	if err == nil {
		err = pattern.ValidName(name)
	}
	if err == nil {
		err = f.may(access.Publish, name)
	}
	var message Message
	if err == nil {
		message, err = payload(w.Data, w.Encoding)
		message.Event, message.Key, message.IdempotencyKey = w.Event, w.Key, w.Once
	}
	var r Receipt
	if err == nil {
		r, err = f.t.publishFrom(s.remote.String(), []parcel{{name, message}}, onceOf(f.subject(), name, w.Once))
	}
	if err != nil {
		f.refuse(s, &w, err)
		return
	}
	f.answer(s, &controlRecord{Control: "published", ID: r.ID, Count: r.Count, Ref: w.Ref})
}

// nameOf is the topic that is published to: the one that is read, where there is
// no other.
func (f *fedSocket) nameOf(w *topicWish) (string, error) {
	if w.Publish != nil && *w.Publish != "" {
		return *w.Publish, nil
	}
	f.mu.Lock()
	patterns := f.reads()
	f.mu.Unlock()
	if len(patterns) != 1 {
		return "", &topicError{http.StatusBadRequest, `no topic is named; write {"publish":"TOPIC","data":…}`}
	}
	return patterns[0], nil
}

// reads are the topics that are read, or will be with a token. It is called with mu
// held.
func (f *fedSocket) reads() []string {
	if sub := f.sub.Load(); sub != nil {
		return sub.Patterns()
	}
	return f.wants.terms.Patterns
}

func (f *fedSocket) may(action, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.who()
	return c.may(action, name)
}

// subject is whose the caller's token is.
func (f *fedSocket) subject() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.who().subject()
}

// renew takes another token.
func (f *fedSocket) renew(s *Socket, token string, w *topicWish) {
	if f.t.verifier == nil || f.t.srv.config.Authorize != nil {
		f.refuse(s, w, &topicError{http.StatusBadRequest, "no token is needed here"})
		return
	}
	f.mu.Lock()
	fresh := caller{t: f.t}
	fresh.present(token)
	var err error
	if fresh.invalid != nil {
		err = &topicError{http.StatusUnauthorized, fresh.invalid.Error()}
	}
	sub := f.sub.Load()
	if err == nil {
		err = fresh.mayRead(f.reads())
	}
	if err == nil {
		f.caller = &fresh
		if sub != nil {
			f.until(s)
		}
	}
	f.mu.Unlock()
	if err != nil {
		f.refuse(s, w, err)
		return
	}
	if sub == nil {
		f.begin(s)
	}
}

// refuse says why a wish is not fulfilled.
func (f *fedSocket) refuse(s *Socket, w *topicWish, err error) {
	f.answer(s, &controlRecord{Control: "refused", Status: statusOf(err), Error: textOf(err), Ref: w.Ref})
}

// answer sends a record that has nothing to do with the position. Who does not read
// what it asks for has no room for it, and does not get it.
func (f *fedSocket) answer(s *Socket, c *controlRecord) {
	_, _ = s.Send(Message{Type: TextMessage, Data: controlRecordOf(nil, c), Last: true})
}
