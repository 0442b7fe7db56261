package leat

import (
	"runtime"
	"strconv"
)

// goroutineID is the number of the calling goroutine, which no other gets
// after it. It tells the Close that a handler has deferred from anybody
// else's, and serves nothing else. It takes some 20 µs; see current.
func goroutineID() uint64 {
	var buf [40]byte
	text := buf[len("goroutine "):runtime.Stack(buf[:], false)]
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	id, _ := strconv.ParseUint(string(text[:n]), 10, 64) // the runtime writes a number there
	return id
}
