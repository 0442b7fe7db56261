package ws

import (
	"fmt"
	"strings"
)

// OriginAllowed says whether a request with these Origin lines may open a
// WebSocket (RFC 6455, 10.2). None at all may: it is no browser. Otherwise the
// origin's host and port must be those of the request's Host (the scheme may
// differ, since TLS may end before the server), or one of the patterns must match:
//
//	https://app.example.com      this origin
//	https://*.example.com        every name below example.com, but not itself
//	http://localhost:*           any port
//	app.example.com              any scheme
//	null                         the origin of sandboxed frames and local files
//	*                            every origin
func OriginAllowed(lines []string, host string, patterns []string) bool {
	if len(lines) == 0 {
		return true
	}
	if len(lines) > 1 {
		return false
	}
	text := strings.ToLower(trim(lines[0]))
	o, ok := parseOrigin(text)
	if ok && o.scheme != "" && o.sameHost(strings.ToLower(host)) {
		return true
	}
	for _, p := range patterns {
		if p == "*" || p == "null" && text == "null" {
			return true
		}
		if want, good := parseOrigin(strings.ToLower(p)); good && ok && want.matches(o) {
			return true
		}
	}
	return false
}

// CheckOriginPattern says what is wrong with a pattern of OriginAllowed.
func CheckOriginPattern(p string) error {
	if p == "*" || p == "null" {
		return nil
	}
	o, ok := parseOrigin(strings.ToLower(p))
	if !ok {
		return fmt.Errorf("%q is not an origin; write scheme, host and port, like https://app.example.com:8443", p)
	}
	if strings.Contains(strings.TrimPrefix(o.host, "*."), "*") && o.host != "*" {
		return fmt.Errorf("%q has a wildcard inside a name; only whole names may vary, like https://*.example.com", p)
	}
	return nil
}

// An origin is one in parts, in lower case. As a pattern it may lack a scheme.
type origin struct{ scheme, host, port string }

// parseOrigin takes [scheme "://"] host [":" port] and nothing else.
func parseOrigin(s string) (o origin, ok bool) {
	rest := s
	if scheme, after, found := strings.Cut(s, "://"); found {
		if !isToken(scheme) {
			return o, false
		}
		o.scheme, rest = scheme, after
	}
	o.host, o.port = splitPort(rest)
	if o.host == "" || strings.ContainsAny(o.host, "/\\@?#%, \t") || strings.HasSuffix(rest, ":") {
		return o, false
	}
	if strings.Contains(o.host, ":") != strings.HasPrefix(o.host, "[") || strings.HasPrefix(o.host, "[") != strings.HasSuffix(o.host, "]") {
		return o, false
	}
	return o, o.port == "*" || strings.Trim(o.port, "0123456789") == ""
}

// splitPort parts "host:port" and "[host]:port".
func splitPort(s string) (host, port string) {
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// withPort is the port p, or the scheme's own when there is none.
func (o origin) withPort(p string) string {
	if p != "" {
		return p
	}
	switch o.scheme {
	case "http", "ws":
		return "80"
	case "https", "wss":
		return "443"
	}
	return ""
}

func (o origin) sameHost(host string) bool {
	name, port := splitPort(host)
	return o.host == name && o.withPort(o.port) == o.withPort(port)
}

// matches reads o as a pattern that the other is to match.
func (o origin) matches(other origin) bool {
	if other.scheme == "" || o.scheme != "" && o.scheme != other.scheme {
		return false
	}
	if o.port != "*" && other.withPort(o.port) != other.withPort(other.port) {
		return false
	}
	if under, wild := strings.CutPrefix(o.host, "*"); wild {
		return len(other.host) > len(under) && strings.HasSuffix(other.host, under)
	}
	return o.host == other.host
}
