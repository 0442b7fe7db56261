package access

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// CookieName is the name of the cookie that has a token.
const CookieName = "leat-token"

// SubprotocolPrefix is what stands before a token that comes as a WebSocket
// subprotocol: browsers let a page set nothing else of a handshake.
const SubprotocolPrefix = "leat.token."

// MaxCookieToken is the length of the longest token that browsers keep in a
// cookie: 4096 bytes with its name (RFC 6265, 6.1).
const MaxCookieToken = 4096 - len(CookieName)

// Where says where in a request a token was.
type Where string

// Where a token can be. Nowhere is without one.
const (
	Nowhere       Where = ""
	Authorization Where = "Authorization"
	Subprotocol   Where = "Sec-WebSocket-Protocol"
	Cookies       Where = "Cookie"
)

// FromRequest returns the first token of a request: of Authorization, of the
// subprotocols, of the cookie, which comes by itself and may be that of another
// topic's ticket. It is yet to be verified. Authorization of another
// scheme than Bearer is somebody else's; one that is no credentials is an error,
// and so is a bearer without a token: who sends that means something by it.
func FromRequest(r *http.Request) (token string, from Where, err error) {
	switch values := r.Header.Values("Authorization"); len(values) {
	case 0:
	case 1:
		if token, err = bearer(values[0]); token != "" || err != nil {
			return token, Authorization, err
		}
	default:
		return "", Authorization, errors.New("there is more than one Authorization; send one")
	}
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(line, ",") {
			if token, ok := strings.CutPrefix(strings.TrimSpace(name), SubprotocolPrefix); ok {
				if token == "" {
					return "", Subprotocol, errors.New("the subprotocol " + SubprotocolPrefix + " has no token behind it")
				}
				return token, Subprotocol, nil
			}
		}
	}
	if c, err := r.Cookie(CookieName); err == nil && c.Value != "" {
		return c.Value, Cookies, nil
	}
	return "", Nowhere, nil
}

// bearer returns the token of an Authorization (RFC 6750, 2.1), "" for another
// scheme.
func bearer(value string) (string, error) {
	scheme, token, ok := strings.Cut(strings.TrimSpace(value), " ")
	token = strings.TrimSpace(token)
	switch {
	case strings.EqualFold(scheme, "Bearer") && (token == "" || strings.ContainsAny(token, " \t,")), !ok:
		return "", errors.New("write Authorization: Bearer TOKEN")
	case !strings.EqualFold(scheme, "Bearer"):
		return "", nil
	}
	return token, nil
}

// Cookie returns what has a browser send a token again, and only to path and what
// is below it, for as long as the token is good. The path is the request's as it
// came, escaped (URL.EscapedPath). A grant that has ended removes the cookie.
func Cookie(token string, g *Grant, path string, secure bool, now time.Time) *http.Cookie {
	c := &http.Cookie{
		Name:     CookieName,
		Value:    token,
		Path:     cookiePath(path),
		MaxAge:   int(g.Expires.Sub(now) / time.Second),
		Secure:   secure,
		HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
	}
	if c.MaxAge <= 0 {
		c.Value, c.MaxAge = "", -1
	}
	return c
}

// cookiePath is path, or its folder where the path has what a cookie's cannot
// have (RFC 6265, 4.1.1).
func cookiePath(path string) string {
	bad := strings.IndexFunc(path, func(r rune) bool { return r < ' ' || r >= 0x7f || r == ';' })
	if bad >= 0 {
		path = path[:strings.LastIndexByte(path[:bad], '/')+1]
	}
	if !strings.HasPrefix(path, "/") {
		return "/"
	}
	return path
}
