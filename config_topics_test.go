package leat_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

func TestTheKeysOfTopicsReachTheConfig(t *testing.T) {
	c, err := loadText(t, `{
	routes: [{ match: '/live/', handler: 'topic' }],
	topics: [
		{ match: 'room.*', history: { count: 500, bytes: '2 MiB', age: '1 hr' }, slow: 'latest', key: 'host', heartbeat: '10 secs', subscribe: 'token', publish: 'token', maxRate: 10 },
		{ match: 'machine.load', history: 'none', source: { command: 'vmstat 1' } },
		{ match: 'app', source: { file: 'app.log' } },
	],
	state: 'kept',
	tokens: { keys: [{ algorithm: 'HS256', env: 'LEAT_SECRET' }, { algorithm: 'ES256', file: 'public.pem', id: 'k1' }], issuer: 'https://login.example.com', audience: 'leat' },
	limits: { topics: 1, topicMemory: 2, topicsPerReader: 3, patterns: 4, streamsPerAddress: 5, topicsPerAddress: 6, publishesPerAddress: 7 },
}`)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(c.State)
	topics := []leat.TopicRule{
		{
			Match: "room.*", History: leat.History{Count: 500, Bytes: 2 << 20, Age: time.Hour}, Slow: "latest", Key: "host", Heartbeat: 10 * time.Second,
			Subscribe: "token", Publish: "token", MaxRate: 10,
		},
		{Match: "machine.load", History: leat.History{None: true}, Source: leat.Source{Command: []string{"/bin/sh", "-c", "vmstat 1"}}},
		{Match: "app", Source: leat.Source{File: filepath.Join(dir, "app.log")}},
	}
	if !reflect.DeepEqual(c.Topics, topics) {
		t.Errorf("\n got %+v\nwant %+v", c.Topics, topics)
	}
	tokens := leat.Tokens{
		Keys:   []leat.TokenKey{{Algorithm: "HS256", Env: "LEAT_SECRET"}, {Algorithm: "ES256", File: filepath.Join(dir, "public.pem"), ID: "k1"}},
		Issuer: "https://login.example.com", Audience: "leat",
	}
	if !reflect.DeepEqual(c.Tokens, tokens) {
		t.Errorf("%+v", c.Tokens)
	}
	limits := leat.Limits{Topics: 1, TopicMemory: 2, TopicsPerReader: 3, Patterns: 4, StreamsPerAddress: 5, TopicsPerAddress: 6, PublishesPerAddress: 7}
	if c.Limits != limits || filepath.Base(c.State) != "kept" || !filepath.IsAbs(dir) || c.Routes[0].Handler != "topic" {
		t.Errorf("%+v", c)
	}
}

func TestAServerDoesNotStartWithWrongTopics(t *testing.T) {
	for want, c := range map[string]*leat.Config{
		`topics[0].match: "room/*" has a slash; write dots between tokens, as in machine.cpu`: {Topics: []leat.TopicRule{{Match: "room/*"}}},
		`topics[1].publish: no token could be checked, for tokens has no keys; write tokens: { keys: [ { algorithm: 'HS256', env: 'LEAT_SECRET' } ] }`: {
			Topics: []leat.TopicRule{{}, {Publish: "token"}},
		},
		`tokens.keys[0]: the key has an env and a file, and only one can hold it; remove one of the two`: {
			Tokens: leat.Tokens{Keys: []leat.TokenKey{{Algorithm: "HS256", Env: "A", File: "a"}}},
		},
		`state: it is in documents, and so everybody could fetch what topics keep; name a folder outside of documents`: {Documents: "site", State: "site"},
		`topics[0].source: what it publishes needs one topic, and ">" is a pattern; write match: 'NAME'`: {
			Topics: []leat.TopicRule{{Source: leat.Source{File: "x"}}},
		},
		`routes[0].handler: 'topic' does not run the action "x"; write 'action', or remove the action`: {
			Routes: []leat.Route{{Handler: "topic", Action: "x"}},
		},
	} {
		if _, err := leat.New(c); err == nil || err.Error() != want {
			t.Errorf("%v\nis not\n%s", err, want)
		}
	}
}

func TestAWrongTopicIsNamedWithItsPlaceAndCure(t *testing.T) {
	_, err := loadText(t, "{\n\ttopics: [{ subscribe: 'token' }, { slow: 'gaps' }],\n}")
	var wrong *leat.ConfigError
	if !errors.As(err, &wrong) || wrong.Line != 2 || wrong.Col != 13 || wrong.Path != "topics[0].subscribe" || !strings.HasPrefix(wrong.Hint, "write tokens: ") {
		t.Errorf("%v", err)
	}
}

// The first rule that matches a topic counts.
func ExampleTopicRule() {
	c := &leat.Config{Topics: []leat.TopicRule{
		{Match: "room.*", Publish: "public", Key: "host", Slow: "latest"},
		{Match: "machine.>", MaxRate: 10},
		{Match: "room.>.door"},
	}}
	_, err := leat.New(c)
	fmt.Println(err)
	// Output: topics[2].match: "room.>.door": > stands for all tokens that follow, so it comes last; write * for one token
}

// What is zero is the default.
func ExampleHistory() {
	c := &leat.Config{Topics: []leat.TopicRule{
		{Match: "room.*", History: leat.History{Count: 100, Age: leat.Never}},
		{Match: "cursor.*", History: leat.History{None: true}},
	}}
	_, err := leat.New(c)
	fmt.Println(err)
	// Output: <nil>
}

// A source publishes to one topic.
func ExampleSource() {
	c := &leat.Config{Topics: []leat.TopicRule{
		{Match: "machine.load", Source: leat.Source{Command: []string{"vmstat", "1"}}},
		{Match: "log.*", Source: leat.Source{File: "app.log"}},
	}}
	_, err := leat.New(c)
	fmt.Println(err)
	// Output: topics[1].source: what it publishes needs one topic, and "log.*" is a pattern; write match: 'NAME'
}

// Who asks for tokens names the keys that they are checked by.
func ExampleTokens() {
	_, err := leat.New(&leat.Config{
		Topics: []leat.TopicRule{{Match: "room.*", Subscribe: "token"}},
		Tokens: leat.Tokens{Issuer: "https://login.example.com"},
	})
	var wrong *leat.ConfigError
	if errors.As(err, &wrong) {
		fmt.Println(wrong.Path + ": " + wrong.Problem)
	}
	// Output: topics[0].subscribe: no token could be checked, for tokens has no keys
}

// A key is in the environment or in a file, and never in the configuration.
func ExampleTokenKey() {
	c := &leat.Config{Tokens: leat.Tokens{Keys: []leat.TokenKey{{Algorithm: "RS512", Env: "LEAT_SECRET"}}}}
	_, err := leat.New(c)
	fmt.Println(err)
	// Output: tokens.keys[0].algorithm: "RS512" is not one of its values; write 'HS256' or 'RS256' or 'ES256' or 'EdDSA'
}
