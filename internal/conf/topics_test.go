package conf_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/conf"
)

func TestATopicHasSafeDefaults(t *testing.T) {
	c := parse(t, `{ topics: [{}, { history: 'NONE', slow: 'Disconnect' }, { history: { age: '0 mins', count: 7 } }], routes: [{ match: '/live/', handler: 'topic' }] }`)
	conf.Fill(c)
	want := []conf.Topic{
		{Match: ">", History: conf.History{Count: 1000, Bytes: 1 << 20, Age: 10 * time.Minute}, Slow: "gap", Subscribe: "public", Publish: "none"},
		{Match: ">", History: conf.History{None: true}, Slow: "disconnect", Subscribe: "public", Publish: "none"},
		{Match: ">", History: conf.History{None: true}, Slow: "gap", Subscribe: "public", Publish: "none"},
	}
	if !reflect.DeepEqual(c.Topics, want) {
		t.Errorf("\n got %+v\nwant %+v", c.Topics, want)
	}
	if r := c.Routes[0]; r.Handler != "topic" || !slices.Equal(r.Methods, []string{"GET", "POST"}) {
		t.Errorf("%+v", r)
	}
	if c.State != "" || c.Tokens.Keys != nil {
		t.Errorf("%q %+v", c.State, c.Tokens)
	}
}

func TestZeroOfAnyKeyOfHistoryIsNone(t *testing.T) {
	for source, none := range map[string]bool{
		`{ count: 0 }`: true, `{ bytes: '0 MB' }`: true, `{ age: '0.0' }`: true, `{ age: 0, count: 'unlimited' }`: true,
		`{}`: false, `{ count: 1 }`: false, `{ age: '0.1 secs' }`: false, `{ bytes: 'unlimited' }`: false, `{ _count: 0 }`: false,
	} {
		if got := parse(t, `{ topics: [{ history: `+source+` }] }`).Topics[0].History.None; got != none {
			t.Errorf("%s: %v", source, got)
		}
	}
}

func TestTopicsInEitherShapeGiveTheSame(t *testing.T) {
	const keys = `topics: [{ subscribe: 'token' }], state: 'kept', tokens: { keys: [{ algorithm: 'HS256', env: 'A' }] }`
	if flat, web := parse(t, `{ `+keys+` }`), parse(t, `{ web: { `+keys+` } }`); !reflect.DeepEqual(flat, web) {
		t.Errorf("\n%+v\n%+v", flat, web)
	}
	_, _, err := conf.Parse([]byte(`{ web: {}, topics: [] }`), "web.json5")
	if err == nil || err.Error() != "web.json5:1:12: topics: stands beside web, which begins at 1:3; write it inside web" {
		t.Error(err)
	}
}

func TestTopicsThatLeadNowhereAreNoted(t *testing.T) {
	_, notes, err := conf.Parse([]byte(`{
	topics: [
		{ match: 'a.*' }, { match: 'a.b' }, { match: 'a' }, { match: 'a.b.c' }, { match: 'a.>' }, { match: '*.c' }, { match: 'a.b.>' },
		{ match: 'a.*.x' }, { match: 'a.*' }, {}, { match: 'z' },
	],
	tokens: { keys: [{ algorithm: 'ES256', file: 'public.pem' }] },
}`), "web.json5")
	want := []string{
		"web.json5:3:21: topics[1] is never reached: topics[0] matches all that it does",
		"web.json5:3:111: topics[6] is never reached: topics[4] matches all that it does",
		"web.json5:4:3: topics[7] is never reached: topics[4] matches all that it does",
		"web.json5:4:23: topics[8] is never reached: topics[0] matches all that it does",
		"web.json5:4:45: topics[10] is never reached: topics[9] matches all that it does",
		"web.json5:6:12: tokens.keys is not used: no topic says subscribe: 'token' or publish: 'token'",
	}
	if err != nil || !slices.Equal(notes, want) {
		t.Errorf("%v\n%s", err, strings.Join(notes, "\n"))
	}
}

func TestKeysOfTopicsAreInEffect(t *testing.T) {
	_, notes, err := conf.Load("testdata/full.json5")
	if err != nil || len(notes) > 0 {
		t.Errorf("%q %v", notes, err)
	}
}

func TestAnEnvironmentVariableThatIsNoneIsNotShown(t *testing.T) {
	_, _, err := conf.Parse([]byte(`{ tokens: { keys: [{ algorithm: 'HS256', env: 'correct-horse' }] } }`), "web.json5")
	if err == nil || strings.Contains(err.Error(), "horse") {
		t.Error(err)
	}
}

func TestTopicsMadeByAProgramAreValidatedAsAFile(t *testing.T) {
	command := conf.Source{Command: []string{"vmstat", "1"}}
	key := conf.TokenKey{Algorithm: "HS256", Env: "A", ID: "k"}
	c := &conf.Config{
		Documents: "site", State: "site/../site/state",
		Limits: conf.Limits{Topics: -2, TopicMemory: -2, TopicsPerReader: -2, Patterns: -2, StreamsPerAddress: -2, TopicsPerAddress: -2, PublishesPerAddress: -2},
		Topics: []conf.Topic{
			{Match: "a..b", Slow: "wait", Subscribe: "all", Publish: "nobody", Heartbeat: -2, MaxRate: -2, History: conf.History{Count: -2, Bytes: -2, Age: -2}},
			{Source: command},
			{Match: "a.*", Source: command},
			{Match: "a", Source: conf.Source{Command: []string{"x"}, File: "y"}},
			{Match: "a", Source: conf.Source{Command: []string{}}},
			{Match: "a", Key: "host", History: conf.History{Count: -1, Bytes: -1, Age: -1}, MaxRate: -1, Heartbeat: -1, Source: command},
		},
		Tokens: conf.Tokens{Keys: []conf.TokenKey{{}, {Algorithm: "HS256"}, key, key, {Algorithm: "x", Env: "a b"}, {Algorithm: "HS256", File: "site/secret"}}},
	}
	conf.Fill(c)
	var list conf.Errors
	if err := conf.Validate(c); !errors.As(err, &list) {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, e.Path)
	}
	want := []string{
		"limits.topics", "limits.topicMemory", "limits.topicsPerReader", "limits.patterns", "limits.streamsPerAddress", "limits.topicsPerAddress", "limits.publishesPerAddress",
		"topics[0].match", "topics[0].history.count", "topics[0].history.bytes", "topics[0].history.age", "topics[0].slow", "topics[0].heartbeat", "topics[0].subscribe", "topics[0].publish", "topics[0].maxRate",
		"topics[1].source", "topics[2].source", "topics[3].source", "topics[4].source.command",
		"tokens.keys[0]", "tokens.keys[1]", "tokens.keys[3]", "tokens.keys[4].algorithm", "tokens.keys[4].env", "state", "tokens.keys[5].file",
	}
	if !slices.Equal(got, want) {
		t.Errorf("\n got %q\nwant %q\n%v", got, want, list)
	}
	for _, c := range []*conf.Config{
		{Topics: []conf.Topic{{}, {Publish: "token"}}}, {Tokens: conf.Tokens{Issuer: "x"}}, {Tokens: conf.Tokens{Audience: "x"}},
	} {
		if err := conf.Validate(c); err == nil || !strings.Contains(err.Error(), ": no token could be checked, for tokens has no keys; write tokens: { keys: [") {
			t.Error(err)
		}
	}
}
