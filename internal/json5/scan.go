package json5

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const eof rune = -1

func (p *parser) rest() string { return p.src[p.pos.Offset:] }

// peek is the next character; a byte that is not UTF-8 is U+FFFD.
func (p *parser) peek() rune {
	if p.pos.Offset == len(p.src) {
		return eof
	}
	c, _ := utf8.DecodeRuneInString(p.rest())
	return c
}

// next steps over the next character.
func (p *parser) next() rune {
	if p.pos.Offset == len(p.src) {
		return eof
	}
	c, size := utf8.DecodeRuneInString(p.rest())
	p.pos.Offset += size
	p.pos.Col++
	if isLineEnd(c) && (c != '\r' || p.peek() != '\n') {
		p.pos.Line++
		p.pos.Col = 1
	}
	return c
}

// skip steps over space and comments.
func (p *parser) skip() {
	for {
		switch c := p.peek(); {
		case isSpace(c):
			p.next()
		case c == '#':
			p.report(p.pos, "write //", "a comment does not begin with '#'")
			p.skipLine()
		case p.atComment():
			p.comment()
		default:
			return
		}
	}
}

func (p *parser) atComment() bool {
	return strings.HasPrefix(p.rest(), "//") || strings.HasPrefix(p.rest(), "/*")
}

func (p *parser) comment() {
	if strings.HasPrefix(p.rest(), "//") {
		p.skipLine()
		return
	}
	start := p.pos
	p.advance(len("/*"))
	end := strings.Index(p.rest(), "*/")
	if end < 0 {
		p.stop(start, "", "this comment has no */")
	}
	p.advance(end + len("*/"))
}

// advance steps over n bytes.
func (p *parser) advance(n int) {
	for end := p.pos.Offset + n; p.pos.Offset < end; {
		p.next()
	}
}

func (p *parser) skipLine() {
	for c := p.peek(); c != eof && !isLineEnd(c); c = p.peek() {
		p.next()
	}
}

// bare steps over a text that lacks its quotes and gives it back: all up to
// a comma, a closing bracket, a comment or the end of the line.
func (p *parser) bare() string {
	start := p.pos.Offset
	for open := 0; ; p.next() {
		c := p.peek()
		text := p.src[start:p.pos.Offset]
		spaced := text == "" || strings.HasSuffix(text, " ") || strings.HasSuffix(text, "\t")
		switch {
		case c == '{':
			open++
		case c == '}' && open > 0:
			open--
		case endsValue(c), isLineEnd(c), spaced && p.atComment():
			return strings.TrimRightFunc(text, isSpace)
		}
	}
}

// unquoted reads a text without quotes as the text that was meant. The
// caller has seen that it cannot be anything else.
func (p *parser) unquoted(n *Node) {
	if c := p.peek(); endsValue(c) || strings.ContainsRune(":=(){}[]*", c) {
		p.stop(n.Pos, "", "a value is wanted here, not %s", show(c))
	}
	n.Kind, n.Text = String, p.bare()
	hint := fmt.Sprintf("write '%s'", clean(n.Text))
	if b, ok := truths[n.Text]; ok {
		n.Kind, n.Bool = Bool, b
		hint = fmt.Sprintf("write %t", b)
	}
	p.report(n.Pos, hint, "%s needs quotes", clean(n.Text))
}

// truths are the words of other configuration languages.
var truths = map[string]bool{
	"yes": true, "Yes": true, "on": true, "On": true, "True": true, "TRUE": true,
	"no": false, "No": false, "off": false, "Off": false, "False": false, "FALSE": false,
}

// clean makes a text of the source fit for a message.
func clean(s string) string {
	const most = 60
	if list := []rune(s); len(list) > most {
		s = string(list[:most]) + "…"
	}
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return '\uFFFD'
	}, s)
}

// show names a character in a message.
func show(c rune) string {
	if c == eof {
		return "the end of the file"
	}
	if unicode.IsPrint(c) {
		return fmt.Sprintf("'%c'", c)
	}
	return fmt.Sprintf("%U", c)
}

func isDigit(c rune) bool { return '0' <= c && c <= '9' }

func isLineEnd(c rune) bool {
	return c == '\n' || c == '\r' || c == '\u2028' || c == '\u2029'
}

// isSpace is JSON5WhiteSpace and the line ends (JSON5 1.0, 8).
func isSpace(c rune) bool {
	return c == ' ' || '\t' <= c && c <= '\r' || c == '\u2028' || c == '\u2029' || c == '\uFEFF' || unicode.Is(unicode.Zs, c)
}

// isNameStart and isNamePart are those of an ECMAScript 5.1 IdentifierName
// (7.6), escapes aside.
func isNameStart(c rune) bool {
	return c == '$' || c == '_' || unicode.In(c, unicode.L, unicode.Nl)
}

func isNamePart(c rune) bool {
	return isNameStart(c) || c == '\u200C' || c == '\u200D' || unicode.In(c, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc)
}
