package route

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// A Redirect sends the requests for one URL to another.
//
// From and To have the form
//
//	[http|https][://][host][:port][/path][?query][#hash]
//
// and any part may be missing. A request is redirected when it is equal in
// every part that From has. The parts that To has replace the request's; a
// request's path and query are kept when To has no path, and its query is
// dropped when To has one. The request's port is kept unless To says another,
// or names a scheme and with it the scheme's own port.
type Redirect struct {
	From, To string
	Status   int // 301, 302, 303, 307 or 308; 0 is 302
}

// Redirects is a table of redirects. Its methods may be called concurrently.
type Redirects struct {
	list []redirect
}

type redirect struct {
	from, to target
	status   int
}

// A target is a URL in parts. The has fields tell what is missing from what is
// empty.
type target struct {
	scheme, host, port string // host in lower case; an IPv6 address in brackets
	path               string // decoded
	query              string // raw
	hash               string // raw
	hasQuery, hasHash  bool
}

const defaultRedirect = 302

// CompileRedirects makes a table of redirects. Its error joins an [*Error] for
// each that is wrong.
func CompileRedirects(list []Redirect) (*Redirects, error) {
	t := &Redirects{list: make([]redirect, 0, len(list))}
	var errs []error
	for i, r := range list {
		fail := func(text, problem string) {
			errs = append(errs, &Error{Index: i, Text: text, Problem: problem})
		}
		from, err := parseTarget(r.From)
		if err != nil {
			fail(r.From, err.Error())
		}
		if from.hasHash {
			fail(r.From, "matches nothing, a client keeps what follows '#' to itself; leave it out")
		}
		to, err := parseTarget(r.To)
		switch {
		case err != nil:
			fail(r.To, err.Error())
		case to == target{}:
			fail(r.To, "redirects to nothing; give a URL or a part of one")
		}
		status := cmp.Or(r.Status, defaultRedirect)
		switch status {
		case 301, 302, 303, 307, 308:
		default:
			fail(strconv.Itoa(status), "is not a status of a redirect; use 301, 302, 303, 307 or 308")
		}
		t.list = append(t.list, redirect{from, to, status})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t, nil
}

// Find returns where the request goes, by the first redirect that matches and
// does not lead to the request itself. The scheme is http or https, host is
// the request's Host with or without a port, path is decoded and cleaned, and
// query is raw.
//
// The location has no scheme and no host where these stay as they are, which
// keeps it right behind a proxy. Whatever the arguments are, it holds no
// control character and no space, and its path starts with one slash. The
// status is 400 and the location empty when a location needs the request's
// host and that is not a host name.
func (t *Redirects) Find(scheme, host, path, query string) (location string, status int, ok bool) {
	if len(t.list) == 0 {
		return "", 0, false
	}
	request := target{scheme: scheme, path: path, query: query}
	request.host, request.port = splitHost(host)
	request.port = cmp.Or(request.port, schemePort(scheme))
	for i := range t.list {
		r := &t.list[i]
		if !r.from.matches(&request) {
			continue
		}
		to := r.to.over(&request)
		if to.same(&request) {
			continue
		}
		location, ok := to.location(&request)
		if !ok {
			return "", 400, true
		}
		return location, r.status, true
	}
	return "", 0, false
}

func (t *target) matches(request *target) bool {
	return (t.scheme == "" || t.scheme == request.scheme) &&
		(t.host == "" || t.host == request.host) &&
		(t.port == "" || t.port == request.port) &&
		(t.path == "" || t.path == request.path) &&
		(!t.hasQuery || t.query == request.query)
}

// over returns request with the parts that t has.
func (t *target) over(request *target) target {
	to := *request
	to.scheme = cmp.Or(t.scheme, request.scheme)
	to.host = cmp.Or(t.host, request.host)
	switch {
	case t.port != "":
		to.port = t.port
	case t.scheme != "" && (t.host != "" || t.scheme != request.scheme):
		to.port = schemePort(t.scheme)
	}
	if t.path != "" {
		to.path, to.query = t.path, ""
	}
	if t.hasQuery {
		to.query = t.query
	}
	to.hash, to.hasHash = t.hash, t.hasHash
	return to
}

func (t *target) same(request *target) bool {
	return t.sameOrigin(request) && t.path == request.path && t.query == request.query
}

func (t *target) sameOrigin(request *target) bool {
	return t.scheme == request.scheme && t.host == request.host && t.port == request.port
}

func (t *target) location(request *target) (string, bool) {
	var b strings.Builder
	if !t.sameOrigin(request) {
		if !isHost(t.host) || !isPort(t.port) {
			return "", false
		}
		b.WriteString(t.scheme + "://" + t.host)
		if t.port != schemePort(t.scheme) {
			b.WriteString(":" + t.port)
		}
	}
	// Two slashes at the start, or a slash and a backslash, would name a host.
	path := url.URL{Path: "/" + strings.TrimLeft(t.path, `/\`)}
	b.WriteString(path.EscapedPath())
	if t.query != "" {
		b.WriteString("?" + EscapeQuery(t.query))
	}
	if t.hasHash {
		b.WriteString("#" + EscapeQuery(t.hash))
	}
	return b.String(), true
}

// EscapeQuery escapes the bytes of a raw query or fragment that cannot stand in
// one (RFC 3986, 3.4) or would end it. What is escaped already stays so.
func EscapeQuery(raw string) string {
	const hex = "0123456789ABCDEF"
	bad := func(c byte) bool {
		return c <= ' ' || c >= 0x7f || strings.IndexByte("\"#<>\\^`{|}", c) >= 0
	}
	var b strings.Builder
	for i := range len(raw) {
		if c := raw[i]; bad(c) {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func parseTarget(text string) (target, error) {
	var t target
	rest, hash, hasHash := strings.Cut(text, "#")
	rest, query, hasQuery := strings.Cut(rest, "?")
	t.hash, t.hasHash, t.query, t.hasQuery = hash, hasHash, query, hasQuery

	rest = t.cutScheme(rest)
	authority := rest
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority = rest[:i]
		path, err := url.PathUnescape(rest[i:])
		if err != nil {
			return t, errors.New("has a '%' that is no escape; write %25 for the character")
		}
		clean, ok := Clean(path)
		if !ok {
			return t, errors.New("has a path above the root")
		}
		t.path = clean
	}
	t.host, t.port = splitHost(authority)
	if t.host != "" && !isHost(t.host) {
		return t, fmt.Errorf("has %q in the place of a host; a path starts with '/'", t.host)
	}
	if strings.HasSuffix(authority, ":") || t.port != "" && !isPort(t.port) {
		return t, errors.New("has no port between 1 and 65535 after the ':'")
	}
	return t, nil
}

// cutScheme takes the scheme off text, with the "://" that may follow it or
// stand without one.
func (t *target) cutScheme(text string) string {
	for _, scheme := range []string{"https", "http"} {
		if len(text) < len(scheme) || !strings.EqualFold(text[:len(scheme)], scheme) {
			continue
		}
		if rest := text[len(scheme):]; rest == "" || rest[0] == ':' || rest[0] == '/' {
			t.scheme, text = scheme, rest
			break
		}
	}
	text = strings.TrimPrefix(text, "://")
	return strings.TrimPrefix(text, "//")
}

// splitHost cuts host:port. The port is empty when there is none.
func splitHost(host string) (name, port string) {
	host = strings.ToLower(host)
	colon := strings.LastIndexByte(host, ':')
	if colon < 0 || colon < strings.LastIndexByte(host, ']') {
		return host, ""
	}
	return host[:colon], host[colon+1:]
}

func schemePort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

func isPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && port[0] != '+'
}

// isHost says whether host may stand in a URL: a name of letters, digits,
// dots, hyphens and underscores, or an IPv6 address in brackets.
func isHost(host string) bool {
	more := ".-_"
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host, more = host[1:len(host)-1], ":."
	}
	for i := range len(host) {
		c := host[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte(more, c) < 0 {
			return false
		}
	}
	return host != ""
}
