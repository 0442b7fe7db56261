package site

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/serve"
)

// The bounds of guests who come by POST.
const (
	leaseTime  = 2 * time.Minute // for which a guest is here without a word: browsers let a hidden page act once a minute
	mostLeases = 20              // of one address, or of a /64 of IPv6: a lease costs nothing to take
	mostWish   = 16 << 10        // bytes of a request
)

// A lease is the line of a guest who comes by POST. There is no connection that
// would show when such a guest is gone, so it has to be heard of. What others say
// it reads from the topic.
type lease struct {
	room    *room
	guest   *guest
	address string
	until   time.Time
	timer   *time.Timer // nil before the guest is in
	ended   bool
}

// byPost is the room's door for requests.
func (r *room) byPost(w http.ResponseWriter, req *http.Request) {
	v, d := readWish(w, req)
	var answer any
	if d == nil {
		answer, d = r.grant(v, serve.Household(req.RemoteAddr))
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	status := http.StatusOK
	switch {
	case d != nil:
		status, answer = d.status, d.refusal
		if d.after > 0 {
			h.Set("Retry-After", strconv.Itoa(int((d.after+time.Second-1)/time.Second)))
		}
		if status == http.StatusMethodNotAllowed {
			h.Set("Allow", http.MethodPost)
		}
	case answer == nil:
		w.WriteHeader(http.StatusNoContent)
		return
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(encode(answer), '\n')) // who does not read it is gone
}

// readWish reads what a request wishes.
func readWish(w http.ResponseWriter, req *http.Request) (v wish, d *denial) {
	if req.Method != http.MethodPost {
		return v, deny(http.StatusMethodNotAllowed, "", "this is for POST; what is said here is read at /live/chat.room")
	}
	// The form is what curl -d sends.
	switch media, _, err := mime.ParseMediaType(req.Header.Get("Content-Type")); {
	case req.Header.Get("Content-Type") == "":
	case err != nil, media != "application/json" && media != "application/x-www-form-urlencoded":
		return v, deny(http.StatusUnsupportedMediaType, "", "this is not JSON; send it as application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, mostWish))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return v, deny(http.StatusRequestEntityTooLarge, "", "this is too much; a request has at most %d bytes", mostWish)
	}
	if err != nil || json.Unmarshal(body, &v) != nil {
		return v, deny(http.StatusBadRequest, "", `this is not what is understood here; write {"type":"join","name":"Ada"} or {"type":"say","key":"…","text":"Hello"}`)
	}
	return v, nil
}

// A taken is the answer to a message that was said.
type taken struct {
	ID int64 `json:"id"` // its own
}

// grant does what is wished from an address. The answer may be nil.
func (r *room) grant(v wish, address string) (answer any, d *denial) {
	switch v.Type {
	case "join":
		return r.admit(v, address)
	case "say", "here", "leave":
	default:
		return nil, deny(http.StatusBadRequest, "", `%q is no type of a message; write "join", "say", "here" or "leave"`, clip(v.Type))
	}
	g := r.renew(v.Key)
	switch {
	case v.Type == "leave":
		if g != nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.drop(g, leat.CloseNormal, "")
		}
		return nil, nil
	case g == nil:
		return nil, deny(http.StatusForbidden, v.Type, `this is the key of nobody who is here by POST; join first: {"type":"join","name":"Ada"}`)
	}
	if d = r.paced(g); d != nil || v.Type == "here" {
		return nil, d
	}
	id, d := r.say(g, v.Text)
	return taken{id}, d
}

// admit has somebody at an address join.
func (r *room) admit(v wish, address string) (answer any, d *denial) {
	l := &lease{room: r, guest: r.newGuest(), address: address}
	l.guest.line = l
	r.mu.Lock()
	if r.leases[address] >= mostLeases {
		r.mu.Unlock()
		return nil, deny(http.StatusTooManyRequests, "join", "%d are here from your address by POST, as many as may be; come by WebSocket", mostLeases)
	}
	r.leases[address]++
	r.mu.Unlock()
	d = r.join(l.guest, v, func(w welcome) bool {
		l.renew()
		w.Position = r.position
		answer = w
		return true
	})
	if d != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		l.end(0, "")
	}
	return answer, d
}

// renew answers the guest who is here by POST and has this key, and has it stay.
func (r *room) renew(key string) *guest {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.guests {
		if l, ok := g.line.(*lease); ok && subtle.ConstantTimeCompare([]byte(g.key), []byte(key)) == 1 {
			l.renew()
			return g
		}
	}
	return nil
}

// renew has the lease begin anew. It is called with the room's lock held, as is what
// follows.
func (l *lease) renew() {
	l.until = l.room.now().Add(leaseTime)
	if l.timer == nil {
		l.timer = time.AfterFunc(leaseTime, l.expire)
	} else {
		l.timer.Reset(leaseTime)
	}
}

// expire ends the lease, if nothing was heard meanwhile. It takes the lock.
func (l *lease) expire() {
	l.room.mu.Lock()
	defer l.room.mu.Unlock()
	if !l.room.now().Before(l.until) {
		l.room.drop(l.guest, leat.CloseNormal, "")
	}
}

func (*lease) send([]byte) error { return nil }

func (l *lease) end(int, string) {
	if l.ended {
		return
	}
	l.ended = true
	if l.timer != nil {
		l.timer.Stop()
	}
	if l.room.leases[l.address]--; l.room.leases[l.address] == 0 {
		delete(l.room.leases, l.address)
	}
}
