package topic

import (
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
	encoded    atomic.Pointer[encoded]
	size       int64 // bytes that are counted for it; the hub's mu guards it, and what follows
	newer      uint64
	dropped    bool
	prev, next *Message // in the order of all topics
}

// ID is the position behind m.
func (m *Message) ID() ID { return ID{m.Epoch, m.Seq} }

// An encoded is what a message is in one encoding.
type encoded struct {
	as    Encoding
	bytes []byte
	next  *encoded
}

// An Encoding is the index of one of [Options].Encoders.
type Encoding uint8

// overhead is what is counted for a message beside its data, names and encodings.
const overhead = 200

// in is m in an encoding, which is made once and shared.
func (h *Hub) in(m *Message, as Encoding) []byte {
	first := m.encoded.Load()
	for e := first; e != nil; e = e.next {
		if e.as == as {
			return e.bytes
		}
	}
	made := &encoded{as: as, bytes: h.o.Encoders[as](m), next: first}
	for !m.encoded.CompareAndSwap(first, made) {
		first = m.encoded.Load()
		for e := first; e != made.next; e = e.next { // those that are new
			if e.as == as {
				return e.bytes
			}
		}
		made.next = first
	}
	h.encodings.Add(1)
	h.grows(m, int64(len(made.bytes)))
	return made.bytes
}

// grows counts n more bytes for m, unless it is not kept any more.
func (h *Hub) grows(m *Message, n int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.dropped {
		return
	}
	m.size += n
	m.log.bytes += n
	h.bytes += n
}
