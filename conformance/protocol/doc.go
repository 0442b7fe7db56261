// Package protocol holds Leat's WebSockets against RFC 6455 and RFC 7692 over
// TCP, as server and as client. A raw peer writes every byte as a case has it and
// reads with a strict parser of its own. The cases bear the numbers of the
// Autobahn test suite's categories 1 to 7, 9, 10, 12 and 13, and each has one
// result that is right; behind them stand cases that Autobahn lacks: opening
// handshakes, limits, bad compression, hostile peers.
package protocol
