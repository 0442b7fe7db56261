package protocol_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
)

// The compression of the raw peer (RFC 7692, 7.2) shares no line with Leat's. It
// compresses by compress/flate, or, for a window smaller than what that has, by
// a plain compressor with fixed codes. It inflates by a plain inflater that
// refuses whatever refers to more than the window that was agreed on.

// A zipper compresses the messages of one direction.
type zipper struct {
	keep bool // the context, from message to message
	bits int
	w    *flate.Writer
	buf  bytes.Buffer
	past []byte // the window, of the plain compressor
}

func (z *zipper) message(s string) string {
	if z.bits < 15 {
		return z.plain(s)
	}
	z.buf.Reset()
	if z.w == nil {
		z.w, _ = flate.NewWriter(&z.buf, flate.BestSpeed)
	} else if !z.keep {
		z.w.Reset(&z.buf)
	}
	_, _ = z.w.Write([]byte(s))
	_ = z.w.Flush()
	return string(bytes.TrimSuffix(z.buf.Bytes(), []byte("\x00\x00\xff\xff")))
}

func (z *zipper) plain(s string) string {
	if !z.keep {
		z.past = nil
	}
	window := 1 << z.bits
	all := append(z.past, s...)
	var out bitWriter
	out.bits(2, 3)          // a block of fixed codes, not the last
	var seen [1 << 12]int32 // by a hash of three bytes, where they were last, plus 1
	at := func(i int) *int32 {
		return &seen[(uint32(all[i])<<10^uint32(all[i+1])<<5^uint32(all[i+2]))%uint32(len(seen))]
	}
	for i := range len(z.past) - 2 {
		*at(i) = int32(i + 1)
	}
	for i := len(z.past); i < len(all); {
		n, back := 0, 0
		if i+3 <= len(all) {
			if was := int(*at(i)) - 1; was >= 0 && i-was <= window {
				back = i - was
				for n < 258 && i+n < len(all) && all[i+n] == all[was+n] {
					n++
				}
			}
		}
		if n < 3 {
			n = 1
			out.literal(int(all[i]))
		} else {
			out.match(n, back)
		}
		for j := i; j < i+n && j+3 <= len(all); j++ {
			*at(j) = int32(j + 1)
		}
		i += n
	}
	out.literal(256)
	out.bits(0, 3) // the head of an empty stored block, whose rest goes without saying
	out.align()
	z.past = bytes.Clone(all[max(0, len(all)-window):])
	return string(out.b)
}

type bitWriter struct {
	b    []byte
	acc  uint32
	have int
}

func (w *bitWriter) bits(v uint32, n int) {
	w.acc |= v << w.have
	for w.have += n; w.have >= 8; w.have -= 8 {
		w.b = append(w.b, byte(w.acc))
		w.acc >>= 8
	}
}

func (w *bitWriter) align() {
	if w.have > 0 {
		w.bits(0, 8-w.have)
	}
}

// code writes a Huffman code, whose first bit is its highest.
func (w *bitWriter) code(v, n int) {
	for n--; n >= 0; n-- {
		w.bits(uint32(v>>n&1), 1)
	}
}

// literal writes a symbol by the fixed code (RFC 1951, 3.2.6).
func (w *bitWriter) literal(v int) {
	switch {
	case v < 144:
		w.code(0x30+v, 8)
	case v < 256:
		w.code(0x190+v-144, 9)
	case v < 280:
		w.code(v-256, 7)
	default:
		w.code(0xc0+v-280, 8)
	}
}

func (w *bitWriter) match(n, back int) {
	i := len(lengthBase) - 1
	for lengthBase[i] > n {
		i--
	}
	w.literal(257 + i)
	w.bits(uint32(n-lengthBase[i]), lengthBits[i])
	i = len(backBase) - 1
	for backBase[i] > back {
		i--
	}
	w.code(i, 5)
	w.bits(uint32(back-backBase[i]), backBits[i])
}

// The tables of RFC 1951, 3.2.5.
var (
	lengthBase = []int{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthBits = []int{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	backBase   = []int{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	backBits   = []int{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

// An unzipper inflates the messages of one direction.
type unzipper struct {
	keep bool
	bits int
	past []byte
}

var errDeflate = errors.New("the compressed data is corrupt (RFC 1951)")

func (u *unzipper) message(s string) (string, error) {
	if !u.keep {
		u.past = nil
	}
	in := bitReader{s: s + "\x00\x00\xff\xff"}
	out := bytes.Clone(u.past)
	for in.at < len(in.s) { // a block ends the message where the data ends
		var err error
		if out, err = in.block(out, 1<<u.bits); err == nil && in.bad {
			err = errDeflate
		}
		if err != nil {
			return "", fmt.Errorf("%w at byte %d of %d", err, in.at, len(s))
		}
	}
	if !in.end {
		return "", errDeflate
	}
	message := string(out[len(u.past):])
	u.past = bytes.Clone(out[max(0, len(out)-1<<u.bits):])
	return message, nil
}

type bitReader struct {
	s    string
	at   int
	acc  uint32
	have int
	bad  bool // read beyond the end
	end  bool // the last block was an empty stored one, as a message's is
	odd  bool // a code has bits that mean nothing, which RFC 1951 leaves open
}

func (r *bitReader) bits(n int) int {
	for r.have < n {
		if r.at == len(r.s) {
			r.bad = true
			return 0
		}
		r.acc |= uint32(r.s[r.at]) << r.have
		r.at++
		r.have += 8
	}
	v := r.acc & (1<<n - 1)
	r.acc >>= n
	r.have -= n
	return int(v)
}

// errOpen says that the RFCs leave it open what the data means.
var errOpen = errors.New("the data is odd")

// block inflates one block. With an error, or with bad, which says that the data
// is not whole, it answers what it has.
func (r *bitReader) block(out []byte, window int) ([]byte, error) {
	r.end = false
	if r.bits(1) == 1 {
		return out, errOpen // it is the last, and others may follow (RFC 7692, 7.2.3.4)
	}
	switch r.bits(2) {
	case 0:
		r.acc, r.have = 0, 0
		if r.bad = r.bad || r.at+4 > len(r.s); r.bad {
			return out, nil
		}
		n := int(r.s[r.at]) | int(r.s[r.at+1])<<8
		m := int(r.s[r.at+2]) | int(r.s[r.at+3])<<8
		r.at += 4
		if n != m^0xffff {
			return out, errDeflate
		}
		r.end = n == 0
		if r.at+n > len(r.s) {
			r.bad, n = true, len(r.s)-r.at
		}
		r.at += n
		return append(out, r.s[r.at-n:r.at]...), nil
	case 1:
		return r.codes(out, window, fixedLengths, fixedBacks)
	case 2:
		lengths, backs, err := r.tables()
		if err != nil || r.bad {
			return out, err
		}
		return r.codes(out, window, lengths, backs)
	}
	return out, errDeflate
}

func (r *bitReader) codes(out []byte, window int, lengths, backs *huffman) ([]byte, error) {
	for {
		v := r.symbol(lengths)
		switch {
		case r.bad:
			return out, nil
		case v < 0 || v > 285:
			return out, errDeflate
		case v < 256:
			out = append(out, byte(v))
			continue
		case v == 256:
			return out, nil
		}
		n := lengthBase[v-257] + r.bits(lengthBits[v-257])
		d := r.symbol(backs)
		if r.bad {
			return out, nil
		}
		if d < 0 || d > 29 {
			return out, errDeflate
		}
		back := backBase[d] + r.bits(backBits[d])
		if r.bad {
			return out, nil
		}
		if back > len(out) {
			return out, errDeflate
		}
		if back > window {
			return out, fmt.Errorf("it refers back by %d bytes with a window of %d (RFC 7692, 7.1.2)", back, window)
		}
		for range n {
			out = append(out, out[len(out)-back])
		}
	}
}

// A huffman is a code: how many symbols have each length, and the symbols in
// their order.
type huffman struct {
	count   [16]int
	symbols []int
}

func newHuffman(lengths []int) *huffman {
	h := &huffman{}
	for n := 1; n < 16; n++ {
		for v, length := range lengths {
			if length == n {
				h.count[n]++
				h.symbols = append(h.symbols, v)
			}
		}
	}
	return h
}

var fixedLengths, fixedBacks = func() (*huffman, *huffman) {
	var lengths [288]int
	for v := range lengths {
		switch {
		case v < 144, v >= 280:
			lengths[v] = 8
		case v < 256:
			lengths[v] = 9
		default:
			lengths[v] = 7
		}
	}
	var backs [32]int // of which the last two never occur
	for v := range backs {
		backs[v] = 5
	}
	return newHuffman(lengths[:]), newHuffman(backs[:])
}()

func (r *bitReader) symbol(h *huffman) int {
	code, begin, index := 0, 0, 0
	for n := 1; n < 16; n++ {
		code |= r.bits(1)
		if r.bad {
			return -1
		}
		if code-begin < h.count[n] {
			return h.symbols[index+code-begin]
		}
		index += h.count[n]
		begin = (begin + h.count[n]) << 1
		code <<= 1
	}
	return -1
}

// tables reads the codes of a block that has its own (RFC 1951, 3.2.7).
func (r *bitReader) tables() (lengths, backs *huffman, err error) {
	nLengths, nBacks, nMeta := r.bits(5)+257, r.bits(5)+1, r.bits(4)+4
	if !r.bad && nLengths > 286 {
		return nil, nil, errDeflate
	}
	var meta [19]int
	for _, v := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}[:nMeta] {
		meta[v] = r.bits(3)
	}
	if r.bad {
		return nil, nil, nil
	}
	code := newHuffman(meta[:])
	if code.left() < 0 {
		return nil, nil, errDeflate
	}
	r.odd = r.odd || code.left() > 0 || nBacks > 30
	var all []int
	for len(all) < nLengths+nBacks {
		v, again := r.symbol(code), 1
		switch {
		case r.bad:
			return nil, nil, nil
		case v < 0 || v == 16 && len(all) == 0:
			return nil, nil, errDeflate
		case v == 16:
			v, again = all[len(all)-1], 3+r.bits(2)
		case v == 17:
			v, again = 0, 3+r.bits(3)
		case v == 18:
			v, again = 0, 11+r.bits(7)
		}
		for range again {
			all = append(all, v)
		}
	}
	if r.bad {
		return nil, nil, nil
	}
	if len(all) > nLengths+nBacks || all[256] == 0 {
		return nil, nil, errDeflate
	}
	lengths, backs = newHuffman(all[:nLengths]), newHuffman(all[nLengths:])
	if lengths.left() < 0 || backs.left() < 0 {
		return nil, nil, errDeflate
	}
	r.odd = r.odd || lengths.left() > 0 || backs.left() > 0
	return lengths, backs, nil
}

// left is how many codes of 15 bits no symbol has; less than 0: some have two.
func (h *huffman) left() int {
	left := 1 << 15
	for n := 1; n < 16; n++ {
		left -= h.count[n] << (15 - n)
	}
	return left
}
