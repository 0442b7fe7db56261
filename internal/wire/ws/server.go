package ws

import (
	"fmt"
	"slices"
	"strings"
)

// A Request is what a server looks at in an opening handshake.
type Request struct {
	Method       string
	Major, Minor int    // of HTTP's version
	Host         string // as the request has it
	// Header answers every line of a field, by its canonical name.
	Header func(name string) []string
}

// A Policy is what a server grants. The zero value grants a plain WebSocket to
// pages of its own origin.
type Policy struct {
	// Protocols are the subprotocols, the best first.
	Protocols []string
	// RequireProtocol refuses who offers none of them.
	RequireProtocol bool
	// Origins are patterns of OriginAllowed, beside the server's own origin.
	Origins []string
	// Deflate is the compression that is wished for; nil: none.
	Deflate *Deflate
}

// An Answer is what a server says to an opening handshake.
type Answer struct {
	// Status is 101, or that of a refusal: 400, 403, 405 or 426.
	Status int
	// Text says why it is refused, and what would be right.
	Text string
	// Header holds the fields of the answer, the refusal's too.
	Header []Field
	// Protocol is the subprotocol; "" for none.
	Protocol string
	// Deflate is the compression agreed on; nil for none.
	Deflate *Deflate
}

// Decide answers an opening handshake by RFC 6455, 4.2.
func (p *Policy) Decide(r Request) Answer {
	if refusal := checkRequest(r); refusal.Status != 0 {
		return refusal
	}
	if !OriginAllowed(r.Header("Origin"), r.Host, p.Origins) {
		return refuse(403, "origin %q may not open a WebSocket here", strings.Join(r.Header("Origin"), ", "))
	}
	offered := list(r.Header("Sec-Websocket-Protocol"))
	if problem := checkProtocols(offered); problem != "" {
		return refuse(400, "Sec-WebSocket-Protocol %s", problem)
	}
	offers, ok := parseExtensions(r.Header("Sec-Websocket-Extensions"))
	if !ok {
		return refuse(400, "Sec-WebSocket-Extensions is not a list of extensions")
	}
	a := Answer{Status: 101, Header: []Field{
		{"Upgrade", "websocket"},
		{"Connection", "Upgrade"},
		{"Sec-WebSocket-Accept", AcceptKey(trim(r.Header("Sec-Websocket-Key")[0]))},
	}}
	for _, name := range p.Protocols {
		if slices.Contains(offered, name) {
			a.Protocol = name
			a.Header = append(a.Header, Field{"Sec-WebSocket-Protocol", name})
			break
		}
	}
	if a.Protocol == "" && p.RequireProtocol {
		return refuse(400, "the subprotocol must be one of: %s", strings.Join(p.Protocols, ", "))
	}
	if p.Deflate != nil {
		var value string
		if a.Deflate, value = acceptDeflate(offers, *p.Deflate); a.Deflate != nil {
			a.Header = append(a.Header, Field{"Sec-WebSocket-Extensions", value})
		}
	}
	return a
}

func refuse(status int, format string, args ...any) Answer {
	return Answer{Status: status, Text: fmt.Sprintf(format, args...)}
}

// checkRequest checks what every handshake has (RFC 6455, 4.2.1). A Status of 0
// says that it is one.
func checkRequest(r Request) Answer {
	keys, versions := r.Header("Sec-Websocket-Key"), list(r.Header("Sec-Websocket-Version"))
	switch {
	case r.Method != "GET":
		a := refuse(405, "a WebSocket is opened by GET")
		a.Header = []Field{{"Allow", "GET"}}
		return a
	case r.Major != 1 || r.Minor < 1:
		return refuse(400, "a WebSocket is opened by HTTP/1.1")
	case r.Host == "":
		return refuse(400, "the request has no Host")
	case !hasToken(r.Header("Upgrade"), "websocket"):
		return refuse(400, "this URL is a WebSocket; the request lacks Upgrade: websocket")
	case !hasToken(r.Header("Connection"), "upgrade"):
		return refuse(400, "the request lacks Connection: Upgrade")
	case len(versions) > 1:
		return refuse(400, "the request has more than one Sec-WebSocket-Version")
	case len(versions) == 0 || versions[0] != "13":
		a := refuse(426, "the WebSocket version must be 13")
		a.Header = []Field{{"Sec-WebSocket-Version", "13"}, {"Upgrade", "websocket"}, {"Connection", "Upgrade"}}
		return a
	case len(keys) != 1:
		return refuse(400, "the request must have one Sec-WebSocket-Key")
	case !goodKey(trim(keys[0])):
		return refuse(400, "Sec-WebSocket-Key is not base64 of 16 bytes")
	}
	return Answer{}
}

// checkProtocols says what is wrong with the subprotocols of a handshake: each
// is a token, and none comes twice (RFC 6455, 4.1).
func checkProtocols(names []string) (problem string) {
	for i, name := range names {
		if !isToken(name) {
			return "has something that is no name"
		}
		if slices.Contains(names[:i], name) {
			return "has a name twice"
		}
	}
	return ""
}
