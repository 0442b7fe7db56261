package deflate

import (
	"math/bits"
	"sync"
)

// An entry says what a code means:
//
//	bits 0-3   length of the code, in bits
//	bits 4-6   its kind
//	bits 8-11  how many extra bits follow; of a link, bits of the second table
//	bits 16-31 a byte, a base that the extra bits add to, or where the second table begins
type entry uint32

const (
	bad     = iota << 4 // no symbol has this code
	literal             // a byte
	base                // a match's length, or its distance
	end                 // of the block
	link                // the code is longer than the first table is wide
)

func (e entry) size() uint  { return uint(e & 15) }
func (e entry) kind() entry { return e & 0x70 }
func (e entry) extra() uint { return uint(e>>8) & 15 }
func (e entry) value() int  { return int(e >> 16) }

// The widths of the first tables, and room for both tables of a complete code
// (852 and 592 entries at most, as zlib's enough.c counts them). For a code of the
// code lengths the second table is never used.
const (
	litBits, litSize   = 9, 852
	distBits, distSize = 6, 592
	lenBits            = 7
)

const (
	maxLit  = 286 // symbols for bytes, lengths and the end
	maxDist = 30  // symbols for distances
)

// symbols are the entries of symbols, without their codes.
type symbols struct {
	lit       [288]entry
	distances [32]entry
}

// tables are the codes of blocks with fixed codes, and the symbols of all
// (RFC 1951, 3.2.5 and 3.2.6).
type tables struct {
	symbols
	fixedLit  [litSize]entry
	fixedDist [distSize]entry
}

var shared = sync.OnceValue(func() *tables {
	t := &tables{}
	for i := range 256 {
		t.lit[i] = entry(i)<<16 | literal
	}
	t.lit[256] = end
	length := 3
	for i := range 28 {
		extra := max(0, i/4-1)
		t.lit[257+i] = entry(length)<<16 | entry(extra)<<8 | base
		length += 1 << extra
	}
	t.lit[285] = 258<<16 | base
	distance := 1
	for i := range maxDist {
		extra := max(0, i/2-1)
		t.distances[i] = entry(distance)<<16 | entry(extra)<<8 | base
		distance += 1 << extra
	}
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144, i >= 280:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		default:
			lengths[i] = 7
		}
	}
	build(t.fixedLit[:], litBits, lengths[:], t.lit[:])
	for i := range 32 {
		lengths[i] = 5
	}
	build(t.fixedDist[:], distBits, lengths[:32], t.distances[:])
	return t
})

// build fills a table of 2^width entries, and second tables behind it, with the
// code that has these lengths (RFC 1951, 3.2.2). A code that is not complete is
// refused, but for one of no symbol, and one of a single bit.
func build(table []entry, width int, lengths []uint8, symbols []entry) bool {
	var count, next [16]int // how many codes of each length, and the next of them
	for _, n := range lengths {
		count[n]++
	}
	count[0] = 0
	longest := 0
	for n := 1; n < 16; n++ {
		next[n] = (next[n-1] + count[n-1]) << 1
		if next[n]+count[n] > 1<<n {
			return false
		}
		if count[n] > 0 {
			longest = n
		}
	}
	if next[longest]+count[longest] != 1<<longest {
		if longest > 1 {
			return false
		}
		for i := range 1 << width {
			table[i] = bad | 1
		}
	}
	if !layOut(table, width, &count, &next) {
		return false
	}
	for i, n := range lengths {
		if n == 0 {
			continue
		}
		code := reverse(next[n], int(n))
		next[n]++
		room, step := table[:1<<width], 1<<n
		if int(n) > width {
			l := table[code&(1<<width-1)]
			room, step = table[l.value():l.value()+1<<l.extra()], 1<<(int(n)-width)
			code >>= width
		}
		for e := symbols[i] | entry(n); code < len(room); code += step {
			room[code] = e
		}
	}
	return true
}

// layOut makes the second tables: one for each beginning of codes longer than
// width, as large as the longest of them needs.
func layOut(table []entry, width int, count, next *[16]int) bool {
	var longest [1 << litBits]uint8
	from := 1 << width
	for n := width + 1; n < 16; n++ {
		if count[n] == 0 {
			continue
		}
		first := next[n] >> (n - width)
		from = min(from, first)
		for p := first; p <= (next[n]+count[n]-1)>>(n-width); p++ {
			longest[p] = uint8(n)
		}
	}
	at := 1 << width
	for p := from; p < 1<<width; p++ {
		size := int(longest[p]) - width
		if size <= 0 || at+1<<size > len(table) {
			return false
		}
		table[reverse(p, width)] = entry(at)<<16 | entry(size)<<8 | link
		at += 1 << size
	}
	return true
}

// reverse turns the n bits of a code around: codes are packed from the other end
// than everything else (RFC 1951, 3.1.1).
func reverse(code, n int) int { return int(bits.Reverse16(uint16(code)) >> (16 - n)) }
