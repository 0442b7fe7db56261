package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/leat-dev/leat/internal/pattern"
)

var now = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// good are the claims of a token that is accepted.
const good = `{"exp":1796130000,"sub":"ada","leat":{"subscribe":["room.*","machine.>"],"publish":["room.kitchen"]}}`

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// hs256 is a token of this header and these claims, as they are.
func hs256(header, claims, secret string) string {
	text := b64(header) + "." + b64(claims)
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(text))
	return text + "." + b64(string(h.Sum(nil)))
}

// secretKey is a key of HS256.
func secretKey(id, secret string) Key { return Key{HS256, id, []byte(secret)} }

func TestATokenOfEachAlgorithmIsAccepted(t *testing.T) {
	t.Setenv("LEAT_SECRET", secret)
	es, ed := newES256(), newEdDSA()
	for _, c := range []struct{ sign, check Source }{
		{Source{Algorithm: HS256, Env: "LEAT_SECRET"}, Source{Algorithm: HS256, Env: "LEAT_SECRET"}},
		{Source{File: in(t, privatePEM(rsaKey()))}, Source{File: in(t, publicPEM(rsaKey()))}},
		{Source{File: in(t, privatePEM(es))}, Source{File: in(t, publicPEM(es))}},
		{Source{File: in(t, privatePEM(ed))}, Source{File: in(t, publicPEM(ed))}},
	} {
		signer, err := LoadSigner(c.sign)
		if err != nil {
			t.Fatal(err)
		}
		want := &Grant{"ada", []string{"room.*"}, []string{"room.kitchen"}, now.Add(time.Hour)}
		token, err := signer.Sign(want, now)
		if err != nil {
			t.Fatal(err)
		}
		v := NewVerifier(must(LoadKeys([]Source{c.check})), "", "")
		got, err := v.Verify(token, now)
		if err != nil {
			t.Errorf("%s: %v", signer.Algorithm, err)
			continue
		}
		if !got.Expires.Equal(want.Expires) {
			t.Errorf("%s: it ends at %v", signer.Algorithm, got.Expires)
		}
		got.Expires = want.Expires
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v", signer.Algorithm, got)
		}
		eachByteCounts(t, v, token)
	}
}

// eachByteCounts changes and cuts a token wherever it can be.
func eachByteCounts(t *testing.T, v *Verifier, token string) {
	t.Helper()
	for i := range token {
		changed := []byte(token)
		for _, c := range []byte("AB.=") {
			if changed[i] = c; string(changed) == token {
				continue
			}
			if g, err := v.Verify(string(changed), now); err == nil || g != nil {
				t.Fatalf("with %q at byte %d of %s: %+v", c, i, token, g)
			}
		}
		if g, err := v.Verify(token[:i], now); err == nil || g != nil {
			t.Fatalf("cut at byte %d of %s: %+v", i, token, g)
		}
	}
}

func TestAnAlgorithmIsTheKeysAndNotTheTokens(t *testing.T) {
	public := publicPEM(rsaKey())
	v := NewVerifier(must(LoadKeys([]Source{{ID: "k", File: in(t, public)}})), "", "")
	for _, c := range []struct{ header, key, want string }{
		{`{"alg":"HS256"}`, public, `the token is signed with "HS256"; what is known here is the key "k" (RS256)`},
		{`{"alg":"HS256","kid":"k"}`, public, `the token is signed with "HS256", and the key "k" (RS256) is not of that`},
		{`{"alg":"HS256","kid":"k"}`, strings.TrimSpace(public), "is not of that"},
		{`{"alg":"HS256","kid":"k"}`, "", "is not of that"},
		{`{"alg":"PS256","kid":"k"}`, public, "is not of that"},
		{`{"alg":"RS512","kid":"k"}`, public, "is not of that"},
		{`{"alg":"rs256","kid":"k"}`, public, "is not of that"},
		{`{"alg":"none"}`, "", "the token is not signed: its alg is none"},
		{`{"alg":"NONE","kid":"k"}`, "", "the token is not signed: its alg is none"},
		{`{"alg":"nOnE"}`, "", "the token is not signed: its alg is none"},
		{`{}`, "", "the token's header names no algorithm (alg)"},
		{`null`, "", "the token's header names no algorithm (alg)"},
		{`{"alg":["RS256"]}`, "", "the token's header names no algorithm (alg)"},
		{`{"alg":""}`, "", `the token is signed with ""`},
		{`{"alg":"RS256"}`, public, `the token's signature is not of the key "k" (RS256)`},
		{`{"alg":"RS256","jwk":{"kty":"RSA"},"jku":"https://example.com"}`, public, "the token's signature is not of"},
		{`{"alg":"RS256","crit":["exp"]}`, public, "the token's header has crit, and nothing that it could name is known here"},
		{`{"alg":"RS256","kid":7}`, public, "the token's key id (kid) is not a text"},
	} {
		for _, token := range []string{hs256(c.header, good, c.key), b64(c.header) + "." + b64(good) + "."} {
			g, err := v.Verify(token, now)
			if err == nil || g != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v\nwant %s", c.header, err, c.want)
			}
		}
	}
}

func TestAKeyIsFoundByItsIDOrTried(t *testing.T) {
	other := strings.Repeat("another secret ", 3)
	v := NewVerifier([]Key{secretKey("", secret), secretKey("", other)}, "", "")
	named := NewVerifier([]Key{secretKey("a", secret), secretKey("b", other)}, "", "")
	for _, c := range []struct {
		v              *Verifier
		header, secret string
		want           string
	}{
		{v, `{"alg":"HS256"}`, secret, ""},
		{v, `{"alg":"HS256"}`, other, ""},
		{v, `{"alg":"HS256","kid":"any"}`, other, ""},
		{v, `{"alg":"HS256"}`, "neither", "the token's signature is not of a key of HS256"},
		{named, `{"alg":"HS256"}`, secret, ""},
		{named, `{"alg":"HS256","kid":""}`, other, ""},
		{named, `{"alg":"HS256"}`, "neither", `the token's signature is not of the key "a" (HS256) or the key "b" (HS256)`},
		{named, `{"alg":"HS256","kid":"b"}`, other, ""},
		{named, `{"alg":"HS256","kid":"a"}`, other, `the token's signature is not of the key "a" (HS256)`},
		{named, `{"alg":"HS256","kid":"c"}`, secret, `the token's key id is "c"; known are "a", "b"`},
		{named, `{"alg":"HS256","kid":"` + strings.Repeat("c", 5000) + `"}`, secret, `"…; known are "a", "b"`},
		{NewVerifier(nil, "", ""), `{"alg":"HS256"}`, "", "there is no key here to check a token with"},
	} {
		_, err := c.v.Verify(hs256(c.header, good, c.secret), now)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasSuffix(err.Error(), c.want) || len(err.Error()) > 200) {
			t.Errorf("%.100s: %v\nwant %s", c.header, err, c.want)
		}
	}
}

func TestClaimsThatAreMissingOrWrongAreNamed(t *testing.T) {
	v := NewVerifier([]Key{secretKey("", secret)}, "https://id.example", "leat")
	const leat = `"leat":{"subscribe":["a"]}`
	const meant = `"iss":"https://id.example","aud":["x","leat"],`
	const exp = `"exp":1796130000,`
	for _, c := range []struct{ claims, want string }{
		{`{` + meant + exp + leat + `}`, ""},
		{`{"iss":"https://id.example","aud":"leat",` + exp + leat + `}`, ""},
		{`{` + meant + `"exp":1796130000.5,` + leat + `}`, ""},
		{`{` + meant + `"exp":1.79613e9,` + leat + `}`, ""},
		{`{` + meant + `"exp":253402300799,` + leat + `}`, ""},
		{`{` + meant + leat + `}`, "the token has no end; write one as exp, in seconds since 1970"},
		{`{` + meant + `"exp":null,` + leat + `}`, "the token has no end; write one as exp, in seconds since 1970"},
		{`{` + meant + `"exp":"1796130000",` + leat + `}`, "the token's exp is not a time; write the number of seconds since 1970"},
		{`{` + meant + `"exp":true,` + leat + `}`, "the token's exp is not a time"},
		{`{` + meant + `"exp":1e400,` + leat + `}`, "the token's exp is not a time"},
		{`{` + meant + `"exp":1e300,` + leat + `}`, "the token's exp is not a time"},
		{`{` + meant + `"exp":-1,` + leat + `}`, "the token's exp is not a time"},
		{`{` + meant + `"exp":0,` + leat + `}`, "the token has ended at 1970-01-01T00:00:00Z"},
		{`{` + meant + `"exp":1796126340,` + leat + `}`, "the token has ended at 2026-12-01T11:59:00Z, 1m0s ago"},
		{`{` + meant + `"exp":1796126400,` + leat + `}`, "the token has ended at 2026-12-01T12:00:00Z, 0s ago"},
		{`{` + meant + exp + `"nbf":1796126430,` + leat + `}`, ""},
		{`{` + meant + exp + `"nbf":1796126431,` + leat + `}`, "the token begins at 2026-12-01T12:00:31Z, in 31s"},
		{`{` + meant + exp + `"nbf":"soon",` + leat + `}`, "the token's nbf is not a time"},
		{`{"aud":"leat",` + exp + leat + `}`, `the token has no issuer (iss); it must be "https://id.example"`},
		{`{"aud":"leat","iss":["https://id.example"],` + exp + leat + `}`, `the token has no issuer (iss)`},
		{`{"aud":"leat","iss":"https://id.example/",` + exp + leat + `}`, `the token's issuer (iss) is "https://id.example/", not "https://id.example"`},
		{`{"iss":"https://id.example",` + exp + leat + `}`, `the token has no audience (aud); "leat" must be in it`},
		{`{"iss":"https://id.example","aud":7,` + exp + leat + `}`, `the token has no audience (aud); "leat" must be in it`},
		{`{"iss":"https://id.example","aud":["leaty"],` + exp + leat + `}`, `the token's audience (aud) is without "leat"`},
		{`{` + meant + exp + `"sub":7,` + leat + `}`, "the token's sub is not a text"},
		{`{` + meant + exp + `"x":1}`, `the token says nothing about topics; write the claim "leat":{"subscribe":["PATTERN"],"publish":["PATTERN"]}`},
		{`{` + meant + exp + `"leat":{}}`, "the token says nothing about topics"},
		{`{` + meant + exp + `"leat":["a"]}`, "the token says nothing about topics"},
		{`{` + meant + exp + `"LEAT":{"subscribe":["a"]}}`, "the token says nothing about topics"},
		{`{` + meant + exp + `"leat":{"Subscribe":["a"]}}`, "the token says nothing about topics"},
		{`{` + meant + exp + `"leat":{"subscribe":">"}}`, `the token's leat.subscribe is not a list; write one as ["PATTERN"]`},
		{`{` + meant + exp + `"leat":{"subscribe":["a"],"publish":{"a":true}}}`, `the token's leat.publish is not a list`},
		{`{` + meant + exp + `"leat":{"subscribe":["a",7]}}`, `the token's leat.subscribe[1] is not a text`},
		{`{` + meant + exp + `"leat":{"publish":["a","b..c"]}}`, `the token's leat.publish[1]: "b..c" has an empty token`},
		{`{` + meant + exp + `"leat":{"subscribe":["room.k*"]}}`, `the token's leat.subscribe[0]: "room.k*": * and > stand for whole tokens`},
		{`{` + meant + exp + `"leat":{"subscribe":[]}}`, ""},
		{`null`, "the token has no end"},
		{`[]`, "this is not a token"},
		{`{`, "this is not a token"},
		{``, "this is not a token"},
	} {
		g, err := v.Verify(hs256(`{"alg":"HS256"}`, c.claims, secret), now)
		if c.want == "" && err != nil || c.want != "" && (err == nil || g != nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%s: %v\nwant %s", c.claims, err, c.want)
		}
	}
}

func TestWhatIsNoTokenIsRefusedAtOnce(t *testing.T) {
	v := NewVerifier([]Key{secretKey("", secret)}, "", "")
	token := hs256(`{"alg":"HS256"}`, good, secret)
	full := fmt.Sprintf(`{"exp":1796130000,"leat":{"subscribe":["a"]},"x":"%s"}`, strings.Repeat("x", 6043))
	if got := len(hs256(`{"alg":"HS256"}`, full, secret)); got != MaxToken {
		t.Fatalf("the full token has %d bytes", got)
	}
	for _, c := range []struct{ token, want string }{
		{"", "the token is empty"},
		{hs256(`{"alg":"HS256"}`, full, secret), ""},
		{hs256(`{"alg":"HS256"}`, full+"   ", secret), "the token has 8196 bytes; it may have 8192"},
		{strings.Repeat(".", MaxToken), "this is not a token"},
		{strings.Repeat(".", 1<<20), "the token has 1048576 bytes; it may have 8192"},
		{token + "=", "this is not a token"},
		{token + ".", "this is not a token"},
		{token + "\n", "this is not a token"},
		{token[:len(token)-1] + "\r\n" + token[len(token)-1:], "this is not a token"},
		{" " + token, "this is not a token"},
		{"Bearer " + token, "this is not a token"},
		{"..", "this is not a token"},
		{"a.b.c", "this is not a token"},
	} {
		_, err := v.Verify(c.token, now)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%.50q: %v, want %s", c.token, err, c.want)
		}
	}
}

func TestWantedSaysWhichTokenWouldDo(t *testing.T) {
	v := NewVerifier([]Key{secretKey("dev", secret), {ES256, "", nil}}, "", "")
	const want = `to subscribe to "room.*" send a token that has it in leat.subscribe, signed by the key "dev" (HS256) or a key of ES256: as Authorization: Bearer TOKEN`
	if got := v.Wanted(Subscribe, "room.*").Error(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	const none = `to publish to "a" needs a token, and there is no key here to check one with`
	if got := NewVerifier(nil, "", "").Wanted(Publish, "a").Error(); got != none {
		t.Errorf("%s\nwant %s", got, none)
	}
}

func TestAnyGoroutineMayVerify(t *testing.T) {
	v := NewVerifier([]Key{secretKey("", secret)}, "", "")
	token := hs256(`{"alg":"HS256"}`, good, secret)
	done := make(chan error)
	for range 8 {
		go func() {
			_, err := v.Verify(token, now)
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// FuzzToken takes a text as a token, and as the claims and the header of one that
// is well signed. A grant comes only of what is whole.
func FuzzToken(f *testing.F) {
	f.Add(`{"alg":"HS256"}`, good)
	f.Add(`{"alg":"none"}`, `null`)
	f.Add(`{"alg":"HS256","kid":"a"}`, `{"exp":1e400,"leat":{"subscribe":[[]]}}`)
	f.Add(`{"alg":"ES256"}`, `{"exp":1796130000,"nbf":-0,"aud":[1],"leat":{"publish":["a..b"]}}`)
	f.Add(`a.b`, `..`)
	v := NewVerifier([]Key{secretKey("a", secret), {ES256, "", newES256().Public()}, {EdDSA, "", newEdDSA().Public()}}, "", "")
	f.Fuzz(func(t *testing.T, header, claims string) {
		for _, token := range []string{header, header + "." + claims, hs256(header, claims, secret)} {
			g, err := v.Verify(token, now)
			if (g == nil) == (err == nil) {
				t.Fatalf("%q: %v and %v", token, g, err)
			}
			if err != nil && (strings.ContainsAny(err.Error(), "\r\n") || len(err.Error()) > 2048) {
				t.Fatalf("%q: an error that cannot be printed: %q", token, err)
			}
			if g == nil {
				continue
			}
			for _, p := range append(g.Subscribe, g.Publish...) {
				if pattern.Check(p) != nil {
					t.Fatalf("%q: a grant of %q", token, p)
				}
			}
			parsed, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return []byte(secret), nil },
				jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(), jwt.WithTimeFunc(func() time.Time { return now }), jwt.WithLeeway(leeway))
			if err != nil || !parsed.Valid {
				t.Fatalf("%q: accepted here, and %v elsewhere", token, err)
			}
		}
	})
}
