//go:build race

package engine

// UnderRace: the race detector drops what pools hold, so allocations cannot be
// counted under it.
const UnderRace = true
