package ws

import "strings"

// An extension is an element of Sec-WebSocket-Extensions (RFC 6455, 9.1).
type extension struct {
	name   string
	params []param
}

type param struct {
	name, value string
	hasValue    bool
}

// parseExtensions reads every line of the header. A line that is not of the
// RFC's form makes all of them bad, as section 9.1 asks.
func parseExtensions(lines []string) (all []extension, ok bool) {
	for _, line := range lines {
		s := scanner{rest: line}
		for s.space(); s.rest != ""; s.space() {
			if s.take(',') { // an empty element
				continue
			}
			e, ok := s.extension()
			if !ok || s.rest != "" && !s.take(',') {
				return nil, false
			}
			all = append(all, e)
		}
	}
	return all, true
}

type scanner struct{ rest string }

func (s *scanner) space() { s.rest = strings.TrimLeft(s.rest, " \t") }

// take takes c if it is next, and the space around it.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	s.space()
	return true
}

func (s *scanner) token() (string, bool) {
	n := 0
	for n < len(s.rest) && tokenByte(s.rest[n]) {
		n++
	}
	t := s.rest[:n]
	s.rest = s.rest[n:]
	return t, n > 0
}

func (s *scanner) extension() (e extension, ok bool) {
	if e.name, ok = s.token(); !ok {
		return e, false
	}
	for s.take(';') {
		var p param
		if p.name, ok = s.token(); !ok {
			return e, false
		}
		if p.hasValue = s.take('='); p.hasValue {
			if p.value, ok = s.value(); !ok {
				return e, false
			}
		}
		e.params = append(e.params, p)
	}
	s.space()
	return e, true
}

// value takes a token or a quoted string. What is quoted must be a token too
// (RFC 6455, 9.1).
func (s *scanner) value() (string, bool) {
	if s.rest == "" || s.rest[0] != '"' {
		return s.token()
	}
	var text []byte
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; c {
		case '"':
			s.rest = s.rest[i+1:]
			return string(text), isToken(string(text))
		case '\\':
			if i++; i == len(s.rest) {
				return "", false
			}
			text = append(text, s.rest[i])
		default:
			text = append(text, c)
		}
	}
	return "", false
}
