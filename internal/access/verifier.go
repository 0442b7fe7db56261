package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/leat-dev/leat/internal/pattern"
)

// MaxToken is the length of the longest token, in bytes.
const MaxToken = 8 << 10

// leeway is how far the clock of who makes tokens may be ahead of this one. A
// token's end has none: the streams that it allows end then, too.
const leeway = 30 * time.Second

var errNoToken = errors.New("this is not a token; one is a JWT: three parts of base64url with dots between them")

// A Verifier checks tokens. Any goroutine may use it.
type Verifier struct {
	keys             []Key
	issuer, audience string
	parser           *jwt.Parser
}

// NewVerifier returns a verifier of tokens that one of keys has signed. Where
// issuer is not empty a token must have it as its iss; where audience is not
// empty it must be among the token's aud.
func NewVerifier(keys []Key, issuer, audience string) *Verifier {
	// The times are checked here, with words of our own.
	parser := jwt.NewParser(jwt.WithStrictDecoding(), jwt.WithJSONNumber(), jwt.WithoutClaimsValidation())
	return &Verifier{slices.Clone(keys), issuer, audience, parser}
}

// Verify returns what a token allows at this time. The token must be signed by
// one of the keys, with that key's algorithm, and have an end (exp) that is still
// to come. A beginning (nbf) may be half a minute ahead. An error says what is
// wrong with the token, and never more of a key than its name.
func (v *Verifier) Verify(token string, now time.Time) (*Grant, error) {
	switch {
	case token == "":
		return nil, errors.New("the token is empty")
	case len(token) > MaxToken:
		return nil, fmt.Errorf("the token has %d bytes; it may have %d", len(token), MaxToken)
	case strings.ContainsAny(token, "\r\n"): // package base64 would skip them
		return nil, errNoToken
	}
	claims := jwt.MapClaims{}
	var keys []Key
	var refused error
	parsed, err := v.parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		if keys, refused = v.candidates(t.Header); refused != nil {
			return nil, refused
		}
		var set jwt.VerificationKeySet
		for _, k := range keys {
			set.Keys = append(set.Keys, k.material)
		}
		return set, nil
	})
	if refused == nil && errors.Is(err, jwt.ErrTokenUnverifiable) { // the library has not asked for keys
		_, refused = v.candidates(parsed.Header)
	}
	switch {
	case refused != nil:
		return nil, refused
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return nil, fmt.Errorf("the token's signature is not of %s", oneOf(keys))
	case err != nil:
		return nil, errNoToken
	}
	return v.grant(claims, now)
}

// candidates returns the keys that may have signed a token with this header. All
// of them are of the algorithm that it names.
func (v *Verifier) candidates(header map[string]any) ([]Key, error) {
	algorithm, ok := header["alg"].(string)
	switch {
	case !ok:
		return nil, errors.New("the token's header names no algorithm (alg)")
	case strings.EqualFold(algorithm, "none"):
		return nil, errors.New("the token is not signed: its alg is none")
	case header["crit"] != nil: // RFC 7515, 4.1.11
		return nil, errors.New("the token's header has crit, and nothing that it could name is known here")
	}
	kid, ok := header["kid"].(string)
	if !ok && header["kid"] != nil {
		return nil, errors.New("the token's key id (kid) is not a text")
	}
	named := kid != ""
	var keys []Key
	var ids []string
	for _, k := range v.keys {
		switch {
		case named && k.ID == kid && k.Algorithm != algorithm:
			return nil, fmt.Errorf("the token is signed with %s, and %s is not of that", quoted(algorithm), k)
		case k.Algorithm == algorithm && (!named || k.ID == "" || k.ID == kid):
			keys = append(keys, k)
		case k.Algorithm == algorithm:
			ids = append(ids, fmt.Sprintf("%q", k.ID))
		}
	}
	switch {
	case keys != nil:
		return keys, nil
	case ids != nil:
		return nil, fmt.Errorf("the token's key id is %s; known are %s", quoted(kid), strings.Join(ids, ", "))
	case len(v.keys) == 0:
		return nil, errors.New("there is no key here to check a token with")
	default:
		return nil, fmt.Errorf("the token is signed with %s; what is known here is %s", quoted(algorithm), oneOf(v.keys))
	}
}

// grant reads the claims of a token whose signature is good.
func (v *Verifier) grant(claims jwt.MapClaims, now time.Time) (*Grant, error) {
	var g Grant
	expires, err := instant(claims, "exp")
	switch {
	case err != nil:
		return nil, err
	case expires.IsZero():
		return nil, errors.New("the token has no end; write one as exp, in seconds since 1970")
	case !now.Before(expires):
		return nil, fmt.Errorf("the token has ended at %s, %s ago", stamp(expires), now.Sub(expires).Round(time.Second))
	}
	g.Expires = expires
	begins, err := instant(claims, "nbf")
	switch {
	case err != nil:
		return nil, err
	case begins.After(now.Add(leeway)):
		return nil, fmt.Errorf("the token begins at %s, in %s", stamp(begins), begins.Sub(now).Round(time.Second))
	}
	if err := v.meant(claims); err != nil {
		return nil, err
	}
	var ok bool
	if g.Subject, ok = claims["sub"].(string); !ok && claims["sub"] != nil {
		return nil, errors.New("the token's sub is not a text")
	}
	leat, ok := claims["leat"].(map[string]any)
	if !ok || leat["subscribe"] == nil && leat["publish"] == nil {
		return nil, errors.New(`the token says nothing about topics; write the claim "leat":{"subscribe":["PATTERN"],"publish":["PATTERN"]}`)
	}
	if g.Subscribe, err = patterns(leat, "subscribe"); err != nil {
		return nil, err
	}
	if g.Publish, err = patterns(leat, "publish"); err != nil {
		return nil, err
	}
	return &g, nil
}

// meant tells whether a token is by the issuer and for the audience of here.
func (v *Verifier) meant(claims jwt.MapClaims) error {
	if v.issuer != "" {
		switch iss, ok := claims["iss"].(string); {
		case !ok:
			return fmt.Errorf("the token has no issuer (iss); it must be %q", v.issuer)
		case iss != v.issuer:
			return fmt.Errorf("the token's issuer (iss) is %s, not %q", quoted(iss), v.issuer)
		}
	}
	if v.audience != "" {
		aud, err := claims.GetAudience()
		switch {
		case err != nil || len(aud) == 0:
			return fmt.Errorf("the token has no audience (aud); %q must be in it", v.audience)
		case !slices.Contains(aud, v.audience):
			return fmt.Errorf("the token's audience (aud) is without %q", v.audience)
		}
	}
	return nil
}

// latest is the last second of the year 9999: later ones cannot be written.
const latest = 253402300799

// instant returns a time in the claims; it is zero where there is none.
func instant(claims jwt.MapClaims, name string) (time.Time, error) {
	if claims[name] == nil {
		return time.Time{}, nil
	}
	n, _ := claims[name].(json.Number)
	seconds, err := n.Float64()
	if err != nil || seconds < 0 || seconds > latest {
		return time.Time{}, fmt.Errorf("the token's %s is not a time; write the number of seconds since 1970", name)
	}
	return time.UnixMilli(int64(seconds * 1000)), nil
}

// patterns returns a list of patterns in the claim leat.
func patterns(leat map[string]any, name string) ([]string, error) {
	if leat[name] == nil {
		return nil, nil
	}
	list, ok := leat[name].([]any)
	if !ok {
		return nil, fmt.Errorf(`the token's leat.%s is not a list; write one as ["PATTERN"]`, name)
	}
	all := make([]string, len(list))
	for i, p := range list {
		if all[i], ok = p.(string); !ok {
			return nil, fmt.Errorf("the token's leat.%s[%d] is not a text", name, i)
		}
		if err := pattern.Check(all[i]); err != nil {
			return nil, fmt.Errorf("the token's leat.%s[%d]: %w", name, i, err)
		}
	}
	return all, nil
}

// Wanted says which token would allow an action, to somebody who has none. It
// goes with the status 401.
func (v *Verifier) Wanted(action, topic string) error {
	if len(v.keys) == 0 {
		return fmt.Errorf("to %s %s needs a token, and there is no key here to check one with", verb(action), quoted(topic))
	}
	return fmt.Errorf("to %s %s send a token that has it in leat.%s, signed by %s: as Authorization: Bearer TOKEN",
		verb(action), quoted(topic), action, oneOf(v.keys))
}

// oneOf names keys in a sentence.
func oneOf(keys []Key) string {
	var names []string
	for _, k := range keys {
		if name := k.String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " or ")
}

// quoted is s in quotes, cut where it is long: it is what somebody else has sent.
func quoted(s string) string {
	const most = 80
	if len(s) > most {
		return fmt.Sprintf("%.*q…", most, s)
	}
	return fmt.Sprintf("%q", s)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
