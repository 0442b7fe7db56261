package leat

import (
	"hash/maphash"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/leat-dev/leat/internal/serve"
)

// settings are what a socket is told: SocketOptions resolved. Sockets that are
// told the same share them; nobody changes them.
type settings struct {
	callbacks
	*terms
	users atomic.Int64
}

// callbacks are what the user is called by.
type callbacks struct {
	open, writable func(*Socket)
	message        func(*Socket, Message)
	closed         func(*Socket, int, string, error)
	ping, pong     func(*Socket, []byte)
}

// events says whether the socket is in the event style.
func (c *callbacks) events() bool {
	return c.open != nil || c.message != nil || c.writable != nil || c.closed != nil
}

// terms are the rest: positive, or 0 for none.
type terms struct {
	srv      *Server
	opens    *atomic.Int64 // what limits.webSockets counts; nil on a client
	client   bool
	protocol string

	pingEvery, write, inactivity, request time.Duration

	queue, maxMessage, maxFrame int
	maxPacket                   int // 0: whole messages
	sendBuffer                  int // 0: the kernel's own

	deflateMin int
	anyText    bool
	frames     bool
}

// deflateMin is where compression begins to pay: below, the bytes saved are few
// and fit into the same packet anyway.
const deflateMin = 256

// terms resolves o, which may be nil, for a socket of this server.
func (o *SocketOptions) terms(srv *Server, b *serve.Bounds) terms {
	if o == nil {
		o = &SocketOptions{}
	}
	c := b.Sockets
	size := func(own, configured int64) int {
		n := first(own, configured)
		if n <= 0 || n > unbounded {
			return unbounded
		}
		return int(n)
	}
	r := terms{
		srv:        srv,
		pingEvery:  positive(first(o.PingEvery, c.Ping)),
		write:      positive(first(o.Write, b.Write)),
		inactivity: positive(first(o.Inactivity, b.Inactivity)),
		request:    o.Request,
		queue:      size(o.Queue, b.Queue),
		maxMessage: size(o.MaxMessage, c.MaxMessage),
		maxFrame:   size(o.MaxFrame, c.MaxFrame),
		maxPacket:  size(o.MaxPacket, c.MaxPacket),
		sendBuffer: int(min(b.SendBuffer, unbounded)),
		deflateMin: first(o.DeflateMin, deflateMin),
		anyText:    !o.ValidateUTF.or(!c.AnyText),
		frames:     o.PreserveFrames.or(c.Frames),
	}
	if r.maxPacket >= r.maxMessage {
		r.maxPacket = 0
	}
	if b.Whole {
		r.request = first(o.Request, b.Request)
	}
	r.request = positive(r.request)
	return r
}

// callbacks are those of o, which may be nil.
func (o *SocketOptions) callbacks() callbacks {
	if o == nil {
		return callbacks{}
	}
	return callbacks{open: o.Open, writable: o.Writable, message: o.Message, closed: o.Close, ping: o.Ping, pong: o.Pong}
}

// A shelf is where a server keeps the settings of its sockets, for those to
// come. It keeps callbacks only as long as a socket has them: they may hold much.
type shelf struct {
	terms    serve.Shelf[terms]
	settings [16]atomic.Pointer[settings]
}

var seed = maphash.MakeSeed()

// place is where settings of these are kept.
func (s *shelf) place(f *callbacks, t *terms) *atomic.Pointer[settings] {
	key := struct {
		of [callbackCount]uintptr
		t  *terms
	}{f.pointers(), t}
	return &s.settings[maphash.Comparable(seed, key)%uint64(len(s.settings))]
}

// take answers settings of these, for one more socket.
func (s *shelf) take(f callbacks, t terms) *settings {
	shared := s.terms.Share(t)
	place := s.place(&f, shared)
	o := place.Load()
	if o == nil || o.terms != shared || o.pointers() != f.pointers() {
		o = &settings{callbacks: f, terms: shared}
		place.Store(o)
	}
	o.users.Add(1)
	return o
}

// leave is said by a socket that has ended. It may still read them.
func (o *settings) leave() {
	if o.users.Add(-1) == 0 {
		o.srv.settings.place(&o.callbacks, o.terms).CompareAndSwap(o, nil)
	}
}

const callbackCount = unsafe.Sizeof(callbacks{}) / unsafe.Sizeof(uintptr(0))

// pointers tell one function from another, which Go's == does not do. A func is a
// pointer to what it captures, so that the same pointer is the same function with
// the same captures; and while it is kept nothing else has that address. Equal
// functions may have different pointers, and are not shared then.
func (c *callbacks) pointers() [callbackCount]uintptr {
	return *(*[callbackCount]uintptr)(unsafe.Pointer(c))
}
