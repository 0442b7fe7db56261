//go:build !amd64 && !arm64

package leat

// current tells the calling goroutine from all others.
func current() uint64 { return goroutineID() }
