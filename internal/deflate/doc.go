// Package deflate compresses and inflates WebSocket messages for
// permessage-deflate (RFC 7692, 7.2), with everything large in pools.
//
// A [Compressor] and an [Inflater] are one direction of one connection each.
// Between messages they hold nothing, or, with context takeover, the bytes that
// the next message may refer to: an Inflater as many as the window has, a
// Compressor 8 KiB. By themselves they are 72 and 32 bytes.
package deflate

import (
	"errors"
	"fmt"
)

// ErrCorrupt is what every error matches for bytes that are not compressed data,
// or refer to more than the window holds: close with 1007.
var ErrCorrupt = errors.New("deflate: the data is corrupt")

// A CorruptError says what is wrong with compressed data. It is ErrCorrupt.
type CorruptError struct{ Text string }

// Error gives the text.
func (e *CorruptError) Error() string { return "deflate: " + e.Text }

// Is makes it ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// A LimitError is the error of a message that inflates to more than it may:
// close with 1009.
type LimitError struct{ Limit int64 }

// Error gives the limit.
func (e *LimitError) Error() string {
	return fmt.Sprintf("deflate: the message inflates to more than %d bytes", e.Limit)
}

// The largest window, and the one without a name.
const (
	maxBits   = 15
	maxWindow = 1 << maxBits
)

// windowBits is bits, if they are 8 to 15; anything else is 15.
func windowBits(bits int) int8 {
	if bits < 8 || bits > maxBits {
		return maxBits
	}
	return int8(bits)
}
