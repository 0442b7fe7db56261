package ws

import "fmt"

// A ProtocolError says how a peer broke the protocol, and the code to close
// with.
type ProtocolError struct {
	Code    int    // CodeProtocol, CodeInvalid or CodeTooBig
	Text    string // what is wrong, short enough for a close's reason
	Section string // the rule: "RFC 6455, 5.1"
}

// Error gives the text and the rule.
func (e *ProtocolError) Error() string { return "websocket: " + e.Text + " (" + e.Section + ")" }

// violation makes the error for a section of RFC 6455.
func violation(code int, section, format string, args ...any) *ProtocolError {
	return &ProtocolError{Code: code, Text: fmt.Sprintf(format, args...), Section: "RFC 6455, " + section}
}
