package leat

import (
	"time"

	"github.com/leat-dev/leat/internal/conf"
)

// A TopicRule says what the topics that it matches keep, and who may read and
// publish. The zero rule is the default of each topic.
type TopicRule struct {
	Match     string        // tokens with dots between; "*": one token, a last ">": one or more; "": every topic
	History   History       // what readers get that come later or come back
	Slow      string        // what becomes of a reader that falls behind what is kept: "gap", "latest", "disconnect"; "": gap
	Key       string        // the member of JSON data that is the key where the publisher gives none
	Heartbeat time.Duration // without a message sent; 0: Timeouts.Heartbeat
	Subscribe string        // who may read: "public", "none", "token"; "": public
	Publish   string        // who may publish by HTTP and WebSocket; "": none
	MaxRate   float64       // messages of one key that a reader gets in a second; 0: no bound
	Source    Source        // what publishes to it; Match has no "*" and ">" then
}

// History says how much a topic keeps. Zero is the default, Unlimited or Never
// no bound. With None it keeps a message only until those have it who read now.
// In a web.json5 that is 'none', or 0 for one of the others.
type History struct {
	None  bool          // and the others do not count
	Count int           // messages; 1,000 by default
	Bytes int64         // 1 MiB by default
	Age   time.Duration // 10 minutes by default
}

// A Source publishes each line of a command's output, or each new line of a
// file. One of the two is set; without either there is no source.
type Source struct {
	Command []string // a program and its arguments; a text in a web.json5 is {"/bin/sh", "-c", text}
	File    string
}

// Tokens says which tokens are good where a TopicRule says "token". Such a
// token is a JWT whose claim "leat" lists patterns of topics under "subscribe"
// and "publish".
type Tokens struct {
	Keys     []TokenKey
	Issuer   string // what the claim "iss" has to be; "": anything
	Audience string // what the claim "aud" has to hold; "": anything
}

// A TokenKey is what tokens are signed with, or the public half of it. It is in
// an environment variable or in a file.
type TokenKey struct {
	Algorithm string // HS256, RS256, ES256 or EdDSA
	Env       string // name of the variable
	File      string // outside of Documents, if it is a secret
	ID        string // the "kid" of its tokens; "": any
}

func topicsFromConf(topics []conf.Topic) []TopicRule {
	var rules []TopicRule
	for _, t := range topics {
		rules = append(rules, TopicRule{
			Match: t.Match, History: History(t.History), Slow: t.Slow, Key: t.Key, Heartbeat: t.Heartbeat,
			Subscribe: t.Subscribe, Publish: t.Publish, MaxRate: t.MaxRate, Source: Source(t.Source),
		})
	}
	return rules
}

func topicsToConf(rules []TopicRule) []conf.Topic {
	var topics []conf.Topic
	for _, r := range rules {
		topics = append(topics, conf.Topic{
			Match: r.Match, History: conf.History(r.History), Slow: r.Slow, Key: r.Key, Heartbeat: r.Heartbeat,
			Subscribe: r.Subscribe, Publish: r.Publish, MaxRate: r.MaxRate, Source: conf.Source(r.Source),
		})
	}
	return topics
}

func tokensFromConf(t conf.Tokens) Tokens {
	tokens := Tokens{Issuer: t.Issuer, Audience: t.Audience}
	for _, k := range t.Keys {
		tokens.Keys = append(tokens.Keys, TokenKey(k))
	}
	return tokens
}

func tokensToConf(t Tokens) conf.Tokens {
	tokens := conf.Tokens{Issuer: t.Issuer, Audience: t.Audience}
	for _, k := range t.Keys {
		tokens.Keys = append(tokens.Keys, conf.TokenKey(k))
	}
	return tokens
}
