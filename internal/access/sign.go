package access

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/leat-dev/leat/internal/pattern"
)

// A Signer makes tokens.
type Signer struct {
	Algorithm, ID string

	// Issuer and Audience are put into the tokens, where they are not empty.
	Issuer, Audience string

	material any // what the algorithm signs with: a secret or a private key
}

// LoadSigner reads a secret, or a private key in PEM.
func LoadSigner(s Source) (*Signer, error) {
	material, algorithm, err := s.load(privateKey)
	if err != nil {
		return nil, fmt.Errorf("the key%s: %w", s.place(), err)
	}
	return &Signer{Algorithm: algorithm, ID: s.ID, material: material}, nil
}

// privateKey returns the private key of a block.
func privateKey(block *pem.Block) (key any, err error) {
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("the private key is encrypted; openssl pkey -in FILE writes it without a passphrase")
	case "PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE":
		return nil, fmt.Errorf("this is a %s, which checks tokens; making them needs the private key", strings.ToLower(block.Type))
	default:
		return nil, fmt.Errorf("PEM of %q is no private key", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("the %s cannot be read: %w", strings.ToLower(block.Type), err)
	}
	return key, nil
}

// Sign returns a token that says what g allows.
func (s *Signer) Sign(g *Grant, now time.Time) (string, error) {
	lists := map[string][]string{}
	for action, list := range map[string][]string{Subscribe: g.Subscribe, Publish: g.Publish} {
		for _, p := range list {
			if err := pattern.Check(p); err != nil {
				return "", err
			}
		}
		if len(list) > 0 {
			lists[action] = list
		}
	}
	claims := jwt.MapClaims{"iat": now.Unix(), "exp": g.Expires.Unix(), "leat": lists}
	for name, value := range map[string]string{"sub": g.Subject, "iss": s.Issuer, "aud": s.Audience} {
		if value != "" {
			claims[name] = value
		}
	}
	t := jwt.NewWithClaims(jwt.GetSigningMethod(s.Algorithm), claims)
	if s.ID != "" {
		t.Header["kid"] = s.ID
	}
	token, err := t.SignedString(s.material)
	switch {
	case err != nil:
		return "", err
	case len(token) > MaxToken:
		return "", fmt.Errorf("the token would have %d bytes; it may have %d: name fewer patterns", len(token), MaxToken)
	}
	return token, nil
}
