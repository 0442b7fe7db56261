package source

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// cut gives b in pieces, each as long as the next byte of sizes says, and
// answers the lines, with those that were too long as "…" alone.
func cut(b, sizes []byte, longest int) []string {
	lines := []string{}
	c := &cutter{
		max:  longest,
		line: func(b []byte) { lines = append(lines, string(b)) },
		long: func(begin []byte) {
			if len(begin) <= longest {
				panic(fmt.Sprintf("%q is not too long", begin))
			}
			lines = append(lines, "…")
		},
	}
	for i := 0; len(b) > 0; i++ {
		n := len(b)
		if len(sizes) > 0 {
			n = min(n, int(sizes[i%len(sizes)])+1)
		}
		piece := bytes.Clone(b[:n])
		c.Write(piece)
		clear(piece) // the cutter may not have kept it
		b = b[n:]
		if len(c.part) > longest+1 {
			panic(fmt.Sprintf("%d bytes are kept", len(c.part)))
		}
	}
	c.Flush()
	return lines
}

// plain says the same in the plainest way.
func plain(s string, longest int) []string {
	lines := []string{}
	for line := range strings.Lines(s) {
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if len(line) > longest {
			line = "…"
		}
		lines = append(lines, line)
	}
	return lines
}

func TestALineEndsWithNewlineOrBothOrTheEnd(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"", []string{}},
		{"a\nb\r\n\n\r\nc", []string{"a", "b", "", "", "c"}},
		{"a\rb\n", []string{"a\rb"}},
		{"a\r\r\n", []string{"a\r"}},
		{"a\r", []string{"a"}},
		{"1234\n12345\n1234\r\n12345\r\n", []string{"1234", "…", "1234", "…"}},
		{"1234567\n1", []string{"…", "1"}},
		{"1234567", []string{"…"}},
		{"1234\r5\n", []string{"…"}},
	} {
		if got := cut([]byte(c.in), nil, 4); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, not %q", c.in, got, c.want)
		}
	}
}

func FuzzLinesAreTheSameWhereverTheyAreCut(f *testing.F) {
	f.Add("a\nbb\r\n\nccccc\r\ndddd\r\ne", []byte{0}, 4)
	f.Add("aaaa\r\nbbbb\rc\n\r", []byte{3, 0}, 4)
	f.Add("aaaaaaaaa\nb\n", []byte{4, 200}, 0)
	f.Fuzz(func(t *testing.T, s string, sizes []byte, longest int) {
		longest = max(0, longest) & 63
		want := plain(s, longest)
		if got := cut([]byte(s), sizes, longest); !slices.Equal(got, want) {
			t.Errorf("cut by %v: %q, not %q", sizes, got, want)
		}
		if got := cut([]byte(s), nil, longest); !slices.Equal(got, want) {
			t.Errorf("in one piece: %q, not %q", got, want)
		}
	})
}

func TestOneLongLineDoesNotCostItsMemoryForEver(t *testing.T) {
	var got int
	c := &cutter{max: 1 << 20, line: func(b []byte) { got = len(b) }}
	for range 1 << 10 {
		c.Write(bytes.Repeat([]byte("a"), 1<<10))
	}
	c.Write([]byte("\n"))
	if got != 1<<20 || cap(c.part) > keptPart {
		t.Errorf("a line of %d bytes; room for %d is kept", got, cap(c.part))
	}
}
