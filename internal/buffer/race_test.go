//go:build race

package buffer_test

// underRace: the race detector drops what pools hold, so allocations cannot be
// counted under it.
const underRace = true
