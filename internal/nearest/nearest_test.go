package nearest

import "testing"

func TestDistanceCountsLettersToInsertRemoveChangeOrSwap(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"serve", "serve", 0},
		{"Serve", "sErvE", 0},
		{"srve", "serve", 1},
		{"servee", "serve", 1},
		{"sarve", "serve", 1},
		{"sevre", "serve", 1},
		{"größe", "grösse", 2},
		{"kitten", "sitting", 3},
	} {
		for _, got := range []int{Distance(c.a, c.b), Distance(c.b, c.a)} {
			if got != c.want {
				t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
			}
		}
	}
}

func TestWordIsTheFirstOfTheNearest(t *testing.T) {
	for _, c := range []struct {
		name  string
		names []string
		want  string
		least int
	}{
		{"lisen", []string{"documents", "listen", "listed"}, "listen", 1},
		{"bat", []string{"cat", "hat"}, "cat", 1},
		{"cat", []string{"hat", "cat"}, "cat", 0},
		{"x", nil, "", 2},
	} {
		if got, least := Word(c.name, c.names); got != c.want || least != c.least {
			t.Errorf("%q among %q: %q at %d, want %q at %d", c.name, c.names, got, least, c.want, c.least)
		}
	}
}
