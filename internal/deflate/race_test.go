//go:build race

package deflate_test

// raceEnabled: a pool drops things at random under the race detector.
const raceEnabled = true
