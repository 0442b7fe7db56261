//go:build race

package codec_test

// raceEnabled: a pool drops things at random under the race detector.
const raceEnabled = true
