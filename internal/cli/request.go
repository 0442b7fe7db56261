package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// requestFlags are what can be said about the request that opens a connection.
type requestFlags struct {
	header    headerFlag
	insecure  bool
	protocols listFlag
}

func (f *requestFlags) define(fs *flag.FlagSet) {
	f.defineRequest(fs)
	fs.Var(&f.protocols, "subprotocol", "a `NAME` to offer; may be given again, best first")
}

// defineRequest leaves out what only WebSockets have.
func (f *requestFlags) defineRequest(fs *flag.FlagSet) {
	f.header = headerFlag{}
	fs.Var(f.header, "header", "a `LINE` for the request, as 'Origin: https://example.com'; may be given again")
	fs.BoolVar(&f.insecure, "insecure", false, "accept any certificate")
}

// tls is nil where certificates must be good.
func (f *requestFlags) tls() *tls.Config {
	if !f.insecure {
		return nil
	}
	return &tls.Config{InsecureSkipVerify: true}
}

// hint says which flag, or what else, would help.
func (f *requestFlags) hint(err error) string {
	asked := func(name string) bool { return http.Header(f.header).Get(name) != "" }
	switch code := status(err); {
	case errors.As(err, new(x509.UnknownAuthorityError)), errors.As(err, new(x509.HostnameError)),
		errors.As(err, new(x509.CertificateInvalidError)):
		return "; --insecure accepts any certificate"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "; nothing listens there"
	case code == http.StatusUnauthorized && !asked("Authorization"):
		return "; --header 'Authorization: ...' sends one"
	case code == http.StatusForbidden && !asked("Origin"):
		return "; --header 'Origin: https://...' sends one"
	}
	return ""
}

// socketURL makes of what people write the URL of a WebSocket.
func socketURL(s string) string {
	scheme, rest, found := cutScheme(s)
	switch {
	case !found:
		return "ws://" + rest
	case strings.EqualFold(scheme, "http"):
		return "ws://" + rest
	case strings.EqualFold(scheme, "https"):
		return "wss://" + rest
	}
	return s
}

// cutScheme cuts the scheme off a URL as people write it. Without one the rest
// begins with a host, which is this one where there is but a port.
func cutScheme(s string) (scheme, rest string, found bool) {
	scheme, rest, found = strings.Cut(s, "://")
	if found && !strings.ContainsAny(scheme, "/?#") { // else the :// is not that of a scheme
		return scheme, rest, true
	}
	if strings.HasPrefix(s, ":") {
		s = "localhost" + s
	}
	return "", strings.TrimPrefix(s, "//"), false
}

// withoutPassword is a URL as it may be shown.
func withoutPassword(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "" // it could hold one
	}
	return visible(u.Redacted())
}

// A headerFlag collects the fields of a request's header.
type headerFlag http.Header

func (h headerFlag) String() string { return "" }

func (h headerFlag) Set(line string) error {
	name, value, ok := strings.Cut(line, ":")
	switch name = strings.TrimSpace(name); {
	case !ok || name == "":
		return errors.New("write it as 'Name: value'")
	case strings.EqualFold(name, "Sec-WebSocket-Protocol"):
		return errors.New("write --subprotocol NAME")
	}
	http.Header(h).Add(name, strings.TrimSpace(value))
	return nil
}

// A durationFlag is a time that is not negative.
type durationFlag time.Duration

func (d *durationFlag) String() string { return time.Duration(*d).String() }

func (d *durationFlag) Set(text string) error {
	v, err := time.ParseDuration(text)
	if err != nil || v < 0 {
		return errors.New("write a time as 500ms, 10s or 1m30s")
	}
	*d = durationFlag(v)
	return nil
}

// A sizeFlag is a number of bytes, written as the sizes of web.json5 are.
type sizeFlag int64

func (s *sizeFlag) String() string { return strconv.FormatInt(int64(*s), 10) }

func (s *sizeFlag) Set(text string) error {
	wrong := errors.New("write a size as 64, 1KB or 1MB")
	m := sizeSyntax.FindStringSubmatch(strings.ToLower(strings.TrimSpace(text)))
	if m == nil {
		return wrong
	}
	v, err := strconv.ParseFloat(m[1], 64)
	unit, known := map[string]float64{
		"": 1, "byte": 1, "bytes": 1, "k": 1 << 10, "kb": 1 << 10, "m": 1 << 20, "mb": 1 << 20, "g": 1 << 30, "gb": 1 << 30,
	}[m[2]]
	if v *= unit; err != nil || !known || v != math.Trunc(v) || v >= 1<<53 {
		return wrong
	}
	*s = sizeFlag(v)
	return nil
}

var sizeSyntax = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([a-z]*)$`)

// split cuts values that are lists themselves.
func (l listFlag) split() []string {
	return strings.FieldsFunc(strings.Join(l, ","), func(r rune) bool { return r == ',' || r == ' ' })
}
