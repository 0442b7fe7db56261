package access

import (
	"container/list"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"sync"
	"time"
)

// TicketLife is how long a ticket is good.
const TicketLife = time.Minute

// What tickets hold at most. The bytes are those of the tokens.
const (
	MaxTickets     = 10_000
	maxTicketBytes = 8 << 20
)

// Tickets are what stands for a token in a URL, where a token itself would end up
// in logs and histories: they are good once, for one path, for a minute. Above
// [MaxTickets], or 8 MiB of tokens, the oldest go. Any goroutine may use them.
type Tickets struct {
	now func() time.Time

	mu    sync.Mutex
	byKey map[ticketKey]*list.Element
	order list.List // of *ticket, the oldest first
	bytes int
}

// A ticketKey is 128 bits that nobody can guess.
type ticketKey [16]byte

type ticket struct {
	key         ticketKey
	token, path string
	expires     time.Time
}

// NewTickets returns tickets that live by the clock now.
func NewTickets(now func() time.Time) *Tickets {
	return &Tickets{now: now, byKey: map[ticketKey]*list.Element{}}
}

// Make returns a ticket for a token, which has been verified, and this path. A
// token that is too long for a cookie has none: a browser that has used its
// ticket could not come back.
func (t *Tickets) Make(token, path string) (name string, expires time.Time, err error) {
	if len(token) > MaxCookieToken {
		return "", time.Time{}, fmt.Errorf("the token has %d bytes; one with a ticket may have %d, since browsers keep no longer cookie", len(token), MaxCookieToken)
	}
	k := &ticket{token: token, path: path, expires: t.now().Add(TicketLife)}
	_, _ = rand.Read(k.key[:]) // never fails
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byKey[k.key] = t.order.PushBack(k)
	t.bytes += k.size()
	t.trim()
	return base64.RawURLEncoding.EncodeToString(k.key[:]), k.expires, nil
}

// Use returns the token that a ticket stands for. It uses the ticket up, for
// another path, too: who has it there has it from somebody.
//
// An EventSource that comes back sends its used ticket again, beside the cookie
// it got for it. So ask the ticket first, then the cookie, and refuse a request
// only where neither is good.
func (t *Tickets) Use(name, path string) (token string, ok bool) {
	var key ticketKey
	b, err := base64.RawURLEncoding.Strict().DecodeString(name)
	if err != nil || len(b) != len(key) || len(name) != base64.RawURLEncoding.EncodedLen(len(key)) {
		return "", false
	}
	copy(key[:], b)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trim()
	e := t.byKey[key]
	if e == nil {
		return "", false
	}
	k := t.drop(e)
	if k.path != path {
		return "", false
	}
	return k.token, true
}

// Len returns how many tickets are good.
func (t *Tickets) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trim()
	return len(t.byKey)
}

// trim drops what is too old, and the oldest of what is too much. All live
// equally long, so the first are the oldest.
func (t *Tickets) trim() {
	now := t.now()
	for e := t.order.Front(); e != nil; e = t.order.Front() {
		if now.Before(e.Value.(*ticket).expires) && len(t.byKey) <= MaxTickets && t.bytes <= maxTicketBytes {
			return
		}
		t.drop(e)
	}
}

func (t *Tickets) drop(e *list.Element) *ticket {
	k := t.order.Remove(e).(*ticket)
	delete(t.byKey, k.key)
	t.bytes -= k.size()
	return k
}

func (k *ticket) size() int { return len(k.token) + len(k.path) }
