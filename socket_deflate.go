package leat

import (
	"github.com/leat-dev/leat/internal/deflate"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// An inflater inflates what the peer sends.
type inflater struct {
	deflate.Inflater
	text ws.UTF8 // of the message under way
}

func newInflater(d ws.Deflate, client bool, limit int64) *inflater {
	context, bits := d.Sends(client) // the peer's half
	return &inflater{Inflater: deflate.NewInflater(context, bits, limit)}
}

// A deflater compresses what the socket sends.
type deflater struct {
	deflate.Compressor
	context bool // what has been compressed must be sent
}

func newDeflater(d ws.Deflate, client bool) *deflater {
	context, bits := d.Sends(!client)
	return &deflater{Compressor: deflate.NewCompressor(context, bits), context: context}
}

// deflateMost is the most that n bytes become when they do not compress.
func deflateMost(n int) int { return n + n/1024 + 64 }
