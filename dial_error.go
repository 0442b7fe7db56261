package leat

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A DialError says why Dial has opened no socket.
type DialError struct {
	// URL is what was dialed, without user, password and query.
	URL string
	// Status is that of the answer, or of a proxy that refused the way; 0 when
	// none came.
	Status int
	// Header is that answer's.
	Header http.Header
	// Body is its beginning, at most 4 KiB.
	Body []byte
	// Err says what went wrong, and what would be right.
	Err error
}

// Error gives the URL and Err.
func (e *DialError) Error() string {
	if e.URL == "" {
		return "leat: dial: " + e.Err.Error()
	}
	return "leat: dial " + e.URL + ": " + e.Err.Error()
}

// Unwrap gives Err.
func (e *DialError) Unwrap() error { return e.Err }

// dialError is err as Dial answers it.
func dialError(where string, err error) error {
	var e *DialError
	if !errors.As(err, &e) {
		e = &DialError{Err: err}
	}
	e.URL = where
	return e
}

// refusal is the error of an answer that agrees to nothing.
func refusal(resp *http.Response, body []byte) error {
	text := fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	if hint := refusalHint(resp); hint != "" {
		text += "; " + hint
	}
	if line := firstLine(body); line != "" {
		text += fmt.Sprintf("; it says %q", line)
	}
	return &DialError{Status: resp.StatusCode, Header: resp.Header, Body: body, Err: fmt.Errorf("the answer is %s", text)}
}

// refusalHint says what would be right.
func refusalHint(resp *http.Response) string {
	field := resp.Header.Get
	switch code := resp.StatusCode; {
	case code/100 == 2:
		return "no WebSocket is at this URL"
	case code/100 == 3 && field("Location") != "":
		return "redirects are not followed: dial " + location(resp)
	case code == http.StatusUnauthorized:
		return fmt.Sprintf("it wants an Authorization (%q)", field("Www-Authenticate"))
	case code == http.StatusForbidden:
		return "this client or its Origin is not let in"
	case code == http.StatusProxyAuthRequired:
		return "it wants user and password in the proxy's URL"
	case code == http.StatusUpgradeRequired && field("Sec-Websocket-Version") != "":
		return fmt.Sprintf("it speaks version %q of WebSocket, and this is version 13", strings.Join(resp.Header.Values("Sec-Websocket-Version"), ", "))
	case field("Retry-After") != "":
		return fmt.Sprintf("try again after %q", field("Retry-After"))
	}
	return ""
}

// location is where a redirect leads, as Dial takes it.
func location(resp *http.Response) string {
	to, err := resp.Location()
	if err != nil {
		return fmt.Sprintf("%q", resp.Header.Get("Location"))
	}
	if scheme, ok := socketScheme[to.Scheme]; ok {
		to.Scheme = scheme
	}
	return fmt.Sprintf("%q", to.Redacted())
}

// firstLine is the first line of a text that a person may read, "" for pages
// and pictures.
func firstLine(body []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(body), []byte("\n"))
	line = bytes.TrimSpace(line)
	if len(line) > 200 || !utf8.Valid(line) || bytes.HasPrefix(line, []byte("<")) {
		return ""
	}
	if bytes.ContainsFunc(line, unicode.IsControl) {
		return ""
	}
	return string(line)
}
