package ws

// wide says whether this processor, and its system, has registers of 32 bytes
// (AVX2).
var wide = hasAVX2()

func hasAVX2() bool

// maskWide masks n bytes at p, a multiple of 128, by such registers.
//
//go:noescape
func maskWide(p *byte, n int, k64 uint64)

// maskLong masks all but what is left behind the last multiple of 128, and
// returns that, where there is something faster than maskBlocks.
func maskLong(b []byte, k64 uint64) []byte {
	if !wide {
		return b
	}
	n := len(b) &^ 127
	maskWide(&b[0], n, k64)
	return b[n:]
}
