// Package nearest finds the word that was meant by one that does not exist.
package nearest

import "strings"

// Word returns the word of names with the least distance to name, the first of
// several, and that distance.
func Word(name string, names []string) (best string, least int) {
	least = len(name) + 1
	for _, n := range names {
		if d := Distance(name, n); d < least {
			best, least = n, d
		}
	}
	return best, least
}

// Distance counts the letters to insert, remove, change or swap to make b of
// a (Damerau and Levenshtein); their case does not count.
func Distance(a, b string) int {
	x, y := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	if apart := max(len(x)-len(y), len(y)-len(x)); apart > 4 {
		return apart // at least, and too far for any use of it
	}
	var before []int
	last := make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := range x {
		row := make([]int, len(y)+1)
		row[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(y)]
}
