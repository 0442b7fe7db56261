package access

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Algorithms that a key can be of (RFC 7518, 3.1; RFC 8037). A token is accepted
// only with the one that its key is of.
const (
	HS256 = "HS256" // a secret that who makes tokens and who checks them share
	RS256 = "RS256" // RSA
	ES256 = "ES256" // an elliptic curve: P-256
	EdDSA = "EdDSA" // Ed25519
)

// Algorithms returns the names of all algorithms.
func Algorithms() []string { return []string{HS256, RS256, ES256, EdDSA} }

// What a key must have at least: as much as its hash (RFC 7518, 3.2) and what the
// same RFC wants of RSA (3.3).
const (
	leastSecret = 32   // bytes
	leastRSA    = 2048 // bits
)

// mostKey bounds the file that a key is read from.
const mostKey = 64 << 10

// A Source says where a key is to be read: from a file or from the environment.
type Source struct {
	// Algorithm may be left out where the key is PEM, which says what it is.
	Algorithm string
	// ID is the kid of the tokens that the key is for. A key without one is
	// tried for every token of its algorithm.
	ID   string
	File string // its path
	Env  string // the name of its variable
}

// A Key checks tokens.
type Key struct {
	Algorithm, ID string

	material any // what the algorithm checks with: a secret or a public key
}

// String names the key as refusals do, without what is secret.
func (k Key) String() string {
	if k.ID == "" {
		return "a key of " + k.Algorithm
	}
	return fmt.Sprintf("the key %q (%s)", k.ID, k.Algorithm)
}

// LoadKeys reads the keys that check tokens: secrets, and public keys or
// certificates in PEM. A private key is refused, since who only checks tokens is
// safer without what makes them. All mistakes are told at once.
func LoadKeys(sources []Source) ([]Key, error) {
	keys := make([]Key, 0, len(sources))
	var wrong []error
	for i, s := range sources {
		if s.ID != "" && slices.ContainsFunc(sources[:i], func(other Source) bool { return other.ID == s.ID }) {
			wrong = append(wrong, fmt.Errorf("%s: another key has this id; give each its own", s.name(i)))
			continue
		}
		material, algorithm, err := s.load(publicKey)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", s.name(i), err))
			continue
		}
		keys = append(keys, Key{algorithm, s.ID, material})
	}
	if wrong != nil {
		return nil, errors.Join(wrong...)
	}
	return keys, nil
}

// name says which key of several a source is for.
func (s Source) name(i int) string {
	name := fmt.Sprintf("key %d", i+1)
	if s.ID != "" {
		name = fmt.Sprintf("key %q", s.ID)
	}
	return name + s.place()
}

func (s Source) place() string {
	switch {
	case s.File != "" && s.Env == "":
		return " in " + s.File
	case s.Env != "" && s.File == "":
		return " in $" + s.Env
	default:
		return ""
	}
}

// load returns a secret, or what of picks of the key in PEM.
func (s Source) load(of func(*pem.Block) (any, error)) (material any, algorithm string, err error) {
	if s.Algorithm != "" && !slices.Contains(Algorithms(), s.Algorithm) {
		return nil, "", fmt.Errorf("%q is no algorithm; write %s", s.Algorithm, strings.Join(Algorithms(), ", "))
	}
	text, err := s.read()
	if err != nil {
		return nil, "", err
	}
	isPEM := strings.Contains(text, "-----BEGIN ")
	switch {
	case s.Algorithm == HS256 && isPEM:
		return nil, "", errors.New("HS256 is of a secret, and this is a key in PEM; write the algorithm of the key: RS256, ES256 or EdDSA")
	case s.Algorithm == HS256:
		if len(text) < leastSecret {
			return nil, "", fmt.Errorf("the secret has %d bytes; it needs %d: leat token --new-secret makes one", len(text), leastSecret)
		}
		return []byte(text), HS256, nil
	case !isPEM && s.Algorithm == "":
		return nil, "", errors.New("this is no key in PEM; a secret needs the algorithm HS256")
	case !isPEM:
		return nil, "", fmt.Errorf("this is no key in PEM, as %s needs; it begins with -----BEGIN", s.Algorithm)
	}
	material, err = onlyKey(text, of)
	if err != nil {
		return nil, "", err
	}
	algorithm, err = algorithmOf(material)
	if err != nil {
		return nil, "", err
	}
	if s.Algorithm != "" && s.Algorithm != algorithm {
		return nil, "", fmt.Errorf("the key is of %s, not of %s", algorithm, s.Algorithm)
	}
	return material, algorithm, nil
}

// read returns the text of the key, without the end of its last line.
func (s Source) read() (string, error) {
	switch {
	case s.File != "" && s.Env != "":
		return "", errors.New("name a file or an environment variable, not both")
	case s.File != "":
		return readFile(s.File)
	case s.Env != "":
		text, ok := os.LookupEnv(s.Env)
		if !ok || text == "" {
			return "", errors.New("it is not set in the environment, or empty")
		}
		if strings.HasPrefix(text, "-----BEGIN ") && !strings.Contains(text, "\n") {
			text = strings.ReplaceAll(text, `\n`, "\n") // what cannot have lines has this in their place
		}
		return trimLine(text), nil
	default:
		return "", errors.New("name the file or the environment variable that has it")
	}
}

func readFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", reason(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, mostKey+1))
	switch {
	case err != nil:
		return "", reason(err)
	case len(b) > mostKey:
		return "", fmt.Errorf("the file has more than %d bytes; it is no key", mostKey)
	}
	return trimLine(string(b)), nil
}

// reason is err without the file's name, which stands before it already.
func reason(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}

func trimLine(s string) string { return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r") }

// onlyKey returns what of makes of the one key in a PEM text. Of a chain of
// certificates it is the first: whose the key is.
func onlyKey(text string, of func(*pem.Block) (any, error)) (any, error) {
	var found any
	chain := false
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "EC PARAMETERS" || chain && block.Type == "CERTIFICATE" {
			continue
		}
		key, err := of(block)
		if err != nil {
			return nil, err
		}
		if found != nil {
			return nil, errors.New("there is more than one key; write a file for each")
		}
		found, chain = key, block.Type == "CERTIFICATE"
	}
	if found == nil {
		return nil, errors.New("the PEM is damaged; it is from -----BEGIN to -----END, with lines of base64 between")
	}
	return found, nil
}

// publicKey returns the public key of a block.
func publicKey(block *pem.Block) (key any, err error) {
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = c.PublicKey
		}
	default:
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return nil, errors.New("this is a private key; checking tokens needs the public one alone: openssl pkey -in FILE -pubout")
		}
		return nil, fmt.Errorf("PEM of %q is no key; write a public key or a certificate", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("the %s cannot be read: %w", strings.ToLower(block.Type), err)
	}
	return key, nil
}

// algorithmOf returns what a key of this kind is for.
func algorithmOf(key any) (string, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return algorithmOfRSA(k)
	case *rsa.PrivateKey:
		return algorithmOfRSA(&k.PublicKey)
	case *ecdsa.PublicKey:
		return algorithmOfCurve(k)
	case *ecdsa.PrivateKey:
		return algorithmOfCurve(&k.PublicKey)
	case ed25519.PublicKey, ed25519.PrivateKey:
		return EdDSA, nil
	default:
		return "", fmt.Errorf("a key of %T is of no use here; write RSA, P-256 or Ed25519", key)
	}
}

func algorithmOfRSA(k *rsa.PublicKey) (string, error) {
	if bits := k.N.BitLen(); bits < leastRSA {
		return "", fmt.Errorf("the RSA key has %d bits; it needs %d", bits, leastRSA)
	}
	return RS256, nil
}

func algorithmOfCurve(k *ecdsa.PublicKey) (string, error) {
	if k.Curve != elliptic.P256() {
		return "", fmt.Errorf("the key's curve is %s; ES256 is of P-256 (prime256v1)", k.Curve.Params().Name)
	}
	return ES256, nil
}
