// Package serve is the corridor from a connection to a handler: listeners,
// limits, routes, files, the log.
package serve
