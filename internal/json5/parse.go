package json5

import (
	"fmt"
	"regexp"
	"strings"
)

const (
	// maxDepth is the nesting that encoding/json accepts too.
	maxDepth = 10000
	// maxErrors is where reading on no longer helps anybody.
	maxErrors = 20
)

// Parse reads one JSON5 value and the space around it. The error is an
// Errors. If the mistakes could be mended the tree comes with the error, so
// that the caller can look for mistakes of its own; otherwise it is nil.
func Parse(src []byte) (root *Node, err error) {
	p := &parser{src: string(src), pos: Pos{Line: 1, Col: 1}}
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(stopped); !ok {
				panic(r)
			}
			root, err = nil, p.errs
		}
	}()
	root = p.document()
	if len(p.errs) > 0 {
		return root, p.errs
	}
	return root, nil
}

type parser struct {
	src   string
	pos   Pos // of the next character
	depth int
	errs  Errors
}

// stopped is what stop panics with; it does not leave this package.
type stopped struct{}

// report notes a mistake that the parser can mend.
func (p *parser) report(at Pos, hint, format string, args ...any) {
	p.errs = append(p.errs, &Error{Pos: at, Msg: fmt.Sprintf(format, args...), Hint: hint})
	if len(p.errs) == maxErrors {
		panic(stopped{})
	}
}

// stop notes a mistake after which the rest makes no sense.
func (p *parser) stop(at Pos, hint, format string, args ...any) {
	p.report(at, hint, format, args...)
	panic(stopped{})
}

// looksLikeMember matches the start of a file that lacks its outer braces.
var looksLikeMember = regexp.MustCompile(`^([\pL_$][\pL\pN_$]*\s*[:{]|"[^"\r\n]*"\s*:|'[^'\r\n]*'\s*:)`)

func (p *parser) document() *Node {
	if strings.HasPrefix(p.src, "\uFEFF") {
		p.pos.Offset = len("\uFEFF")
	}
	p.skip()
	switch {
	case p.peek() == eof:
		p.stop(p.pos, "the least is {}", "there is nothing in it")
	case looksLikeMember.MatchString(p.rest()):
		p.report(p.pos, "write { before the first key and } after the last", "the outer braces are missing")
		n := &Node{Kind: Object, Pos: p.pos}
		p.members(n, eof)
		return n
	}
	n := p.value()
	p.skip()
	if c := p.peek(); c != eof {
		p.stop(p.pos, "", "%s comes after the end of %v", show(c), n.Kind)
	}
	return n
}

// value reads the value that begins at the next character.
func (p *parser) value() *Node {
	n := &Node{Pos: p.pos}
	switch c := p.peek(); {
	case c == '{':
		n.Kind = Object
		p.enter()
		p.members(n, '}')
		p.depth--
	case c == '[':
		n.Kind = Array
		p.enter()
		p.items(n)
		p.depth--
	case c == '"' || c == '\'':
		n.Kind, n.Text = String, p.text()
	case c == '`':
		n.Kind, n.Text = String, p.backticks()
	case isDigit(c) || c == '.' || c == '+' || c == '-':
		p.number(n)
	default:
		p.word(n)
	}
	return n
}

// enter steps over an opening bracket.
func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		p.stop(p.pos, "", "nested more than %d deep", maxDepth)
	}
	p.next()
}

func (p *parser) members(n *Node, closer rune) {
	for p.more(n, closer) {
		m, ok := p.member()
		if ok {
			n.Members = append(n.Members, m)
		}
		p.comma(closer, fmt.Sprintf("after the value of %q", m.Key))
	}
}

func (p *parser) items(n *Node) {
	for p.more(n, ']') {
		n.Items = append(n.Items, p.value())
		p.comma(']', "between two items of the list")
	}
}

// more says whether another member or item follows. If not, it has stepped
// over the closing bracket.
func (p *parser) more(n *Node, closer rune) bool {
	for {
		p.skip()
		switch c := p.peek(); c {
		case closer:
			p.next()
			return false
		case eof:
			p.stop(p.pos, fmt.Sprintf("write the missing %q", closer), "the file ends inside %v that begins at %v", n.Kind, n.Pos)
		case '}', ']':
			if closer == eof {
				p.stop(p.pos, "", "%q closes nothing", c)
			}
			p.stop(p.pos, fmt.Sprintf("write %q", closer), "%q cannot close %v that begins at %v", c, n.Kind, n.Pos)
		case ',', ';':
			p.report(p.pos, "remove it", "%q stands alone", c)
			p.next()
		default:
			return true
		}
	}
}

// comma steps over the comma behind a member or item.
func (p *parser) comma(closer rune, where string) {
	end := p.pos
	p.skip()
	switch c := p.peek(); c {
	case ',':
		p.next()
	case ';':
		p.report(p.pos, "", "write ',' in place of ';'")
		p.next()
	case closer, '}', ']', eof:
	default:
		if end == p.pos && strings.ContainsAny(p.src[end.Offset-1:end.Offset], `'"`) {
			p.stop(end, "a quote is missing before it, or one too many", "a text ends just before %s", show(c))
		}
		p.report(end, "", "missing ',' %s", where)
	}
}

// member reads `key: value`; ok is false if there is no value.
func (p *parser) member() (m Member, ok bool) {
	m.KeyPos = p.pos
	m.Key = p.key()
	end := p.pos
	p.skip()
	switch c := p.peek(); c {
	case ':':
		p.next()
	case '=':
		p.report(p.pos, "", "write ':' in place of '=' after the key %q", m.Key)
		for p.peek() == '=' || p.peek() == '>' {
			p.next()
		}
	default:
		if !endsValue(c) {
			p.report(end, "", "missing ':' after the key %q", m.Key)
		}
	}
	p.skip()
	if endsValue(p.peek()) {
		p.report(end, "", "the key %q has no value", m.Key)
		return m, false
	}
	m.Value = p.value()
	return m, true
}

// endsValue says whether c can only follow a value.
func endsValue(c rune) bool {
	return c == ',' || c == ';' || c == '}' || c == ']' || c == eof
}

func (p *parser) key() string {
	start := p.pos
	c := p.peek()
	if c == '"' || c == '\'' {
		return p.text()
	}
	name, ok := p.identifier()
	for c := p.peek(); !endsKey(c); c = p.peek() {
		name, ok = name+string(p.next()), false
	}
	if name == "" {
		hint := ""
		if c == '{' || c == '[' {
			hint = "several values stand in a list: [ … ]"
		}
		p.stop(start, hint, "a key is wanted here, not %s", show(c))
	}
	if !ok {
		p.report(start, fmt.Sprintf("write '%s'", clean(name)), "the key %s needs quotes", clean(name))
	}
	return name
}

// endsKey says whether c cannot be part of a key, be it one without the
// quotes that it needs.
func endsKey(c rune) bool {
	return c == eof || isSpace(c) || strings.ContainsRune(":=,;{}[]\"'`/", c)
}
