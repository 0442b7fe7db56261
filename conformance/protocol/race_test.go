//go:build race

package protocol_test

// scale divides what the large cases move: the race detector makes them slow, and
// sees as much in a part of them.
const scale = 16
