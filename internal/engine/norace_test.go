//go:build !race

package engine

const UnderRace = false
