package load

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

// An Idle is a load of connections that say nothing: WebSockets, of which each
// has one message echoed once, or readers of streams that get a record when they
// open and one later.
type Idle struct {
	URL   string
	Kind  string // WebSocket, SSE or NDJSON
	Conns int
	Size  int           // bytes of the message that is echoed; 0 is 1 KiB
	Hold  time.Duration // before memory is read; 0 is 2 s
	PID   int           // of the server's process
}

// An IdleResult is what was measured, for each connection.
type IdleResult struct {
	Conns int `json:"conns"`
	// Before and After are what the server's process holds for a connection, in
	// bytes, before and after the echo, or the second record. What it held once
	// the first few connections had come and gone is not in it.
	Before float64 `json:"before"`
	After  float64 `json:"after"`
	Memory float64 `json:"memory"` // all that the process holds at the end, in bytes
	// Slab and Buffers are what the kernel holds for a socket, in bytes. There are
	// two for a connection, since both ends are here; other processes are in it.
	Slab    float64 `json:"slab"`
	Buffers float64 `json:"buffers"`
	Connect float64 `json:"connect"` // CPU time of the server for a connection to open, µs
	Busy    float64 `json:"busy"`    // CPU time of the server while all are idle, µs a second
}

// warmers are the first few connections.
const warmers = 10

// An idler is a loop of connections that can be idle.
type idler interface {
	socketLoop() *loop
	// await waits until everything that comes with opening is in.
	await() error
	// exchange has each connection receive something once more.
	exchange() error
}

// Run puts the load on the server. What it sends is compared byte by byte.
func (i *Idle) Run() (IdleResult, error) {
	o := *i
	if o.Conns < 1 || o.PID < 1 {
		return IdleResult{}, errors.New("want connections, and the server's process")
	}
	if o.Size == 0 {
		o.Size = 1 << 10
	}
	if o.Hold == 0 {
		o.Hold = 2 * time.Second
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := o.warm(); err != nil {
		return IdleResult{}, err
	}
	return o.measure()
}

// warm has the first few connections come and go.
func (i *Idle) warm() error {
	h, err := i.newIdler(10 * time.Millisecond)
	if err != nil {
		return err
	}
	defer h.socketLoop().close()
	if err := h.socketLoop().connect(warmers); err != nil {
		return err
	}
	if err := h.await(); err != nil {
		return err
	}
	return h.exchange()
}

func (i *Idle) measure() (r IdleResult, err error) {
	// The second record comes when all are open and have been idle for a while.
	h, err := i.newIdler(i.Hold*3 + time.Duration(i.Conns)*300*time.Microsecond)
	if err != nil {
		return r, err
	}
	l, n := h.socketLoop(), float64(i.Conns)
	defer l.close()
	if err := l.pollFor(i.Hold / 2); err != nil { // the first few are gone
		return r, err
	}
	base, kernel, buffers := memory(i.PID), slab(), socketBuffers()
	begin := markNow(i.PID)
	if err := l.connect(i.Conns); err != nil {
		return r, err
	}
	if err := h.await(); err != nil {
		return r, err
	}
	r.Conns, r.Connect = i.Conns, spent(begin, markNow(i.PID), int64(i.Conns)).CPU
	if err := l.pollFor(i.Hold / 2); err != nil { // what opening has left behind is done
		return r, err
	}
	begin = markNow(i.PID)
	if err := l.pollFor(i.Hold / 2); err != nil {
		return r, err
	}
	end := markNow(i.PID)
	r.Busy = float64(end.server-begin.server) / 1e3 / (float64(end.time-begin.time) / 1e9)
	r.Before = float64(memory(i.PID)-base) / n
	r.Slab, r.Buffers = float64(slab()-kernel)/n/2, float64(socketBuffers()-buffers)/n/2
	if err := h.exchange(); err != nil {
		return r, err
	}
	if err := l.pollFor(i.Hold); err != nil {
		return r, err
	}
	r.Memory = float64(memory(i.PID))
	r.After = (r.Memory - float64(base)) / n
	return r, nil
}

func (i *Idle) newIdler(every time.Duration) (idler, error) {
	if i.Kind == WebSocket {
		h, err := newEchoer(&Echo{URL: i.URL, Size: i.Size, Depth: 1, Fragments: 1})
		if err != nil {
			return nil, err
		}
		h.stopped = true
		return idleSockets{h}, nil
	}
	h, err := newReader(i.Kind, fmt.Sprintf("%s?every=%v", i.URL, every))
	if err != nil {
		return nil, err
	}
	return &idleReaders{h, 0}, nil
}

// idleSockets are WebSockets.
type idleSockets struct{ *echoer }

func (h idleSockets) socketLoop() *loop { return h.loop }

func (h idleSockets) await() error { return nil }

// exchange has few echoes under way at once: a server is idle but for them.
func (h idleSockets) exchange() error {
	const most = 64
	var sent int
	for _, c := range h.loop.conns {
		c.when = make([]int64, 1)
		h.send(c, 1, now())
		sent++
		ok, err := h.loop.pollUntil(patience, func() bool { return sent-h.echoes < most })
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%d echoes never came", sent-h.echoes)
		}
	}
	return h.drain()
}

// idleReaders are readers of streams.
type idleReaders struct {
	*reader
	records uint32 // that each has
}

func (h *idleReaders) socketLoop() *loop { return h.loop }

// await waits for the record that each gets when it opens.
func (h *idleReaders) await() error {
	h.records++
	return h.atLeast(h.records)
}

// exchange waits for one more.
func (h *idleReaders) exchange() error { return h.await() }
