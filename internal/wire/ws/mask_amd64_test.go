package ws

import (
	"bytes"
	"testing"
)

func TestMaskIsTheSameWithoutWideRegisters(t *testing.T) {
	defer func(was bool) { wide = was }(wide)
	key := Key{0x37, 0xfa, 0x21, 0x3d}
	for n := range 3000 {
		one, other := bytes.Repeat([]byte{'a'}, n), bytes.Repeat([]byte{'a'}, n)
		wide = hasAVX2()
		oneKey := Mask(one, key)
		wide = false
		otherKey := Mask(other, key)
		if !bytes.Equal(one, other) || oneKey != otherKey {
			t.Fatalf("%d bytes: not the same", n)
		}
	}
}
