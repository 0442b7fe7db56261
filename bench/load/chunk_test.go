package load

import (
	"strings"
	"testing"
)

func TestChunksAreReadHoweverTheyAreCut(t *testing.T) {
	const text = "5\r\nhello\r\n1A\r\n, this is a longer chunk..\r\n"
	for cut := range len(text) {
		var k chunked
		var got strings.Builder
		for _, part := range []string{text[:cut], text[cut:]} {
			if err := k.feed([]byte(part), func(b []byte) error { got.Write(b); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if got.String() != "hello, this is a longer chunk.." {
			t.Fatalf("cut at %d: %q", cut, got.String())
		}
	}
}

func TestWhatIsNoChunkIsTold(t *testing.T) {
	for _, text := range []string{"0\r\n\r\n", "\r\n", "g\r\n", "5\n", "5;a=b\r\n", "1\r\nab", "1\r\na\rb", "1\r\na\n", "111111111\r\n"} {
		if (&chunked{}).feed([]byte(text), func([]byte) error { return nil }) == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
