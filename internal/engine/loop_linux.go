//go:build amd64 || arm64

package engine

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A loop keeps its share of the connections. It is run by one goroutine, and has
// none, and no descriptor, while it has no connection.
type loop struct {
	e      *Loops
	counts counts

	// turn is odd while a callback runs. Who changes it first, the callback's end
	// or the watch, has the loop.
	turn    atomic.Uint64
	current atomic.Pointer[conn] // whose callback runs
	now     time.Duration        // of the clock, when the runner last looked

	mu    sync.Mutex
	epoll int
	file  *os.File // epoll, as Go's own poller sees it
	raw   syscall.RawConn
	open  atomic.Int32 // connections
	slots [][]*conn
	free  []int32

	inbox inbox
	load  load

	alarms sync.Mutex
	wheel  wheel
}

// An inbox holds the connections that something is to be done about.
type inbox struct {
	mu    sync.Mutex
	conns []*conn
	at    int         // those before it are taken
	awake atomic.Bool // the runner will look before it waits
}

// slotsEach is how many connections one piece of the table of slots has. It
// grows by pieces, so that nothing is copied and at most one piece is spare.
const slotsEach = 1 << 10

// epoch is what the clock of all loops counts from.
var epoch = time.Now()

func clock() time.Duration { return time.Since(epoch) }

// tickOf is the wheel's tick at, or the next after, a time of the clock, which is
// above zero and may be the last there is.
func tickOf(at time.Duration) int64 { return int64((at-1)/time.Millisecond) + 1 }

// enter takes c in.
func (l *loop) enter(c *conn) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits = waitsIn
	return l.admit(c)
}

// admit gives c a slot. It is called with c's mu held.
func (l *loop) admit(c *conn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.start(); err != nil {
		return err
	}
	if len(l.free) == 0 {
		first := int32(len(l.slots) * slotsEach)
		l.slots = append(l.slots, make([]*conn, slotsEach))
		for i := first + slotsEach - 1; i >= first; i-- {
			l.free = append(l.free, i)
		}
	}
	c.slot = l.free[len(l.free)-1]
	l.free = l.free[:len(l.free)-1]
	l.slots[c.slot/slotsEach][c.slot%slotsEach] = c
	if err := l.control(unix.EPOLL_CTL_ADD, c); err != nil {
		l.release(c.slot)
		return err
	}
	l.open.Add(1)
	return nil
}

// ready is start for who does not hold mu.
func (l *loop) ready() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.start()
}

// start sees to it that the loop runs. It is called with mu held.
func (l *loop) start() error {
	if l.file != nil {
		return nil
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if err = unix.SetNonblock(fd, true); err != nil { // so that Go's poller takes it
		_ = unix.Close(fd)
		return os.NewSyscallError("fcntl", err)
	}
	file := os.NewFile(uintptr(fd), "epoll")
	raw, err := file.SyscallConn()
	if err == nil {
		err = file.SetReadDeadline(time.Time{})
	}
	if err != nil {
		_ = file.Close() // nobody has used it
		return err
	}
	l.epoll, l.file, l.raw = fd, file, raw
	l.wheel.now = max(l.wheel.now, int64(clock()/time.Millisecond))
	go l.run()
	return nil
}

// stop ends a loop that has no connection. It answers false when one has come.
func (l *loop) stop() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open.Load() > 0 {
		return false
	}
	_ = l.file.Close() // it has nothing to say
	l.file, l.raw, l.slots, l.free = nil, nil, nil, nil
	return true
}

// control tells the system what c waits for. Its connection is alive.
func (l *loop) control(op int, c *conn) error {
	ev := unix.EpollEvent{Events: c.waits.epoll(), Fd: c.slot}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.epoll, op, int(c.fd), &ev))
}

// in is the connection in a slot: nil when it has gone since.
func (l *loop) in(slot int32) *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.slots[slot/slotsEach][slot%slotsEach]
}

// all are the connections of the loop.
func (l *loop) all() []*conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]*conn, 0, l.open.Load())
	for _, piece := range l.slots {
		for _, c := range piece {
			if c != nil {
				list = append(list, c)
			}
		}
	}
	return list
}

// release takes a slot back. It is called with mu held.
func (l *loop) release(slot int32) {
	l.slots[slot/slotsEach][slot%slotsEach] = nil
	l.free = append(l.free, slot)
}

// post has the runner see to c.
func (l *loop) post(c *conn) {
	l.inbox.put(c)
	l.wake()
}

// wake ends the runner's wait. A deadline that has passed does so without a
// system call, and once for all who ask.
func (l *loop) wake() {
	if !l.inbox.awake.Swap(true) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.file != nil {
			_ = l.file.SetReadDeadline(time.Unix(1, 0)) // it takes deadlines
		}
	}
}

func (i *inbox) put(c *conn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if n := len(i.conns); n == cap(i.conns) && i.at > n/2 { // it may never get empty
		left := copy(i.conns, i.conns[i.at:])
		clear(i.conns[left:])
		i.conns, i.at = i.conns[:left], 0
	}
	i.conns = append(i.conns, c)
}

func (i *inbox) take() *conn {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.at == len(i.conns) {
		return nil
	}
	c := i.conns[i.at]
	i.conns[i.at] = nil
	if i.at++; i.at == len(i.conns) {
		i.at, i.conns = 0, i.conns[:0]
		if cap(i.conns) > inboxKeeps {
			i.conns = nil
		}
	}
	return c
}

// inboxKeeps is the room that an inbox keeps for the next crowd.
const inboxKeeps = 1 << 10

func (i *inbox) empty() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.at == len(i.conns)
}
