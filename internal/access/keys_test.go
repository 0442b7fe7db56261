package access

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// An RSA key takes a while to find, so all tests share one.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// asPEM is bytes as PEM of a type.
func asPEM(kind string, b []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
}

func privatePEM(key any) string { return asPEM("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))) }

func publicPEM(key crypto.Signer) string {
	return asPEM("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(key.Public())))
}

func certificatePEM(key crypto.Signer) string {
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1, 0)} // its dates are nobody's business
	return asPEM("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)))
}

// in is a file with this text.
func in(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

const secret = "a secret of at least thirty-two bytes"

func newES256() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func newEdDSA() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return must(key, err)
}

func TestKeysAreSecretsPublicKeysOrCertificates(t *testing.T) {
	es, ed := newES256(), newEdDSA()
	t.Setenv("LEAT_SECRET", secret)
	t.Setenv("LEAT_PUBLIC", strings.TrimSpace(strings.ReplaceAll(publicPEM(es), "\n", `\n`)))
	for _, c := range []struct {
		what      string
		source    Source
		algorithm string
	}{
		{"a secret in the environment", Source{Algorithm: HS256, Env: "LEAT_SECRET"}, HS256},
		{"a secret in a file", Source{Algorithm: HS256, File: in(t, secret+"\n")}, HS256},
		{"RSA", Source{Algorithm: RS256, File: in(t, publicPEM(rsaKey()))}, RS256},
		{"RSA in its own form", Source{File: in(t, asPEM("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey)))}, RS256},
		{"P-256", Source{Algorithm: ES256, File: in(t, publicPEM(es))}, ES256},
		{"P-256 in the environment, on one line", Source{Env: "LEAT_PUBLIC"}, ES256},
		{"Ed25519", Source{Algorithm: EdDSA, File: in(t, publicPEM(ed))}, EdDSA},
		{"a certificate", Source{Algorithm: ES256, File: in(t, certificatePEM(es))}, ES256},
		{"a chain of certificates", Source{File: in(t, certificatePEM(es)+certificatePEM(ed))}, ES256},
		{"text around it", Source{File: in(t, "subject=me\r\n"+publicPEM(ed)+"bye")}, EdDSA},
	} {
		c.source.ID = "k"
		keys, err := LoadKeys([]Source{c.source})
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if k := keys[0]; k.Algorithm != c.algorithm || k.ID != "k" || k.material == nil {
			t.Errorf("%s: %v", c.what, k)
		}
	}
	keys := must(LoadKeys([]Source{{Algorithm: HS256, File: in(t, secret+"\r\n")}}))
	if got := keys[0].material.([]byte); string(got) != secret {
		t.Errorf("the secret is %q: the end of a line belongs to the file", got)
	}
}

func TestAKeyThatIsNoneSaysWhichAndWhatWouldBeRight(t *testing.T) {
	es := newES256()
	small := asPEM("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537})))
	t.Setenv("LEAT_EMPTY", "")
	t.Setenv("LEAT_SHORT", "short")
	for _, c := range []struct {
		what   string
		source Source
		want   string
	}{
		{"nothing", Source{Algorithm: HS256}, "key 1: name the file or the environment variable that has it"},
		{"both", Source{File: "a", Env: "B"}, "key 1: name a file or an environment variable, not both"},
		{"algorithm", Source{Algorithm: "HS512", Env: "LEAT_SHORT"}, `key 1 in $LEAT_SHORT: "HS512" is no algorithm; write HS256, RS256, ES256, EdDSA`},
		{"none", Source{Algorithm: "none", Env: "LEAT_SHORT"}, `key 1 in $LEAT_SHORT: "none" is no algorithm; write HS256, RS256, ES256, EdDSA`},
		{"not set", Source{ID: "dev", Env: "LEAT_NOT_SET"}, `key "dev" in $LEAT_NOT_SET: it is not set in the environment, or empty`},
		{"empty", Source{Env: "LEAT_EMPTY"}, `key 1 in $LEAT_EMPTY: it is not set in the environment, or empty`},
		{"no file", Source{ID: "dev", File: "nowhere.pem"}, `key "dev" in nowhere.pem: no such file or directory`},
		{"folder", Source{File: "."}, "key 1 in .: is a directory"},
		{"large", Source{File: in(t, strings.Repeat("a", mostKey+1))}, "the file has more than 65536 bytes; it is no key"},
		{"short", Source{Algorithm: HS256, Env: "LEAT_SHORT"}, "the secret has 5 bytes; it needs 32: leat token --new-secret makes one"},
		{"bare secret", Source{File: in(t, secret)}, "this is no key in PEM; a secret needs the algorithm HS256"},
		{"secret for RSA", Source{Algorithm: RS256, File: in(t, secret)}, "this is no key in PEM, as RS256 needs; it begins with -----BEGIN"},
		{"public key as a secret", Source{Algorithm: HS256, File: in(t, publicPEM(es))}, "HS256 is of a secret, and this is a key in PEM; write the algorithm of the key: RS256, ES256 or EdDSA"},
		{"private", Source{File: in(t, privatePEM(es))}, "this is a private key; checking tokens needs the public one alone: openssl pkey -in FILE -pubout"},
		{"private, as openssl ecparam has it", Source{File: in(t, asPEM("EC PARAMETERS", nil)+asPEM("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(es))))}, "this is a private key"},
		{"private behind public", Source{File: in(t, publicPEM(es)+privatePEM(es))}, "this is a private key"},
		{"private behind certificate", Source{File: in(t, certificatePEM(es)+privatePEM(es))}, "this is a private key"},
		{"two", Source{File: in(t, publicPEM(es)+publicPEM(newEdDSA()))}, "there is more than one key; write a file for each"},
		{"damaged", Source{File: in(t, publicPEM(es)[:80])}, "the PEM is damaged; it is from -----BEGIN to -----END, with lines of base64 between"},
		{"cut", Source{File: in(t, asPEM("PUBLIC KEY", []byte("abc")))}, "the public key cannot be read: asn1"},
		{"request", Source{File: in(t, asPEM("CERTIFICATE REQUEST", nil))}, `PEM of "CERTIFICATE REQUEST" is no key; write a public key or a certificate`},
		{"other algorithm", Source{Algorithm: EdDSA, File: in(t, publicPEM(es))}, "the key is of ES256, not of EdDSA"},
		{"other curve", Source{Algorithm: ES256, File: in(t, publicPEM(must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))))}, "the key's curve is P-384; ES256 is of P-256 (prime256v1)"},
		{"small RSA", Source{File: in(t, small)}, "the RSA key has 1024 bits; it needs 2048"},
	} {
		keys, err := LoadKeys([]Source{c.source})
		if err == nil || !strings.Contains(err.Error(), c.want) || keys != nil {
			t.Errorf("%s: %v\nwant %s", c.what, err, c.want)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v tells the secret", c.what, err)
		}
	}
}

func TestAllKeysThatAreWrongAreNamed(t *testing.T) {
	t.Setenv("LEAT_SECRET", secret)
	_, err := LoadKeys([]Source{
		{ID: "a", Algorithm: HS256, Env: "LEAT_SECRET"},
		{Algorithm: HS256, Env: "LEAT_NOT_SET"},
		{ID: "a", Algorithm: HS256, Env: "LEAT_SECRET"},
	})
	const want = "key 2 in $LEAT_NOT_SET: it is not set in the environment, or empty\n" +
		"key \"a\" in $LEAT_SECRET: another key has this id; give each its own"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}
