package access

import (
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

func TestATokenSaysWhatItsGrantDoes(t *testing.T) {
	t.Setenv("LEAT_SECRET", secret)
	s := must(LoadSigner(Source{Algorithm: HS256, ID: "dev", Env: "LEAT_SECRET"}))
	s.Issuer, s.Audience = "https://id.example", "leat"
	token := must(s.Sign(&Grant{Subject: "ada", Subscribe: []string{"room.*"}, Expires: now.Add(time.Hour)}, now))
	parts := strings.Split(token, ".")
	for i, want := range []string{
		`{"alg":"HS256","kid":"dev","typ":"JWT"}`,
		`{"aud":"leat","exp":1796130000,"iat":1796126400,"iss":"https://id.example","leat":{"subscribe":["room.*"]},"sub":"ada"}`,
	} {
		if got := string(must(base64.RawURLEncoding.DecodeString(parts[i]))); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	v := NewVerifier(must(LoadKeys([]Source{{Algorithm: HS256, ID: "dev", Env: "LEAT_SECRET"}})), s.Issuer, s.Audience)
	if _, err := v.Verify(token, now); err != nil {
		t.Error(err)
	}
}

func TestNoTokenIsMadeThatWouldBeRefused(t *testing.T) {
	t.Setenv("LEAT_SECRET", secret)
	s := must(LoadSigner(Source{Algorithm: HS256, Env: "LEAT_SECRET"}))
	for _, c := range []struct {
		grant Grant
		want  string
	}{
		{Grant{Subscribe: []string{"a..b"}}, `"a..b" has an empty token`},
		{Grant{Publish: []string{"a", "b*"}}, `"b*": * and > stand for whole tokens`},
		{Grant{Subscribe: []string{"a"}, Subject: strings.Repeat("x", MaxToken)}, "bytes; it may have 8192: name fewer patterns"},
	} {
		if token, err := s.Sign(&c.grant, now); err == nil || token != "" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

func TestWhatCannotSignSaysSo(t *testing.T) {
	es := newES256()
	for _, c := range []struct {
		source Source
		want   string
	}{
		{Source{File: in(t, publicPEM(es))}, "this is a public key, which checks tokens; making them needs the private key"},
		{Source{File: in(t, certificatePEM(es))}, "this is a certificate, which checks tokens; making them needs the private key"},
		{Source{File: in(t, asPEM("ENCRYPTED PRIVATE KEY", nil))}, "the private key is encrypted; openssl pkey -in FILE writes it without a passphrase"},
		{Source{File: in(t, asPEM("PRIVATE KEY", nil))}, "the private key cannot be read: asn1"},
		{Source{File: in(t, asPEM("DH PARAMETERS", nil))}, `PEM of "DH PARAMETERS" is no private key`},
		{Source{Algorithm: EdDSA, File: in(t, privatePEM(es))}, "the key is of ES256, not of EdDSA"},
		{Source{Env: "LEAT_NOT_SET"}, "the key in $LEAT_NOT_SET: it is not set in the environment, or empty"},
	} {
		if _, err := LoadSigner(c.source); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v\nwant %s", err, c.want)
		}
	}
	for what, text := range map[string]string{
		"as openssl ecparam has it": asPEM("EC PARAMETERS", nil) + asPEM("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(es))),
		"as openssl genpkey has it": privatePEM(es),
	} {
		if s, err := LoadSigner(Source{File: in(t, text)}); err != nil || s.Algorithm != ES256 {
			t.Errorf("%s: %v", what, err)
		}
	}
}
