//go:build amd64 || arm64

package leat

// current tells the calling goroutine from all others that run now: one that
// begins later may get its number.
func current() uint64
