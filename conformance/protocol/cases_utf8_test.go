package protocol_test

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const kosme = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5" // κόσμε, 11 bytes

func utf8Cases() []testCase {
	const (
		umlauts   = "Hello-µ@ßöäüàá-UTF-8!!"
		surrogate = kosme + "\xed\xa0\x80edited"
		beyond    = kosme + "\xf4\x90\x80\x80edited" // U+110000: wrong at byte 12
	)
	inOne := func(n int) piece { return head{b0: fin | opText, length: byte(len(beyond)), payload: beyond[:n]} }
	all := []testCase{
		holds("6.1.1", "empty text", send(text("")), getsText("")),
		holds("6.1.2", "empty text in three fragments", send(first(""), middle(""), last("")), getsText("")),
		holds("6.1.3", "text between two empty fragments", send(first(""), middle("middle"), last("")), getsText("middle")),
		holds("6.2.1", "text of many scripts", send(text(umlauts)), getsText(umlauts)),
		holds("6.2.2", "text of many scripts, cut between two characters", send(first(umlauts[:14]), last(umlauts[14:])), getsText(umlauts)),
		holds("6.2.3", "text of many scripts in fragments of a byte", send(fragments{opText, umlauts, 1}), getsText(umlauts)),
		holds("6.2.4", "Greek in fragments of a byte", send(fragments{opText, kosme, 1}), getsText(kosme)),
		breaks(1007, "6.3.1", "a surrogate", send(text(surrogate))),
		breaks(1007, "6.3.2", "a surrogate in fragments of a byte", send(fragments{opText, surrogate, 1})),
		breaks(1007, "6.4.1", "a wrong fragment of a message that goes on",
			send(first(beyond[:11]), ping("")), getsPong(""), send(middle(beyond[11:15]))),
		breaks(1007, "6.4.2", "a wrong byte of a message that goes on",
			send(first(beyond[:12]), ping("")), getsPong(""), send(middle(beyond[12:13]))),
		breaks(1007, "6.4.3", "a wrong part of a frame that goes on", send(inOne(11)), quiet, send(raw(beyond[11:15]))),
		breaks(1007, "6.4.4", "a wrong byte of a frame that goes on", send(inOne(12)), quiet, send(raw(beyond[12:13]))),
		holds("6.2.1 binary", "what is no text may be binary", send(binry(surrogate)), getsBinary(surrogate)),
		holds("6.2.1 after", "text after text that ended with a whole character",
			send(text(kosme), binry("\x80"), text(kosme)), getsText(kosme), getsBinary("\x80"), getsText(kosme)),
		breaks(1007, "6.3.1 after", "the rest of a character in the next message", send(text(kosme), text("\xb5")), getsText(kosme)),
	}
	for i, group := range utf8Sequences() {
		for j, s := range group {
			id := fmt.Sprintf("6.%d.%d", i+5, j+1)
			all = append(all, sequence(id, s)...)
		}
	}
	return all
}

// sequence is the case of one sequence, and those of it in other forms.
func sequence(id, s string) []testCase {
	name := fmt.Sprintf("%.12q", s)
	forms := map[string]step{
		"":           send(text(s)),
		" fragments": send(fragments{opText, s, 1}),
		" octets":    octets(text(s)),
		" behind":    send(fragments{opText, strings.Repeat("é", 300) + s, 7}),
	}
	var all []testCase
	for form, how := range forms {
		switch {
		case !utf8.ValidString(s):
			all = append(all, breaks(1007, id+form, name+" is not UTF-8", how))
		case form == " behind":
			all = append(all, holds(id+form, name+" is UTF-8", how, getsText(strings.Repeat("é", 300)+s)))
		default:
			all = append(all, holds(id+form, name+" is UTF-8", how, getsText(s)))
		}
	}
	if n := wrongAt(s); n > 0 {
		all = append(
			all,
			breaks(1007, id+" byte", fmt.Sprintf("%s is wrong at byte %d of a frame that goes on", name, n),
				send(head{b0: fin | opText, length: 100, payload: s[:n]})),
			breaks(1007, id+" fragment", fmt.Sprintf("%s is wrong at byte %d of a message that goes on", name, n), send(first(s[:n]))),
		)
	}
	return all
}

// wrongAt is how many bytes it takes until s can no longer be the beginning of
// text; 0: it can.
func wrongAt(s string) int {
	for i := 0; i < len(s); {
		n := 1
		for i+n < len(s) && !utf8.FullRuneInString(s[i:i+n]) {
			n++
		}
		r, size := utf8.DecodeRuneInString(s[i : i+n])
		if r == utf8.RuneError && size == 1 {
			if !utf8.FullRuneInString(s[i : i+n]) {
				return 0
			}
			return i + n
		}
		i += size
	}
	return 0
}

// utf8Sequences are the groups 6.5 to 6.23, after Markus Kuhn's stress test for
// UTF-8 decoders.
func utf8Sequences() [][]string {
	var prefixes, nonCharacters []string
	for n := 1; n <= len(kosme); n++ {
		prefixes = append(prefixes, kosme[:n])
	}
	nonCharacters = append(nonCharacters, "\ufffe", "\uffff")
	for plane := rune(1); plane <= 16; plane++ {
		nonCharacters = append(nonCharacters, string(plane<<16|0xfffe), string(plane<<16|0xffff))
	}
	// span is the bytes from a to one below b, each with sep behind it.
	span := func(a, b int, sep string) string {
		var s strings.Builder
		for ; a < b; a++ {
			s.WriteByte(byte(a))
			s.WriteString(sep)
		}
		return s.String()
	}
	cut := []string{
		"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80",
		"\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf",
	}
	return [][]string{
		{"hello\x24world", "hello\u00a2world", "hello\u20acworld", "hello\U00024b62world", kosme},
		prefixes,
		{"\x00", "\u0080", "\u0800", "\U00010000"},
		{"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"},
		{"\x7f", "\u07ff", "\uffff", "\U0010ffff"},
		{"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf"},
		{"\ud7ff", "\ue000", "\ufffd", "\U0010ffff", "\xf4\x90\x80\x80"},
		{"\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", "\x80\xbf\x80\xbf", "\x80\xbf\x80\xbf\x80", "\x80\xbf\x80\xbf\x80\xbf", span(0x80, 0xc0, "")},
		{span(0xc0, 0xe0, " "), span(0xe0, 0xf0, " "), span(0xf0, 0xf8, " "), span(0xf8, 0xfc, " "), span(0xfc, 0xfe, " ")},
		cut,
		{strings.Join(cut, "")},
		{"\xfe", "\xff", "\xfe\xfe\xff\xff"},
		{"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf"},
		{"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf", "\xfc\x83\xbf\xbf\xbf\xbf"},
		{"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80", "\xfc\x80\x80\x80\x80\x80"},
		{"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf"},
		{
			"\xed\xa0\x80\xed\xb0\x80", "\xed\xa0\x80\xed\xbf\xbf", "\xed\xad\xbf\xed\xb0\x80", "\xed\xad\xbf\xed\xbf\xbf",
			"\xed\xae\x80\xed\xb0\x80", "\xed\xae\x80\xed\xbf\xbf", "\xed\xaf\xbf\xed\xb0\x80", "\xed\xaf\xbf\xed\xbf\xbf",
		},
		nonCharacters,
		{"\ufff9", "\ufffa", "\ufffb", "\ufffc", "\ufffd", "\ufffe", "\uffff"},
	}
}
