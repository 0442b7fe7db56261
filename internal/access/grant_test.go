package access

import (
	"strconv"
	"strings"
	"testing"
)

func TestAGrantReachesAsFarAsOneOfItsPatterns(t *testing.T) {
	g := &Grant{Subscribe: []string{"room.*", "machine.>"}, Publish: []string{"room.kitchen", "log.>"}}
	for _, c := range []struct {
		topic              string
		subscribe, publish bool
	}{
		{"room.kitchen", true, true},
		{"room.hall", true, false},
		{"room.*", true, false},
		{"room.>", false, false},
		{"machine.>", true, false},
		{"machine.*.load", true, false},
		{"machine", false, false},
		{">", false, false},
		{"*", false, false},
		{"log.a.b", false, true},
		{"log.*", false, false}, // one publishes to one topic
		{"log.>", false, false},
		{"", false, false},
		{"machine..a", false, false},
		{"machine.a b", false, false},
		{"log..", false, false},
	} {
		if got := g.MaySubscribe(c.topic); got != c.subscribe {
			t.Errorf("subscribe to %q: %v", c.topic, got)
		}
		if got := g.MayPublish(c.topic); got != c.publish {
			t.Errorf("publish to %q: %v", c.topic, got)
		}
		if got := g.Check(Subscribe, c.topic) == nil; got != c.subscribe {
			t.Errorf("Check(subscribe, %q): %v", c.topic, got)
		}
		if got := g.Check(Publish, c.topic) == nil; got != c.publish {
			t.Errorf("Check(publish, %q): %v", c.topic, got)
		}
	}
	if everything := (&Grant{Subscribe: []string{">"}}); everything.Check("delete", "a") == nil || everything.MayPublish("a") {
		t.Error("a grant to subscribe allows something else")
	}
}

func TestARefusalNamesHowFarTheTokenReachesAndWhatWould(t *testing.T) {
	many := make([]string, 12)
	for i := range many {
		many[i] = "t" + strconv.Itoa(i)
	}
	for _, c := range []struct {
		grant               Grant
		action, topic, want string
	}{
		{
			Grant{Subject: "ada", Subscribe: []string{"room.*"}},
			Subscribe, "room.>",
			`the token of "ada" may subscribe to "room.*", not to all of "room.>"; one that has it in leat.subscribe may`,
		},
		{
			Grant{Publish: []string{"room.kitchen", "log.*"}},
			Publish, "room.hall",
			`the token may publish to "room.kitchen", "log.*", not to "room.hall"; one that has it in leat.publish may`,
		},
		{
			Grant{Publish: []string{"a"}},
			Subscribe, "a",
			`the token may subscribe to no topic; one with "a" in leat.subscribe may`,
		},
		{
			Grant{Subject: strings.Repeat("x", 1000), Subscribe: many},
			Subscribe, "a",
			`the token of "` + strings.Repeat("x", 80) + `"… may subscribe to "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9" and 2 more, not to "a"; one that has it in leat.subscribe may`,
		},
		{
			Grant{Publish: []string{">"}},
			Publish, "a.*",
			`"a.*" is not the name of one topic; write it whole, without * and >`,
		},
		{
			Grant{Subscribe: []string{">"}},
			Subscribe, "a..b",
			`"a..b" has an empty token; write one dot between two tokens, and none at an end`,
		},
	} {
		if err := c.grant.Check(c.action, c.topic); err == nil || err.Error() != c.want {
			t.Errorf("%v\nwant %s", err, c.want)
		}
	}
}
