package ws

import (
	"crypto/subtle"
	"encoding/binary"
	"math/bits"
)

// A Key masks a payload (RFC 6455, 5.3).
type Key [4]byte

const (
	maskBlock = 512  // bytes masked at a time by XORBytes, with keys laid out on the stack
	maskShort = 1024 // below, laying them out costs more than it saves
	maskWorth = 256  // from where wider registers are faster; at least 128
)

// Mask XORs b with the key, in place, which masks and unmasks, and returns the
// key for the bytes behind b: a payload may be masked in pieces.
func Mask(b []byte, key Key) Key {
	k := binary.LittleEndian.Uint32(key[:])
	binary.LittleEndian.PutUint32(key[:], bits.RotateLeft32(k, -8*(len(b)&3)))
	k64 := uint64(k)<<32 | uint64(k)
	if len(b) >= maskWorth {
		b = maskLong(b, k64)
	}
	if len(b) >= maskShort {
		b = maskBlocks(b, k64)
	}
	for len(b) >= 32 {
		w := (*[32]byte)(b)
		binary.LittleEndian.PutUint64(w[0:], binary.LittleEndian.Uint64(w[0:])^k64)
		binary.LittleEndian.PutUint64(w[8:], binary.LittleEndian.Uint64(w[8:])^k64)
		binary.LittleEndian.PutUint64(w[16:], binary.LittleEndian.Uint64(w[16:])^k64)
		binary.LittleEndian.PutUint64(w[24:], binary.LittleEndian.Uint64(w[24:])^k64)
		b = b[32:]
	}
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^k64)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(k64 >> (8 * i))
	}
	return key
}

// maskBlocks masks all but what is left behind the last multiple of 32, and
// returns that.
func maskBlocks(b []byte, k64 uint64) []byte {
	var block [maskBlock]byte
	for i := 0; i < maskBlock; i += 8 {
		binary.LittleEndian.PutUint64(block[i:], k64)
	}
	for len(b) >= 32 {
		n := min(len(b)&^31, maskBlock)
		subtle.XORBytes(b, b[:n], block[:n])
		b = b[n:]
	}
	return b
}
