package json5

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
)

// word reads what is not quoted: null, true, false, Infinity, NaN.
func (p *parser) word(n *Node) {
	size := 0
	for i, c := range p.rest() {
		if !isNamePart(c) {
			break
		}
		size = i + len(string(c))
	}
	switch p.rest()[:size] {
	case "null":
	case "true", "false":
		n.Kind, n.Bool = Bool, p.peek() == 't'
	case "Infinity", "NaN":
		p.number(n)
		return
	default:
		p.unquoted(n)
		return
	}
	p.advance(size)
}

// numberSyntax is JSON5Number (JSON5 1.0, 6).
var numberSyntax = regexp.MustCompile(`^[+-]?(Infinity|NaN|0[xX][0-9a-fA-F]+|` +
	`((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?)`)

// unitSyntax matches what follows the number in `5 mins`, but not what
// follows the one in `5 key:`, whose comma is missing.
var (
	unitSyntax = regexp.MustCompile(`^[ \t]*[\pL%]+`)
	keySyntax  = regexp.MustCompile(`^[ \t]*[\pL_$][\pL\pN_$]*\s*[:={]`)
)

func (p *parser) number(n *Node) {
	text := numberSyntax.FindString(p.rest())
	tail := p.rest()[len(text):]
	after, _ := firstRune(tail)
	switch {
	case text == "", !endsNumber(after), unitSyntax.MatchString(tail) && !keySyntax.MatchString(tail):
		p.badNumber(n)
		return
	}
	p.advance(len(text))
	n.Kind, n.Text, n.Number = Number, text, numberValue(text)
}

func firstRune(s string) (rune, bool) {
	for _, c := range s {
		return c, true
	}
	return eof, false
}

func endsNumber(c rune) bool {
	return endsValue(c) || isSpace(c) || c == '/' || c == '#'
}

// badNumber reads a number with a unit, or one that is written wrong, as the
// text that was meant.
func (p *parser) badNumber(n *Node) {
	rest := p.rest()
	switch {
	case len(rest) > 1 && rest[0] == '0' && isDigit(rune(rest[1])):
		n.Kind, n.Text = String, p.bare()
		p.report(n.Pos, "write it without the leading zero, or in quotes", "%s is not a number", n.Text)
	default:
		p.unquoted(n)
	}
}

func numberValue(text string) float64 {
	digits := strings.TrimLeft(text, "+-")
	var f float64
	switch {
	case digits == "NaN":
		return math.NaN()
	case strings.HasPrefix(digits, "0x"), strings.HasPrefix(digits, "0X"):
		f, _ = strconv.ParseFloat(digits+"p0", 64)
	default:
		// Out of range is ±Inf, as it is in JavaScript.
		f, _ = strconv.ParseFloat(digits, 64)
	}
	if text[0] == '-' {
		return -f
	}
	return f
}

// identifier reads an ES5 IdentifierName; ok is false if there is none.
func (p *parser) identifier() (name string, ok bool) {
	var b strings.Builder
	for isName := isNameStart; ; isName = isNamePart {
		start := p.pos
		c := p.peek()
		if c != '\\' && !isName(c) {
			break
		}
		p.next()
		if c == '\\' {
			if c = eof; p.peek() == 'u' {
				p.next()
				c = p.hex(start, 4)
			}
			if c == eof || !isName(c) {
				p.stop(start, "put the key in quotes", "this escape gives no letter of a key")
			}
		}
		b.WriteRune(c)
	}
	return b.String(), b.Len() > 0
}

// text reads a quoted text.
func (p *parser) text() string {
	start := p.pos
	quote := p.next()
	var text []rune
	for {
		switch c := p.peek(); c {
		case quote:
			p.next()
			return join(text)
		case eof, '\n', '\r':
			p.stop(start, "", "this text has no closing %c on its line", quote)
		case '\\':
			text = p.escape(text)
		default:
			text = append(text, p.next())
		}
	}
}

// backticks reads what JavaScript calls a template, as the text it holds.
func (p *parser) backticks() string {
	start := p.pos
	p.next()
	end := strings.IndexByte(p.rest(), '`')
	if end < 0 {
		p.stop(start, "", "this text has no closing `")
	}
	text := p.rest()[:end]
	p.advance(end + 1)
	p.report(start, "write ' or \", and \\ at the end of a line that goes on", "` does not quote a text")
	return text
}

var escapes = map[rune]rune{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

// escape appends what the escape at the next character stands for
// (JSON5 1.0, 5.1 and 5.2).
func (p *parser) escape(text []rune) []rune {
	start := p.pos
	p.next()
	switch c := p.next(); {
	case c == eof: // text says that the quote is missing
		return text
	case isLineEnd(c):
		if c == '\r' && p.peek() == '\n' {
			p.next()
		}
		return text
	case c == 'u':
		return append(text, p.hex(start, 4))
	case c == 'x':
		return append(text, p.hex(start, 2))
	case c == '0' && !isDigit(p.peek()):
		return append(text, 0)
	case isDigit(c):
		p.report(start, `write \x and two hexadecimal digits`, `\%c is not an escape`, c)
		return append(text, c)
	default:
		if r, ok := escapes[c]; ok {
			c = r
		}
		return append(text, c)
	}
}

// hex reads n hexadecimal digits of the escape that begins at start.
func (p *parser) hex(start Pos, n int) rune {
	var r rune
	for range n {
		digit, err := strconv.ParseUint(string(p.peek()), 16, 8)
		if err != nil {
			p.report(start, "", "this escape needs %d hexadecimal digits", n)
			return '\uFFFD'
		}
		r = r<<4 | rune(digit)
		p.next()
	}
	return r
}

// join makes a string of characters in which those beyond U+FFFF may stand as
// two surrogates; a lone surrogate is U+FFFD, as in encoding/json.
func join(text []rune) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		if utf16.IsSurrogate(c) && i+1 < len(text) {
			if pair := utf16.DecodeRune(c, text[i+1]); pair != '\uFFFD' {
				c = pair
				i++
			}
		}
		b.WriteRune(c)
	}
	return b.String()
}
