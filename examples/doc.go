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
package examples
