// Package examples holds small programs, one a folder: each shows one way to
// send data as it comes. Its tests run them.
//
//	status      the time each second, and a page that reads it (event style)
//	updates     ten updates in a loop, JSON a line (blocking style)
//	events      Server-Sent Events from a ticker and a channel
//	download    a large file, with ranges and in constant memory
//	progress    how far a long piece of work has come
//	disconnect  an ordinary handler that notices that its reader left
//	sensor      what a simulated sensor measures, NDJSON or SSE
//	topic       publishes once, for any number of readers over any transport
//
// and by WebSocket:
//
//	echo         what comes goes back (event style)
//	temperature  a formatted text now and then (blocking style)
//	modes        the ways to send: buffered, blocking, non-blocking, in pieces
//	nonblocking  a large message, as much at a time as fits
//	client       the other end: it dials, sends, and prints what comes
package examples
