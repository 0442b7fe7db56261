package ws

import "unicode/utf8"

// A UTF8 checks text that comes in pieces, each as far as it goes: a piece is
// refused as soon as it holds a byte that no text could go on with. The zero
// value stands at the beginning of a text.
type UTF8 struct {
	need   uint8 // bytes that the character under way still wants
	lo, hi uint8 // what the next of them may be
}

// Write takes the next piece and says whether the text can still be valid.
func (u *UTF8) Write(b []byte) bool {
	for ; u.need > 0 && len(b) > 0; b = b[1:] {
		if b[0] < u.lo || b[0] > u.hi {
			return false
		}
		u.need--
		u.lo, u.hi = 0x80, 0xbf
	}
	if len(b) == 0 {
		return true
	}
	whole := b[:len(b)-cutRune(b)]
	return utf8.Valid(whole) && (len(whole) == len(b) || u.begin(b[len(whole):]))
}

// Complete says whether the text may end here, and begins a new one.
func (u *UTF8) Complete() bool {
	ok := u.need == 0
	*u = UTF8{}
	return ok
}

// cutRune counts the bytes at the end of b that look like the beginning of a
// longer character.
func cutRune(b []byte) int {
	for n := 1; n <= min(3, len(b)); n++ {
		c := b[len(b)-n]
		if c < 0x80 || c >= 0xc0 && n >= runeLen(c) {
			return 0
		}
		if c >= 0xc0 {
			return n
		}
	}
	return 0
}

// runeLen is how long the character that c begins says it is.
func runeLen(c byte) int {
	switch {
	case c < 0xe0:
		return 2
	case c < 0xf0:
		return 3
	default:
		return 4
	}
}

// begin takes the first bytes of a character, by the table of RFC 3629, 4.
func (u *UTF8) begin(b []byte) bool {
	c := b[0]
	if c < 0xc2 || c > 0xf4 {
		return false
	}
	u.need, u.lo, u.hi = uint8(runeLen(c)-1), 0x80, 0xbf
	switch c {
	case 0xe0: // shorter forms exist
		u.lo = 0xa0
	case 0xed: // surrogates
		u.hi = 0x9f
	case 0xf0: // shorter forms exist
		u.lo = 0x90
	case 0xf4: // beyond U+10FFFF
		u.hi = 0x8f
	}
	return u.Write(b[1:])
}
