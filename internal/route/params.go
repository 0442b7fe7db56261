package route

import (
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Params are what the tokens and groups of a rule stand for in one path. The
// zero Params has none.
type Params struct {
	names  []string
	values []string
}

// Get returns what the token or the named group stands for.
func (p Params) Get(name string) (value string, ok bool) {
	if i := slices.Index(p.names, name); i >= 0 && name != "" {
		return p.values[i], true
	}
	return "", false
}

// Group returns what the n-th token or group stands for; the first is 1.
func (p Params) Group(n int) (value string, ok bool) {
	if n < 1 || n > len(p.values) {
		return "", false
	}
	return p.values[n-1], true
}

// All yields the names and values of the tokens and named groups.
func (p Params) All() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for i, name := range p.names {
			if name != "" && !yield(name, p.values[i]) {
				return
			}
		}
	}
}

func (p Params) lookup(key string) (string, bool) {
	if n, err := strconv.Atoi(key); err == nil {
		return p.Group(n)
	}
	return p.Get(key)
}

// Expand fills {name}, ${name}, $1 and ${1} in template; $$ is one dollar.
// What params does not have becomes empty. The values are decoded text from a
// client: use [ExpandURL] where the result is an address.
func Expand(template string, params Params) string {
	return expand(template, func(key string) string {
		value, _ := params.lookup(key)
		return value
	})
}

// ExpandURL is [Expand] for a template that is a URL: values are escaped, so
// that none of them adds a segment, a query or a host.
func ExpandURL(template string, params Params) string {
	return expand(template, func(key string) string {
		value, _ := params.lookup(key)
		return url.PathEscape(value)
	})
}

func expand(template string, value func(key string) string) string {
	if !strings.ContainsAny(template, "{$") {
		return template
	}
	var b strings.Builder
	for i := 0; i < len(template); {
		key, n := placeAt(template[i:])
		switch {
		case n == 0:
			b.WriteByte(template[i])
			n = 1
		case key == "$":
			b.WriteByte('$')
		default:
			b.WriteString(value(key))
		}
		i += n
	}
	return b.String()
}

// placeAt returns the key of the place to fill that s starts with and the
// place's length, which is 0 when there is none.
func placeAt(s string) (key string, n int) {
	if s[0] == '{' {
		return tokenAt(s)
	}
	if s[0] != '$' || len(s) < 2 {
		return "", 0
	}
	switch c := s[1]; {
	case c == '$':
		return "$", 2
	case '1' <= c && c <= '9':
		n = 2
		for n < len(s) && '0' <= s[n] && s[n] <= '9' {
			n++
		}
		return s[1:n], n
	case c == '{':
		end := strings.IndexByte(s, '}')
		if end < 0 || !isName(s[2:end]) && !isNumber(s[2:end]) {
			return "", 0
		}
		return s[2:end], end + 1
	}
	return "", 0
}

func isNumber(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n > 0 && s[0] != '+'
}
