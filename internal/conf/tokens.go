package conf

import (
	"fmt"
	"regexp"
	"slices"
)

var tokenKeyList = &kind{
	name:  "list of keys",
	holds: inTokenKey,
	schema: func() object {
		return object{"type": "array", "items": object{"$ref": "#/$defs/tokenKey"}, "minItems": 1}
	},
}

// variable is the name of an environment variable. A message does not show what
// is none: it may be the secret.
var variable = texted("name of a variable", object{"type": "string", "pattern": variableSyntax.String()}, func(v val, name string) any {
	if !variableSyntax.MatchString(name) {
		return v.wrong("write 'LEAT_SECRET', and the secret into that variable", "it is not the name of an environment variable")
	}
	return name
})

var variableSyntax = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// tokenKeys reads `tokens.keys`.
func (r *reader) tokenKeys(v val, c *Config) {
	for _, item := range v.entries() {
		one := TokenKey{}
		r.object(item, "", r.tree(inTokenKey), one.scope())
		one.finish(item, c.Tokens.Keys)
		c.Tokens.Keys = append(c.Tokens.Keys, one)
	}
}

// finish looks at what the keys of a key say together. v is its object, and
// before are those that precede it.
func (k *TokenKey) finish(v val, before []TokenKey) {
	if v.r.wrongAt(v.path) {
		return // what is missing may be what has been reported
	}
	switch {
	case k.Algorithm == "":
		v.wrong("write algorithm: 'HS256', 'RS256', 'ES256' or 'EdDSA'", "the key has no algorithm")
	case k.Env == "" && k.File == "":
		v.wrong("write env: 'LEAT_SECRET' or file: 'public.pem'", "the key has neither an env nor a file")
	case k.Env != "" && k.File != "":
		v.wrong("remove one of the two", "the key has an env and a file, and only one can hold it")
	case k.ID != "" && slices.ContainsFunc(before, func(other TokenKey) bool { return other.ID == k.ID }):
		v.wrong("remove it, or give it another", "the id %q is there already", k.ID)
	}
}

// agreeTokens says which key asks for tokens that nothing could check.
func (r *reader) agreeTokens(c *Config) {
	var asking []string
	for i, t := range c.Topics {
		if t.Subscribe == AccessToken {
			asking = append(asking, fmt.Sprintf("topics[%d].subscribe", i))
		}
		if t.Publish == AccessToken {
			asking = append(asking, fmt.Sprintf("topics[%d].publish", i))
		}
	}
	if at, given := r.at["tokens.keys"]; given && len(asking) == 0 && len(c.Tokens.Keys) > 0 {
		r.note(at, "tokens.keys", "is not used: no topic says subscribe: 'token' or publish: 'token'")
	}
	if len(c.Tokens.Keys) > 0 || r.wrongAt("tokens") {
		return
	}
	if _, given := r.at["tokens.keys"]; given {
		asking = append(asking, "tokens.keys")
	}
	if c.Tokens.Issuer != "" {
		asking = append(asking, "tokens.issuer")
	}
	if c.Tokens.Audience != "" {
		asking = append(asking, "tokens.audience")
	}
	for _, path := range asking {
		r.report(r.at[path], path, "write tokens: { keys: [ { algorithm: 'HS256', env: 'LEAT_SECRET' } ] }", "no token could be checked, for tokens has no keys")
	}
}
