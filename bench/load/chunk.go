package load

import (
	"errors"
	"fmt"
)

// A chunked takes the chunked transfer coding (RFC 9112, 7.1) off as it comes.
// It knows neither extensions nor trailers, and wants no end.
type chunked struct {
	state chunkState
	size  int  // of the chunk, or what is left of it
	digit bool // of the size has come
}

type chunkState uint8

const (
	chunkSize chunkState = iota // and digits of it
	chunkSizeLF
	chunkData
	chunkCR
	chunkLF
)

// feed hands on the data of what was read.
func (k *chunked) feed(b []byte, data func([]byte) error) error {
	for len(b) > 0 {
		if k.state == chunkData {
			n := min(k.size, len(b))
			if err := data(b[:n]); err != nil {
				return err
			}
			b = b[n:]
			if k.size -= n; k.size == 0 {
				k.state = chunkCR
			}
			continue
		}
		if err := k.mark(b[0]); err != nil {
			return err
		}
		b = b[1:]
	}
	return nil
}

// mark takes a byte that is not data.
func (k *chunked) mark(c byte) error {
	switch {
	case k.state == chunkSize && c == '\r' && k.digit:
		k.state = chunkSizeLF
	case k.state == chunkSize && hex(c) >= 0 && k.size < 1<<24:
		k.size, k.digit = k.size<<4|hex(c), true
	case k.state == chunkSizeLF && c == '\n':
		if k.size == 0 {
			return errors.New("the server ended the stream")
		}
		k.state = chunkData
	case k.state == chunkCR && c == '\r':
		k.state = chunkLF
	case k.state == chunkLF && c == '\n':
		*k = chunked{}
	default:
		return fmt.Errorf("byte %q out of place between chunks", c)
	}
	return nil
}

func hex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|32 >= 'a' && c|32 <= 'f':
		return int(c|32-'a') + 10
	}
	return -1
}
