package conf

import (
	"reflect"

	"github.com/leat-dev/leat/internal/json5"
)

// Fill gives every field that is zero its default from the table. Three kinds
// of fields stay zero: Timeouts.Request, whose default is 5 minutes for an
// ordinary request and never for a stream; Limits.MaxPacket, WebSockets.Origins
// and Topic.MaxRate, which are none by default; and what a route or a topic does
// not set for itself, which is the server's.
func Fill(c *Config) {
	c.scope().fill(inServer)
	for i := range c.Routes {
		r := &c.Routes[i]
		if r.Handler == "" && r.Action != "" {
			r.Handler = "action"
		}
		r.scope().fill(inRoute)
	}
	for i := range c.Redirects {
		c.Redirects[i].scope().fill(inRedirect)
	}
	for i := range c.Topics {
		t := &c.Topics[i]
		t.scope().fill(inTopic)
		if t.History.None {
			t.History = History{None: true}
		}
		if t.MaxRate == Unlimited {
			t.MaxRate = 0 // which is another word for it
		}
	}
}

// fill sets the defaults of the rows that stand in one place; those that a
// route shares with the server are the server's.
func (s *scope) fill(in place) {
	for w := range rows(in) {
		if w.field == nil || w.def == "" || w.keep || w.kind == flag || w.in&inServer != 0 && in != inServer {
			continue
		}
		if field := w.field(s); reflect.ValueOf(field).Elem().IsZero() {
			store(field, w.value())
		}
	}
}

// value is the row's default as a Go value.
func (w *row) value() any {
	r := &reader{}
	v := val{&json5.Node{Kind: json5.String, Text: w.def}, r, w.path}
	if w.kind == toggle {
		v.Node = &json5.Node{Kind: json5.Bool, Bool: w.def == "true"}
	}
	got := w.kind.read(v)
	if got == nil {
		panic(r.errs.Error()) // a mistake in the table, which a test finds
	}
	return got
}
