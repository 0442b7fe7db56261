package access

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leat-dev/leat/internal/pattern"
)

// What a token can allow. They are also the names of its lists in the claim leat.
const (
	Subscribe = "subscribe"
	Publish   = "publish"
)

// A Grant is what a token allows, until it ends.
type Grant struct {
	Subject            string   // whose it is, if it says so
	Subscribe, Publish []string // patterns of topics
	Expires            time.Time
}

// MaySubscribe tells whether the grant reaches over all of a pattern: the topics
// that are there, and those to come.
func (g *Grant) MaySubscribe(p string) bool {
	return pattern.Check(p) == nil && reaches(g.Subscribe, p)
}

// MayPublish tells whether the grant reaches to the topic of this name.
func (g *Grant) MayPublish(name string) bool {
	return pattern.ValidName(name) == nil && reaches(g.Publish, name)
}

func reaches(wide []string, narrow string) bool {
	return slices.ContainsFunc(wide, func(w string) bool { return pattern.Contains(w, narrow) })
}

// Check returns nil where the grant allows the action on a topic, or else why
// not: how far it reaches, and what would. That goes with the status 403.
func (g *Grant) Check(action, topic string) error {
	list := g.Subscribe
	switch {
	case action == Subscribe && g.MaySubscribe(topic):
		return nil
	case action == Publish && g.MayPublish(topic):
		return nil
	case action == Publish:
		list = g.Publish
	}
	if err := pattern.Check(topic); err != nil {
		return err
	}
	if err := pattern.ValidName(topic); err != nil && action == Publish {
		return err
	}
	token := "the token"
	if g.Subject != "" {
		token += " of " + quoted(g.Subject)
	}
	if len(list) == 0 {
		return fmt.Errorf("%s may %s no topic; one with %q in leat.%s may", token, verb(action), topic, action)
	}
	all := ""
	if pattern.Wild(topic) {
		all = "all of "
	}
	return fmt.Errorf("%s may %s %s, not to %s%q; one that has it in leat.%s may",
		token, verb(action), some(list), all, topic, action)
}

// verb is an action as it stands in a sentence, before a topic.
func verb(action string) string { return action + " to" }

// some names patterns, the first of many.
func some(list []string) string {
	const most = 10
	names := make([]string, 0, most)
	for _, p := range list[:min(len(list), most)] {
		names = append(names, fmt.Sprintf("%q", p))
	}
	text := strings.Join(names, ", ")
	if more := len(list) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
