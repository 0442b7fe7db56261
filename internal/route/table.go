package route

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A Rule is one line of a table.
type Rule struct {
	// Match says which paths the rule is for; see the package comment.
	Match string
}

// A Table finds the rule for a path. Its methods may be called concurrently.
type Table struct {
	rules []rule
}

type kind uint8

const (
	everything kind = iota
	exact
	prefix
	pattern
)

type rule struct {
	kind  kind
	text  string         // exact and prefix
	re    *regexp.Regexp // pattern
	names []string       // pattern: the name of each group, "" where it has none
}

// An Error says which rule is wrong and what would be right.
type Error struct {
	Index   int    // of the rule in its list, from 0
	Text    string // the text that is wrong
	Problem string
}

func (e *Error) Error() string {
	return fmt.Sprintf("rule %d: %q %s", e.Index, e.Text, e.Problem)
}

// Compile makes a table of rules. Its error joins an [*Error] for each rule
// that is wrong.
func Compile(rules []Rule) (*Table, error) {
	t := &Table{rules: make([]rule, 0, len(rules))}
	var errs []error
	for i, r := range rules {
		c, err := compile(r.Match)
		if err != nil {
			errs = append(errs, &Error{Index: i, Text: r.Match, Problem: err.Error()})
		}
		t.rules = append(t.rules, c)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t, nil
}

func compile(match string) (rule, error) {
	switch {
	case match == "":
		return rule{kind: everything}, nil
	case match[0] == '^':
		return compilePattern(expressionTokens(match))
	case match[0] != '/':
		return rule{}, fmt.Errorf("matches nothing, a path starts with '/'; write %q", "/"+match)
	}
	if clean, ok := Clean(match); !ok {
		return rule{}, errors.New("is not a path below the root")
	} else if clean != match {
		return rule{}, fmt.Errorf("matches nothing, paths are cleaned before; write %q", clean)
	}
	if strings.ContainsAny(match, "{}") {
		expr, err := segmentTokens(match)
		if err != nil {
			return rule{}, err
		}
		return compilePattern(expr)
	}
	if strings.HasSuffix(match, "/") && match != "/" {
		return rule{kind: prefix, text: match}, nil
	}
	return rule{kind: exact, text: match}, nil
}

func compilePattern(expr string) (rule, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return rule{}, fmt.Errorf("is not a regular expression: %w", err)
	}
	names := re.SubexpNames()[1:]
	for i, name := range names {
		if name != "" && slices.Contains(names[:i], name) {
			return rule{}, fmt.Errorf("has the name %q twice, a duplicate cannot be told from the first", name)
		}
	}
	return rule{kind: pattern, re: re, names: names}, nil
}

// segmentTokens turns a path with {name} tokens into a regular expression.
func segmentTokens(match string) (string, error) {
	var b strings.Builder
	b.WriteByte('^')
	rest := match
	for {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			break
		}
		name, n := tokenAt(rest[i:])
		if n == 0 {
			return "", errors.New("has a brace that is no {name}; a name is a letter or _, then letters, digits and _")
		}
		b.WriteString(regexp.QuoteMeta(rest[:i]))
		writeGroup(&b, name)
		rest = rest[i+n:]
	}
	b.WriteString(regexp.QuoteMeta(rest))
	if !strings.HasSuffix(match, "/") {
		b.WriteByte('$')
	}
	return b.String(), nil
}

// expressionTokens replaces the {name} tokens of a regular expression. It
// leaves alone what RE2 means by braces: a{2,3}, \x{10FFFF}, \p{Greek}, what
// is quoted by \Q and \E, and character classes.
func expressionTokens(expr string) string {
	var b strings.Builder
	inClass := false
	for i := 0; i < len(expr); {
		n := 1
		switch c := expr[i]; {
		case c == '\\':
			n = escapeLen(expr[i:])
		case c == '[' && !inClass:
			inClass = true
			n = classOpenLen(expr[i:])
		case c == '[' && strings.HasPrefix(expr[i:], "[:"):
			if end := strings.Index(expr[i:], ":]"); end > 0 {
				n = end + 2
			}
		case c == ']':
			inClass = false
		case c == '{' && !inClass:
			if name, tokenLen := tokenAt(expr[i:]); tokenLen > 0 {
				writeGroup(&b, name)
				i += tokenLen
				continue
			}
		}
		b.WriteString(expr[i : i+n])
		i += n
	}
	return b.String()
}

// escapeLen is the length of the escape sequence that s starts with.
func escapeLen(s string) int {
	if len(s) < 2 {
		return len(s)
	}
	until := ""
	switch {
	case s[1] == 'Q':
		until = `\E`
	case len(s) > 2 && s[2] == '{' && strings.IndexByte("pPx", s[1]) >= 0:
		until = "}"
	default:
		return 2
	}
	if i := strings.Index(s[2:], until); i >= 0 {
		return 2 + i + len(until)
	}
	return len(s)
}

// classOpenLen is the length of what opens a character class: a ']' right
// behind it is a member.
func classOpenLen(s string) int {
	n := 1
	if strings.HasPrefix(s[n:], "^") {
		n++
	}
	if strings.HasPrefix(s[n:], "]") {
		n++
	}
	return n
}

func writeGroup(b *strings.Builder, name string) {
	b.WriteString("(?P<" + name + ">[^/]+)")
}

// tokenAt returns the name of the {name} token that s starts with, and the
// token's length, which is 0 when there is none.
func tokenAt(s string) (name string, n int) {
	if s == "" || s[0] != '{' {
		return "", 0
	}
	end := strings.IndexByte(s, '}')
	if end < 0 || !isName(s[1:end]) {
		return "", 0
	}
	return s[1:end], end + 1
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// Find returns the index of the first rule that matches path, and what its
// tokens and groups stand for. It allocates only for tokens and groups.
func (t *Table) Find(path string) (index int, params Params, ok bool) {
	for i := range t.rules {
		r := &t.rules[i]
		switch r.kind {
		case everything:
			ok = true
		case exact:
			ok = path == r.text
		case prefix:
			ok = strings.HasPrefix(path, r.text)
		case pattern:
			params, ok = r.match(path)
		}
		if ok {
			return i, params, true
		}
	}
	return 0, Params{}, false
}

func (r *rule) match(path string) (Params, bool) {
	if len(r.names) == 0 {
		return Params{}, r.re.MatchString(path)
	}
	at := r.re.FindStringSubmatchIndex(path)
	if at == nil {
		return Params{}, false
	}
	values := make([]string, len(r.names))
	for i := range values {
		if from, to := at[2*i+2], at[2*i+3]; from >= 0 {
			values[i] = path[from:to]
		}
	}
	return Params{names: r.names, values: values}, true
}

// CheckTemplate says whether every token and group that template uses has a
// value whenever the rule at index matches.
func (t *Table) CheckTemplate(index int, template string) error {
	params := Params{names: t.rules[index].names}
	params.values = make([]string, len(params.names))
	var missing []string
	expand(template, func(key string) string {
		if _, ok := params.lookup(key); !ok {
			missing = append(missing, key)
		}
		return ""
	})
	if len(missing) == 0 {
		return nil
	}
	return &Error{Index: index, Text: template, Problem: fmt.Sprintf("uses %q, which the match does not have", missing[0])}
}
