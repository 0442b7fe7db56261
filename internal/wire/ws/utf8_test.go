package ws_test

import (
	"testing"
	"unicode/utf8"

	"github.com/leat-dev/leat/internal/wire/ws"
)

// firstWrong is the index of the first byte that no valid text has there: the
// longest prefix that some valid text begins with ends before it.
func firstWrong(b []byte) int {
	from := 0
	for from < len(b) {
		c, n := utf8.DecodeRune(b[from:])
		if c == utf8.RuneError && n == 1 {
			break
		}
		from += n
	}
	for i := from; i < len(b); i++ {
		if !extendable(b[from : i+1]) {
			return i
		}
	}
	return len(b)
}

// extendable tries every way in which a cut character could go on.
func extendable(b []byte) bool {
	if utf8.Valid(b) {
		return true
	}
	for _, c1 := range []byte{0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf} {
		one := append(append([]byte{}, b...), c1)
		if utf8.Valid(one) || utf8.Valid(append(one, 0x80)) || utf8.Valid(append(one, 0x80, 0x80)) {
			return true
		}
	}
	return false
}

var texts = []string{
	"", "Hello", "κόσμε", "a€b", "𝄞", "\U0010ffff", "\ufffd\ufeff", "\x00", "Hello-µ@ßöäüàá-UTF-8!!",
	"\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
	"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xfe", "\x80", "\xbf", "a\x80b", "\xce", "\xe2\x82", "\xf0\x9d\x84",
	"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited", "\xe2\x82x", "\xf0\x9dx", "\xc3(", "ab\xf8\x88\x80\x80\x80",
}

func TestTextFailsAtTheFirstWrongByteWhereverItIsCut(t *testing.T) {
	for _, text := range texts {
		checkText(t, []byte(text))
	}
}

func checkText(t *testing.T, b []byte) {
	t.Helper()
	wrong := firstWrong(b)
	var u ws.UTF8
	for i, c := range b {
		ok := u.Write([]byte{c})
		if ok != (i < wrong) {
			t.Fatalf("%q: byte %d is taken: %v, the first wrong one is %d", b, i, ok, wrong)
		}
		if !ok {
			break
		}
	}
	for cut := range len(b) + 1 {
		var u ws.UTF8
		ok := u.Write(b[:cut]) == (cut <= wrong)
		if cut <= wrong {
			ok = ok && u.Write(b[cut:]) == (wrong == len(b))
		}
		if !ok {
			t.Fatalf("%q cut at %d: the first wrong byte is %d", b, cut, wrong)
		}
		if wrong == len(b) && u.Complete() != utf8.Valid(b) {
			t.Fatalf("%q cut at %d: complete is not %v", b, cut, utf8.Valid(b))
		}
	}
}

func FuzzText(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkText(t, b[:min(len(b), 64)]) })
}
