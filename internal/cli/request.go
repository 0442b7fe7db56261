package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/leat-dev/leat"
)

// requestFlags are what can be said about the request that opens a connection.
type requestFlags struct {
	header    headerFlag
	insecure  bool
	protocols listFlag
}

func (f *requestFlags) define(fs *flag.FlagSet) {
	f.header = headerFlag{}
	fs.Var(f.header, "header", "a `LINE` for the request, as 'Origin: https://example.com'; may be given again")
	fs.BoolVar(&f.insecure, "insecure", false, "accept any certificate")
	fs.Var(&f.protocols, "subprotocol", "a `NAME` to offer; may be given again, best first")
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
	var refused *leat.DialError
	errors.As(err, &refused)
	asked := func(name string) bool { return http.Header(f.header).Get(name) != "" }
	switch {
	case errors.As(err, new(x509.UnknownAuthorityError)), errors.As(err, new(x509.HostnameError)),
		errors.As(err, new(x509.CertificateInvalidError)):
		return "; --insecure accepts any certificate"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "; nothing listens there"
	case refused == nil:
		return ""
	case refused.Status == http.StatusUnauthorized && !asked("Authorization"):
		return "; --header 'Authorization: ...' sends one"
	case refused.Status == http.StatusForbidden && !asked("Origin"):
		return "; --header 'Origin: https://...' sends one"
	}
	return ""
}

// socketURL makes of what people write the URL of a WebSocket.
func socketURL(s string) string {
	scheme, rest, found := strings.Cut(s, "://")
	switch {
	case !found || strings.ContainsAny(scheme, "/?#"): // the :// is not that of a scheme
		if strings.HasPrefix(s, ":") {
			s = "localhost" + s
		}
		return "ws://" + strings.TrimPrefix(s, "//")
	case strings.EqualFold(scheme, "http"):
		return "ws://" + rest
	case strings.EqualFold(scheme, "https"):
		return "wss://" + rest
	}
	return s
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

// split cuts values that are lists themselves.
func (l listFlag) split() []string {
	return strings.FieldsFunc(strings.Join(l, ","), func(r rune) bool { return r == ',' || r == ' ' })
}
