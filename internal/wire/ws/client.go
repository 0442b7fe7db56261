package ws

import (
	"fmt"
	"slices"
	"strings"
)

// An Offer is a client's opening handshake.
type Offer struct {
	// Key is the Sec-WebSocket-Key: NewKey of fresh random bytes.
	Key string
	// Protocols are the subprotocols, the best first.
	Protocols []string
	// Deflate is the compression to offer; nil: none.
	Deflate *Deflate
}

// An Agreement is what the server granted.
type Agreement struct {
	Protocol string   // "" for none
	Deflate  *Deflate // nil for none
}

// A HandshakeError says what is wrong with a server's answer, and the rule.
type HandshakeError struct{ Text, Section string }

// Error gives the text and the rule.
func (e *HandshakeError) Error() string { return "websocket: " + e.Text + " (" + e.Section + ")" }

func mistake(section, format string, args ...any) error {
	return &HandshakeError{fmt.Sprintf(format, args...), "RFC 6455, " + section}
}

// Header answers the fields that make a GET request an opening handshake
// (RFC 6455, 4.1). A subprotocol that is no token, or comes twice, is an error.
func (o *Offer) Header() ([]Field, error) {
	h := []Field{
		{"Upgrade", "websocket"},
		{"Connection", "Upgrade"},
		{"Sec-WebSocket-Key", o.Key},
		{"Sec-WebSocket-Version", "13"},
	}
	if problem := checkProtocols(o.Protocols); problem != "" {
		return nil, mistake("4.1", "the list of subprotocols %s", problem)
	}
	if len(o.Protocols) > 0 {
		h = append(h, Field{"Sec-WebSocket-Protocol", strings.Join(o.Protocols, ", ")})
	}
	if o.Deflate != nil {
		h = append(h, Field{"Sec-WebSocket-Extensions", o.Deflate.offer()})
	}
	return h, nil
}

// Check reads the server's answer by RFC 6455, 4.1. Whatever it did not offer is
// refused. Header is as that of [Request].
func (o *Offer) Check(status int, header func(name string) []string) (Agreement, error) {
	upgrade, accept := header("Upgrade"), header("Sec-Websocket-Accept")
	switch {
	case status != 101:
		return Agreement{}, mistake("4.1", "the server answers %d, not 101", status)
	case len(upgrade) != 1 || !strings.EqualFold(trim(upgrade[0]), "websocket"):
		return Agreement{}, mistake("4.1", "the answer lacks Upgrade: websocket")
	case !hasToken(header("Connection"), "upgrade"):
		return Agreement{}, mistake("4.1", "the answer lacks Connection: Upgrade")
	case len(accept) != 1 || trim(accept[0]) != AcceptKey(o.Key):
		return Agreement{}, mistake("4.1", "Sec-WebSocket-Accept does not answer the key")
	}
	var a Agreement
	var err error
	if a.Protocol, err = o.checkProtocol(header("Sec-Websocket-Protocol")); err != nil {
		return Agreement{}, err
	}
	if a.Deflate, err = o.checkExtensions(header("Sec-Websocket-Extensions")); err != nil {
		return Agreement{}, err
	}
	return a, nil
}

func (o *Offer) checkProtocol(lines []string) (string, error) {
	if len(lines) == 0 {
		return "", nil
	}
	if name := trim(lines[0]); len(lines) == 1 && slices.Contains(o.Protocols, name) {
		return name, nil
	}
	return "", mistake("4.1", "the answer's subprotocol %q was not offered", strings.Join(lines, ", "))
}

func (o *Offer) checkExtensions(lines []string) (*Deflate, error) {
	granted, ok := parseExtensions(lines)
	if !ok {
		return nil, mistake("9.1", "Sec-WebSocket-Extensions is not a list of extensions")
	}
	var d *Deflate
	for _, e := range granted {
		if o.Deflate == nil || !strings.EqualFold(e.name, deflateName) {
			return nil, mistake("4.1", "the answer's extension %q was not offered", e.name)
		}
		if d != nil {
			return nil, mistake("9.1", "the answer has %s twice", deflateName)
		}
		var problem string
		if d, problem = checkDeflate(e.params, *o.Deflate); d == nil {
			return nil, &HandshakeError{"the answer's " + deflateName + " " + problem, "RFC 7692, 7.1"}
		}
	}
	return d, nil
}
