//go:build !amd64

package ws

// maskLong has nothing faster here.
func maskLong(b []byte, _ uint64) []byte { return b }
