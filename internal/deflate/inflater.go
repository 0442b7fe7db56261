package deflate

import "math"

// An Inflater inflates the messages of one direction of a connection, one after
// the other. It is for one goroutine.
type Inflater struct {
	z       *inflate // lent by the pool while a message is under way
	context []byte   // what the next message may refer to
	limit   int64
	left    int64 // bytes that the message may still have; below zero: it is too large
	err     error
	window  int32
	keep    bool // the context, from message to message
	open    bool // a message is under way
	fed     bool // it has had a byte
	ended   bool // and its tail
}

// NewInflater returns an Inflater for a sender that keeps its context or does
// not, and whose window has 2^bits bytes, for bits of 8 to 15. A window of 8 is
// taken as one of 9, since zlib makes 512 bytes of 256. No message may inflate
// to more than limit bytes; zero or less is no limit.
func NewInflater(context bool, bits int, limit int64) Inflater {
	return Inflater{window: int32(max(1<<windowBits(bits), 512)), keep: context, limit: limit}
}

// Next inflates src, a piece of a message, and answers up to 64 KiB of what comes
// out, what is left of src, and whether there is more to come from it: call it
// again with the rest, until there is not. The output is good until the next
// call of Next or Release. last says that the message ends with src.
//
// An error is a *[CorruptError] or a *[LimitError], and stays; which of them does
// not depend on the pieces. Of a message that is too large all bytes up to the
// limit are given out first, and none beyond it.
func (f *Inflater) Next(src []byte, last bool) (out, rest []byte, more bool, err error) {
	if f.err == nil {
		out, rest, more, f.err = f.next(src, last)
	}
	if f.err != nil {
		f.Release()
		return nil, nil, false, f.err
	}
	return out, rest, more, nil
}

// Release gives the memory of the last message back. Call it when what Next
// answered is used and the message has ended, or when there will be no more; a
// message that it cuts off is lost.
func (f *Inflater) Release() {
	if f.z == nil {
		return
	}
	f.z.in = nil
	pool.Put(f.z)
	f.z = nil
}

// tail is what a sender takes off each message (RFC 7692, 7.2.1).
var tail = [4]byte{0, 0, 0xff, 0xff}

func (f *Inflater) next(src []byte, last bool) (out, rest []byte, more bool, err error) {
	if !f.open {
		f.begin()
	}
	if f.left < 0 {
		return nil, nil, false, &LimitError{f.limit}
	}
	z := f.z
	z.slide(f.left)
	if !f.ended {
		z.in = src
		f.fed = f.fed || len(src) > 0
	}
	if err := z.run(); err != nil {
		return nil, nil, false, err
	}
	if last && !z.full() {
		if err := f.end(); err != nil {
			return nil, nil, false, err
		}
	}
	if !f.ended {
		rest = z.in
	}
	out = z.buf[z.given:z.at:z.at]
	z.given = z.at
	if f.left -= int64(len(out)); f.left < 0 {
		return out[:len(out)-1], rest, true, nil
	}
	if z.full() {
		return out, rest, true, nil
	}
	z.in = nil // nobody's bytes are held
	if last {
		f.open = false
		f.remember()
	}
	return out, nil, false, nil
}

func (f *Inflater) begin() {
	if f.z == nil {
		f.z = pool.Get().(*inflate)
	}
	f.z.reset(f.context, int(f.window))
	f.open, f.fed, f.ended = true, false, false
	if f.left = f.limit; f.limit <= 0 {
		f.left = math.MaxInt64
	}
}

// end feeds the tail, once the message's own bytes are used up, and checks that
// it ends the message. Two kinds of message do without: one that ends with a
// block marked as the last (RFC 7692, 7.2.3.4, wants a byte behind it, which not
// everybody sends), and one without a byte, which is how zlib flushes nothing
// twice.
func (f *Inflater) end() error {
	z := f.z
	if !f.ended {
		if !f.fed || z.final && z.step == stepHeader && z.have == 0 {
			return nil
		}
		f.ended = true
		z.in = tail[:]
		if err := z.run(); err != nil || z.full() {
			return err
		}
	}
	if z.step != stepHeader || z.have > 0 {
		return &CorruptError{"the message is cut off"}
	}
	return nil
}

// remember keeps what the next message may refer to.
func (f *Inflater) remember() {
	if z := f.z; f.keep {
		f.context = append(f.context[:0], z.buf[max(0, z.at-int(f.window)):z.at]...)
	}
}
