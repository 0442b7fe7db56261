package deflate

import (
	"encoding/binary"
	"sync"
)

// inflate is a decoder of RFC 1951 that may run out of input anywhere and go on
// with more. What it decodes at a time (a symbol with what belongs to it) has 48
// bits at most, so that it takes bits only when it has them all.
type inflate struct {
	// buf holds the window and, behind it, what was decoded: buf[given:at] has
	// not been handed out.
	buf       [2 * maxWindow]byte
	given, at int
	stop      int // where decoding stops, for what was decoded to be handed out
	window    int // how far back a match may go

	in   []byte // input that is not in bits yet
	bits uint64
	have uint // of bits

	step   step
	final  bool // the block, or the last one, was marked as the last
	length int  // of what is to be copied: a stored block's rest, or a match's
	back   int  // the match's distance

	lit, dist []entry // of the block: the fixed tables, or the own ones
	ownLit    [litSize]entry
	ownDist   [distSize]entry

	lengths                       [maxLit + 32]uint8 // of the codes, while they are read
	litCount, distCount, lenCount int
	read                          int
}

// A step is what an inflate reads next.
type step uint8

const (
	stepHeader  step = iota // of a block
	stepStored              // its length
	stepCopy                // its bytes
	stepCounts              // of a block's code lengths
	stepLenLens             // the lengths of the code lengths' codes
	stepLens                // the code lengths
	stepSymbols
	stepMatch // the rest of a match
)

var pool = sync.Pool{New: func() any { return new(inflate) }}

// reset begins a message that may refer to the context.
func (z *inflate) reset(context []byte, window int) {
	z.at = copy(z.buf[:], context)
	z.given, z.window = z.at, window
	z.in, z.bits, z.have = nil, 0, 0
	z.step, z.final = stepHeader, false
}

// slide makes room in a full buffer, of which everything is handed out, for as
// much as may come: left bytes, and the one too many.
func (z *inflate) slide(left int64) {
	if z.at == len(z.buf) && z.given == z.at {
		copy(z.buf[:maxWindow], z.buf[maxWindow:])
		z.given, z.at = maxWindow, maxWindow
	}
	z.stop = len(z.buf)
	if left < int64(z.stop-z.at) {
		z.stop = z.at + int(left) + 1
	}
}

func (z *inflate) full() bool { return z.at == z.stop }

// fill loads bits until there are 56, or no input is left. Above those that it
// counts there may be some of the next byte.
func (z *inflate) fill() {
	if len(z.in) >= 8 {
		z.bits |= binary.LittleEndian.Uint64(z.in) << z.have
		n := (63 - z.have) >> 3
		z.in = z.in[n:]
		z.have += n * 8
		return
	}
	for z.have <= 56 && len(z.in) > 0 {
		z.bits |= uint64(z.in[0]) << z.have
		z.in = z.in[1:]
		z.have += 8
	}
}

// take takes n bits that are there.
func (z *inflate) take(n uint) int {
	v := int(z.bits & (1<<n - 1))
	z.drop(n)
	return v
}

func (z *inflate) drop(n uint) {
	z.bits >>= n
	z.have -= n
}

// align drops the rest of a byte.
func (z *inflate) align() { z.drop(z.have & 7) }

// run decodes until what there is must be handed out, or the input is used up.
func (z *inflate) run() error {
	for z.at < z.stop {
		var more bool
		var err error
		switch z.step {
		case stepHeader:
			more, err = z.header()
		case stepStored:
			more, err = z.stored()
		case stepCopy:
			more = z.copyStored()
		case stepCounts:
			more, err = z.counts()
		case stepLenLens:
			more, err = z.lenLens()
		case stepLens:
			more, err = z.lens()
		case stepSymbols:
			more, err = z.symbols()
		case stepMatch:
			z.match()
			more = true
		}
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// The functions of the steps answer whether there may be more to do without more
// input.

func (z *inflate) header() (bool, error) {
	if z.fill(); z.have < 3 {
		return false, nil
	}
	z.final = z.take(1) == 1
	switch z.take(2) {
	case 0:
		z.align()
		z.step = stepStored
	case 1:
		t := shared()
		z.lit, z.dist = t.fixedLit[:], t.fixedDist[:]
		z.step = stepSymbols
	case 2:
		z.step = stepCounts
	default:
		return false, &CorruptError{"a block is of the reserved type"}
	}
	return true, nil
}

// end ends a block. One that is marked as the last is padded, and another may
// follow all the same (RFC 7692, 7.2.1).
func (z *inflate) end() {
	if z.step = stepHeader; z.final {
		z.align()
	}
}

func (z *inflate) stored() (bool, error) {
	if z.fill(); z.have < 32 {
		return false, nil
	}
	n, not := z.take(16), z.take(16)
	if n != ^not&0xffff {
		return false, &CorruptError{"a stored block's length does not fit its complement"}
	}
	z.length, z.step = n, stepCopy
	return true, nil
}

func (z *inflate) copyStored() bool {
	for z.length > 0 && z.have >= 8 && z.at < z.stop {
		z.buf[z.at] = byte(z.take(8))
		z.at++
		z.length--
	}
	if z.have == 0 {
		z.bits = 0 // fill leaves the next byte's bits there
		n := copy(z.buf[z.at:z.stop], z.in[:min(len(z.in), z.length)])
		z.at += n
		z.in = z.in[n:]
		z.length -= n
	}
	if z.length > 0 {
		return z.full()
	}
	z.end()
	return true
}

func (z *inflate) counts() (bool, error) {
	if z.fill(); z.have < 14 {
		return false, nil
	}
	z.litCount, z.distCount, z.lenCount = 257+z.take(5), 1+z.take(5), 4+z.take(4)
	if z.litCount > maxLit || z.distCount > maxDist {
		return false, &CorruptError{"a block has too many codes"}
	}
	clear(z.lengths[:19])
	z.read, z.step = 0, stepLenLens
	return true, nil
}

// lenOrder is the order of RFC 1951, 3.2.7.
var lenOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// lenSymbols are the entries of the code lengths.
var lenSymbols = [19]entry{
	0<<16 | literal, 1<<16 | literal, 2<<16 | literal, 3<<16 | literal, 4<<16 | literal, 5<<16 | literal,
	6<<16 | literal, 7<<16 | literal, 8<<16 | literal, 9<<16 | literal, 10<<16 | literal, 11<<16 | literal,
	12<<16 | literal, 13<<16 | literal, 14<<16 | literal, 15<<16 | literal,
	16<<16 | 2<<8 | literal, 17<<16 | 3<<8 | literal, 18<<16 | 7<<8 | literal,
}

func (z *inflate) lenLens() (bool, error) {
	for ; z.read < z.lenCount; z.read++ {
		if z.fill(); z.have < 3 {
			return false, nil
		}
		z.lengths[lenOrder[z.read]] = uint8(z.take(3))
	}
	// The table of lengths lies where that of distances will be.
	if !build(z.ownDist[:1<<lenBits], lenBits, z.lengths[:19], lenSymbols[:]) {
		return false, &CorruptError{"the code of the code lengths is not complete"}
	}
	z.read, z.step = 0, stepLens
	return true, nil
}

func (z *inflate) lens() (bool, error) {
	total := z.litCount + z.distCount
	for z.read < total {
		z.fill()
		e := z.ownDist[z.bits&(1<<lenBits-1)]
		if e.size()+e.extra() > z.have {
			return false, nil
		}
		if e.kind() == bad {
			return false, &CorruptError{"a code length has no code"}
		}
		z.drop(e.size())
		v, n := uint8(e.value()), 1
		switch extra := z.take(e.extra()); {
		case v == 16 && z.read == 0:
			return false, &CorruptError{"the first code length repeats another"}
		case v == 16:
			v, n = z.lengths[z.read-1], 3+extra
		case v == 17:
			v, n = 0, 3+extra
		case v == 18:
			v, n = 0, 11+extra
		}
		if z.read+n > total {
			return false, &CorruptError{"a block has more code lengths than codes"}
		}
		for ; n > 0; n-- {
			z.lengths[z.read] = v
			z.read++
		}
	}
	t := shared()
	if z.lengths[256] == 0 {
		return false, &CorruptError{"a block's code has no end of the block"}
	}
	if !build(z.ownLit[:], litBits, z.lengths[:z.litCount], t.lit[:]) {
		return false, &CorruptError{"the code of the bytes is not complete"}
	}
	if !build(z.ownDist[:], distBits, z.lengths[z.litCount:total], t.distances[:]) {
		return false, &CorruptError{"the code of the distances is not complete"}
	}
	z.lit, z.dist = z.ownLit[:], z.ownDist[:]
	z.step = stepSymbols
	return true, nil
}

// symbols decodes until the block ends, or as long as run.
func (z *inflate) symbols() (bool, error) {
	lit, dist := (*[litSize]entry)(z.lit), (*[distSize]entry)(z.dist)
	for z.at < z.stop {
		if z.have < 48 {
			z.fill()
		}
		b := z.bits
		e := lit[b&(1<<litBits-1)]
		if e.kind() == link {
			e = lit[uint(e.value())+uint(b>>litBits)&(1<<e.extra()-1)]
		}
		used := e.size()
		if used > z.have {
			return false, nil
		}
		switch e.kind() {
		case literal:
			z.drop(used)
			z.buf[z.at] = byte(e.value())
			z.at++
			continue
		case end:
			z.drop(used)
			z.end()
			return true, nil
		case bad:
			return false, &CorruptError{"a symbol has no code"}
		}
		b >>= used
		length := e.value() + int(b&(1<<e.extra()-1))
		b >>= e.extra()
		used += e.extra()
		d := dist[b&(1<<distBits-1)]
		if d.kind() == link {
			d = dist[uint(d.value())+uint(b>>distBits)&(1<<d.extra()-1)]
		}
		b >>= d.size()
		if used += d.size() + d.extra(); used > z.have {
			return false, nil
		}
		if d.kind() == bad {
			return false, &CorruptError{"a distance has no code"}
		}
		z.drop(used)
		z.length, z.back = length, d.value()+int(b&(1<<d.extra()-1))
		if z.back > z.at || z.back > z.window {
			return false, &CorruptError{"a match begins before the window"}
		}
		z.match()
	}
	return true, nil
}

// match copies what there is room for. A match may overlap what it makes.
func (z *inflate) match() {
	z.step = stepSymbols
	to := z.buf[z.at:min(z.at+z.length, z.stop)]
	z.length -= len(to)
	z.at += len(to)
	if z.length > 0 {
		z.step = stepMatch
	}
	from := z.at - len(to) - z.back
	for len(to) > 0 {
		n := copy(to, z.buf[from:z.at-len(to)])
		to = to[n:]
	}
}
