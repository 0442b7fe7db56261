package leat

import (
	"iter"
	"sync"

	"github.com/leat-dev/leat/internal/wire/ws"
)

// parts are the frames of a large message, whose payload stays where it is.
type parts struct {
	heads []byte
	all   [][]byte // a frame's header, its payload, the next frame's header, …
	size  int
}

// worthParts is from where a message is not copied if it can be helped.
const worthParts = 16 << 10

var spareParts = sync.Pool{New: func() any { return new(parts) }}

func takeParts() *parts { return spareParts.Get().(*parts) }

// free gives p back, which must not hold on to anybody's message.
func (p *parts) free() {
	clear(p.all)
	p.heads, p.all, p.size = p.heads[:0], p.all[:0], 0
	if cap(p.heads) <= scratchMost {
		spareParts.Put(p)
	}
}

// cut makes frames of m, of no more than most bytes; h is the first one's header.
func (p *parts) cut(h ws.Header, m Message, most int) {
	frames := (len(m.Data) + most - 1) / most
	if room := frames * ws.MaxHeader; cap(p.heads) < room { // so that it does not move
		p.heads = make([]byte, 0, room)
	}
	for h, piece := range framesOf(h, m.Data, m.Last, most) {
		h.Length = int64(len(piece))
		at := len(p.heads)
		p.heads = ws.AppendHeader(p.heads, h)
		p.all = append(p.all, p.heads[at:], piece)
		p.size += len(p.heads) - at + len(piece)
	}
}

// headerOf is the header of m's first frame, but for its length and whether another
// one follows.
func headerOf(m Message, compressed bool) ws.Header {
	if m.Continuation {
		return ws.Header{}
	}
	return ws.Header{Opcode: m.Type.opcode(), RSV1: compressed}
}

// framesOf are the frames of a payload, of no more than most bytes; h is the first
// one's header, and the others go on with it. An empty payload has one, too.
func framesOf(h ws.Header, payload []byte, last bool, most int) iter.Seq2[ws.Header, []byte] {
	return func(yield func(ws.Header, []byte) bool) {
		for {
			n := min(len(payload), most)
			h.Fin = last && n == len(payload)
			if !yield(h, payload[:n]) {
				return
			}
			if payload = payload[n:]; len(payload) == 0 {
				return
			}
			h = ws.Header{}
		}
	}
}
