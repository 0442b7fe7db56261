package leat

import (
	"github.com/leat-dev/leat/internal/deflate"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// A half is how one end compresses what it sends: 0 for not at all.
type half uint8

// keepsContext is the bit that stands beside a half's window.
const keepsContext half = 1 << 7

// halfOf is how the server, or else the client, compresses.
func halfOf(d *ws.Deflate, server bool) half {
	context, bits := d.Sends(server)
	h := half(bits) // 8 to 15
	if context {
		h |= keepsContext
	}
	return h
}

// keeps says whether what has been compressed is kept for what follows.
func (h half) keeps() bool { return h&keepsContext != 0 }

// bits are those of the window.
func (h half) bits() int { return int(h &^ keepsContext) }

// A deflater compresses what a socket sends that keeps its context: what has been
// compressed must be sent.
type deflater struct{ deflate.Compressor }

func newDeflater(h half) *deflater {
	return &deflater{deflate.NewCompressor(true, h.bits())}
}

// deflate appends a compressed piece of a message to dst. It is called with the
// senders' lock held.
func (s *Socket) deflate(dst, payload []byte, last bool) []byte {
	if s.out.keeps() {
		return s.annex.deflater.Append(dst, payload, last)
	}
	return deflate.Append(dst, payload, last, s.out.bits())
}

// deflateMost is the most that n bytes become when they do not compress.
func deflateMost(n int) int { return n + n/1024 + 64 }
