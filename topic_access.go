package leat

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/leat-dev/leat/internal/access"
	"github.com/leat-dev/leat/internal/conf"
	"github.com/leat-dev/leat/internal/pattern"
)

// ErrExpired is the reason of a reader whose token has ended.
var ErrExpired = errors.New("leat: the token has ended")

// loadKeys loads the keys of tokens.
func (t *topics) loadKeys() error {
	c := &t.srv.config.Tokens
	if len(c.Keys) == 0 {
		return nil
	}
	sources := make([]access.Source, 0, len(c.Keys))
	for _, k := range c.Keys {
		sources = append(sources, access.Source{Algorithm: k.Algorithm, ID: k.ID, File: k.File, Env: k.Env})
	}
	keys, err := access.LoadKeys(sources)
	if err != nil {
		return fmt.Errorf("leat: tokens: %w", err)
	}
	t.verifier = access.NewVerifier(keys, c.Issuer, c.Audience)
	return nil
}

// maySee says whether somebody may see a topic who has asked for a pattern with
// wildcards. Where the program decides, it has decided about the pattern.
func (t *topics) maySee(name string, grant []string) bool {
	if t.srv.config.Authorize != nil {
		return true
	}
	switch t.ruleOf(name).subscribe {
	case conf.AccessPublic:
		return true
	case conf.AccessToken:
		for _, p := range grant {
			if pattern.Match(p, name) {
				return true
			}
		}
	}
	return false
}

// A caller is who asks for something: by a request, and by the token that it has,
// or that came later.
type caller struct {
	t       *topics
	request *http.Request // while it is under way, and where the program decides
	grant   *access.Grant // nil: there is no token
	token   string
	invalid error // what is wrong with the token
	ambient bool  // the token came as a cookie, of which the page may know nothing
}

// callerOf looks at a request's token. Where the program decides, none is looked at.
func (t *topics) callerOf(r *http.Request) caller {
	c := caller{t: t, request: r}
	if t.srv.config.Authorize != nil || t.verifier == nil {
		return c
	}
	if ticket := r.URL.Query().Get("ticket"); ticket != "" {
		if token, ok := t.tickets.Use(ticket, r.URL.Path); ok {
			c.present(token)
			return c
		}
		c.invalid = errTicket // unless the cookie of its first use is there
	}
	token, from, err := access.FromRequest(r)
	c.ambient = from == access.Cookies
	switch {
	case err != nil:
		c.invalid = err
	case token != "":
		c.present(token)
	}
	return c
}

var errTicket = errors.New("the ticket has been used, is older than a minute, or was made for another URL")

// present gives the caller another token.
func (c *caller) present(token string) {
	c.token = token
	c.grant, c.invalid = c.t.verifier.Verify(token, time.Now())
}

// expires is when the caller's token does; zero: never.
func (c *caller) expires() time.Time {
	if c.grant == nil {
		return time.Time{}
	}
	return c.grant.Expires
}

// subject is whose the caller's token is; "" where that is not known.
func (c *caller) subject() string {
	if c.grant == nil {
		return ""
	}
	return c.grant.Subject
}

// patterns are those that the caller's token reaches over.
func (c *caller) patterns() []string {
	if c.grant == nil {
		return nil
	}
	return c.grant.Subscribe
}

// may says whether the caller may do something with a topic, or all topics of a
// pattern.
func (c *caller) may(action, topic string) error {
	t := c.t
	if decide := t.srv.config.Authorize; decide != nil {
		if err := decide(c.request, action, topic); err != nil {
			return &topicError{http.StatusForbidden, err.Error()}
		}
		return nil
	}
	asked, some := t.asks(action, topic)
	switch {
	case asked == conf.AccessPublic && (!some || c.grant == nil):
		return nil
	case asked == conf.AccessNone:
		return &topicError{http.StatusForbidden, fmt.Sprintf("nobody may %s %q here (%s: 'none' in topics of web.json5)", verbs[action], topic, action)}
	case c.invalid != nil:
		return &topicError{http.StatusUnauthorized, "the token is not good: " + c.invalid.Error()}
	case c.grant == nil:
		why := fmt.Errorf("a token is needed to %s %q", verbs[action], topic)
		if t.verifier != nil {
			why = t.verifier.Wanted(action, topic)
		}
		return &topicError{http.StatusUnauthorized, why.Error()}
	}
	if err := c.grant.Check(action, topic); err != nil {
		return &topicError{http.StatusForbidden, err.Error()}
	}
	return nil
}

// mayRead says why the caller may not read all of these topics and patterns.
func (c *caller) mayRead(patterns []string) error {
	for _, p := range patterns {
		if err := c.may(access.Subscribe, p); err != nil {
			return err
		}
	}
	return nil
}

var verbs = map[string]string{access.Subscribe: "read", access.Publish: "publish to"}

// asks is the least that the rules want for an action on a topic, or on one of a
// pattern's, and whether they want a token for some of these. Who has none gets of
// a pattern what is public.
func (t *topics) asks(action, topic string) (least string, some bool) {
	if !pattern.Wild(topic) {
		return t.ruleOf(topic).of(action), false
	}
	least = conf.AccessNone
	for i := range t.rules {
		r := &t.rules[i]
		if !overlaps(r.match, topic) {
			continue
		}
		switch of := r.of(action); of {
		case conf.AccessPublic:
			least = of
		case conf.AccessToken:
			some = true
			if least == conf.AccessNone {
				least = of
			}
		}
		if pattern.Contains(r.match, topic) { // no later one has a topic of it
			break
		}
	}
	return least, some
}

func (r *topicRule) of(action string) string {
	if action == access.Publish {
		return r.publish
	}
	return r.subscribe
}

// overlaps says whether two patterns may have a name in common.
func overlaps(a, b string) bool {
	for {
		x, restA, moreA := strings.Cut(a, ".")
		y, restB, moreB := strings.Cut(b, ".")
		switch {
		case x == ">" || y == ">":
			return true
		case x != y && x != "*" && y != "*" || moreA != moreB:
			return false
		case !moreA:
			return true
		}
		a, b = restA, restB
	}
}
