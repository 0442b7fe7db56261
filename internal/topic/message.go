package topic

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Kind says what the data of a message is.
type Kind uint8

// The kinds of data.
const (
	JSON  Kind = iota // a JSON value
	Text              // UTF-8
	Bytes             // anything
)

// A Draft is a message before it is published. The hub keeps its Data.
type Draft struct {
	Kind  Kind
	Data  []byte
	Event string // its name, or ""
	Key   string // which values it is the latest of, or ""
	Once  string // a second one with it, within OnceTime, is the first one; or ""
}

// A Message is one that has been published. It does not change any more.
type Message struct {
	Topic string
	Epoch string // of its id
	Seq   uint64 // its number among those of all topics
	Count int64  // its number among those of its topic
	Time  time.Time
	Kind  Kind
	Event string
	Key   string
	Data  []byte

	log        *log
	making     sync.Mutex // held by who makes an encoding
	encoded    atomic.Pointer[encoded]
	size       int64    // bytes that are counted for it; the hub's mu guards it, and what follows
	newer      *Message // with the same key
	dropped    bool
	prev, next *Message // in the order of all topics
}

// ID is the position behind m.
func (m *Message) ID() ID { return ID{m.Epoch, m.Seq} }

// An encoded is what a message is in one encoding.
type encoded struct {
	as    Encoding
	frame *frame
	next  *encoded
}

// A frame is a message as it goes out. Readers that have got a part of it hold it
// when nobody else does any more.
type frame struct {
	bytes   []byte
	holders int  // the hub's mu guards it, and what follows
	dropped bool // the message is not kept: it counts for who holds it
}

// An Encoding is the index of one of [Options].Encoders.
type Encoding uint8

// overhead is what is counted for a message beside its data, names and encodings.
const overhead = 200

// in is m in an encoding, which is made once and shared.
func (h *Hub) in(m *Message, as Encoding) *frame {
	if f := m.made(as); f != nil {
		return f
	}
	m.making.Lock()
	defer m.making.Unlock()
	if f := m.made(as); f != nil {
		return f
	}
	f := &frame{bytes: h.o.Encoders[as](m)}
	m.encoded.Store(&encoded{as: as, frame: f, next: m.encoded.Load()})
	h.encodings.Add(1)
	h.grows(m, f)
	return f
}

// made is what in has made; nil: nothing yet.
func (m *Message) made(as Encoding) *frame {
	for e := m.encoded.Load(); e != nil; e = e.next {
		if e.as == as {
			return e.frame
		}
	}
	return nil
}

// grows counts a frame for its message, unless that is not kept any more.
func (h *Hub) grows(m *Message, f *frame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.dropped {
		f.dropped = true
		return
	}
	n := int64(len(f.bytes))
	m.size += n
	m.log.bytes += n
	h.bytes += n
	h.drop(m.log, m.log.excess(m.Time))
	h.shrink()
}

// leaves has the frames of a message that is dropped count for who holds them. It
// is called with mu held.
func (h *Hub) leaves(m *Message) {
	for e := m.encoded.Load(); e != nil; e = e.next {
		e.frame.dropped = true
		if e.frame.holders > 0 {
			h.pinned += int64(len(e.frame.bytes))
		}
	}
}

// hold has somebody hold a frame in place of another one. Each may be nil.
func (h *Hub) hold(to **frame, f *frame) {
	if *to == f {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.swap(to, f)
}

// swap is hold for who has mu.
func (h *Hub) swap(to **frame, f *frame) {
	if f != nil {
		if f.holders++; f.holders == 1 && f.dropped {
			h.pinned += int64(len(f.bytes))
		}
	}
	if old := *to; old != nil {
		if old.holders--; old.holders == 0 && old.dropped {
			h.pinned -= int64(len(old.bytes))
		}
	}
	*to = f
}
