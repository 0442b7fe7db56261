package ws

import (
	"crypto/sha1" // for RFC 6455, 1.3; nothing secret hangs on it
	"encoding/base64"
	"strings"
)

// A Field is one header field of a handshake.
type Field struct{ Name, Value string }

// guid is what RFC 6455, 1.3, appends to a key.
const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// AcceptKey is the Sec-WebSocket-Accept that answers a Sec-WebSocket-Key
// (RFC 6455, 4.2.2).
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + guid))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// NewKey is the Sec-WebSocket-Key that these random bytes make.
func NewKey(random [16]byte) string { return base64.StdEncoding.EncodeToString(random[:]) }

// goodKey says whether a key is base64 of exactly 16 bytes. The unused bits of
// its last character do not matter: they are set in the RFC's own example (4.1).
func goodKey(key string) bool {
	if len(key) != 24 {
		return false
	}
	b, err := base64.StdEncoding.DecodeString(key)
	return err == nil && len(b) == 16
}

// list returns the elements of a header that is a list, from all its lines,
// empty ones left out (RFC 9110, 5.6.1).
func list(lines []string) []string {
	var all []string
	for _, line := range lines {
		for e := range strings.SplitSeq(line, ",") {
			if e = trim(e); e != "" {
				all = append(all, e)
			}
		}
	}
	return all
}

// hasToken says whether a list holds the token, in whatever case.
func hasToken(lines []string, token string) bool {
	for _, e := range list(lines) {
		if strings.EqualFold(e, token) {
			return true
		}
	}
	return false
}

func trim(s string) string { return strings.Trim(s, " \t") }

// isToken says whether s is a token (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		if !tokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func tokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
