// Package site is the page inside the leat binary and the actions behind it:
// live data of this machine, a progress stream, a simulated sensor, quotes and
// a large download.
package site
