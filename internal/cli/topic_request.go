package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/leat-dev/leat"
)

// topicFlags are what can be said about the requests to a topic.
type topicFlags struct {
	requestFlags
	token string
}

const tokenVariable = "LEAT_TOKEN"

func (f *topicFlags) define(fs *flag.FlagSet) {
	f.defineRequest(fs)
	fs.StringVar(&f.token, "token", "", "the `TOKEN` that lets you in ($"+tokenVariable+")")
}

// settle judges the flags, and makes a header of the token.
func (f *topicFlags) settle() error {
	h := http.Header(f.header)
	for name, values := range h {
		for _, value := range values {
			if strings.ContainsFunc(name, unicode.IsSpace) || strings.ContainsFunc(value, unicode.IsControl) {
				return usageError{fmt.Errorf("--header %q: a header has no such characters", name+": "+value)}
			}
		}
	}
	token := f.token
	switch named := h.Get("Authorization") != ""; {
	case named && token != "":
		return usageError{errors.New("--token is an Authorization, and --header has one, too")}
	case named:
		return nil
	case token == "":
		token = os.Getenv(tokenVariable)
	}
	if token == "" {
		return nil
	}
	if strings.ContainsFunc(token, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return usageError{errors.New("the token has white space in it")}
	}
	h.Set("Authorization", "Bearer "+token)
	return nil
}

// client makes requests. It follows no redirects: they could lead the token
// elsewhere.
func (f *topicFlags) client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			TLSClientConfig:       f.tls(),
			ForceAttemptHTTP2:     true,
			DisableCompression:    true,
			ResponseHeaderTimeout: patience,
			IdleConnTimeout:       patience,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// fill puts the flags into a request.
func (f *topicFlags) fill(req *http.Request) {
	req.Header.Set("User-Agent", "leat/"+leat.Version)
	for name, values := range f.header {
		req.Header[name] = values
		if name == "Host" {
			req.Host = values[0]
		}
	}
}

// explain is an error of a request as it is told: without the URL, and with
// what would help.
func (f *topicFlags) explain(err error) string {
	hint := f.hint(err)
	if status(err) == http.StatusUnauthorized && hint != "" {
		hint = "; --token TOKEN sends one"
	} else if status(err) == http.StatusForbidden {
		hint = ""
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, leat.ErrGone) {
		return "the connection broke off"
	}
	return reason(err) + hint
}

// topicURL makes a URL of what people write. Those of WebSockets are said to be
// such, and begin with http all the same.
func topicURL(s string) (u *url.URL, socket bool, err error) {
	scheme, rest, found := cutScheme(s)
	switch {
	case !found:
		s = "http://" + rest
	case strings.EqualFold(scheme, "ws"):
		s, socket = "http://"+rest, true
	case strings.EqualFold(scheme, "wss"):
		s, socket = "https://"+rest, true
	}
	u, err = url.Parse(s)
	var bad *url.Error
	switch {
	case errors.As(err, &bad): // without the text, which may hold a password
		return nil, false, usageError{fmt.Errorf("the URL is wrong: %w", bad.Err)}
	case err != nil:
		return nil, false, usageError{err}
	case u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, false, usageError{errors.New("the URL must name a host and begin with http://, https://, ws:// or wss://")}
	case strings.Contains(s, "#"):
		return nil, false, usageError{errors.New("the URL has a fragment, which is not sent; write # as %23")}
	}
	return u, socket, nil
}

// A topicRefusal is the error of an answer that is not what was asked for.
type topicRefusal struct {
	status int
	retry  time.Duration // the server's Retry-After
	text   string
}

func (e *topicRefusal) Error() string { return e.text }

// refused is the error of an answer, whose body it reads.
func refused(resp *http.Response, media string) error {
	return &topicRefusal{status: resp.StatusCode, retry: retryAfter(resp.Header), text: refusalText(resp, media)}
}

// longestRetry is how long a server may have its clients wait.
const longestRetry = time.Hour

// retryAfter reads the field (RFC 9110, 10.2.3); 0 is none.
func retryAfter(h http.Header) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(longestRetry/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(0, time.Until(at)), longestRetry)
}

// askedToWait is how long the server has said to wait, 0 where it has not.
func askedToWait(err error) time.Duration {
	var answer *topicRefusal
	var dialed *leat.DialError
	switch {
	case errors.As(err, &answer):
		return answer.retry
	case errors.As(err, &dialed):
		return retryAfter(dialed.Header)
	}
	return 0
}

// hopeless says whether another attempt would end like this one. Before the
// first that went well an unknown host is a mistake, afterwards a network that is
// away.
func hopeless(err error, begun bool) bool {
	switch code := status(err); {
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests:
		return false
	case code > 0:
		return code < http.StatusInternalServerError
	}
	var unknown *net.DNSError
	return errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(x509.UnknownAuthorityError)) ||
		errors.As(err, new(x509.HostnameError)) || errors.As(err, new(x509.CertificateInvalidError)) ||
		errors.As(err, new(tls.RecordHeaderError)) || errors.Is(err, http.ErrSchemeMismatch) ||
		!begun && errors.As(err, &unknown) && unknown.IsNotFound
}

// A backoff is how long to wait before another attempt: at random, so that a
// crowd does not come back at once, and longer from time to time.
type backoff struct {
	random func() float64 // below 1
	tries  int
}

const (
	firstPause   = 500 * time.Millisecond
	longestPause = 30 * time.Second
)

// next is how long to wait, beyond what the server has asked for.
func (b *backoff) next(asked time.Duration) time.Duration {
	most := longestPause
	if b.tries < 6 { // 16 s
		most = firstPause << b.tries
	}
	b.tries++
	return asked + time.Duration(b.random()*float64(most))
}

// again says when there is another attempt.
func again(in time.Duration) string { return "again in " + briefly(in) }

// briefly is a time in three digits.
func briefly(d time.Duration) string { return short(float64(d) / float64(time.Millisecond)) }

// drained reads what is left of a small answer, so that its connection serves
// again.
func drained(resp *http.Response) {
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10)) // or it is closed
	_ = resp.Body.Close()
}
