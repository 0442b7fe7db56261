package load

import (
	"bytes"
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxHead bounds the head of an answer.
const maxHead = 64 << 10

// A loop drives its connections with one level-triggered epoll.
type loop struct {
	epoll   int
	target  target
	handler handler
	request []byte // that each connection sends first
	byFD    []*conn
	conns   []*conn
	buf     []byte
	events  []syscall.EpollEvent
	opening int // connections that are dialled but not open
	err     error
}

// A handler is the work that a loop does. An error of it is the loop's.
type handler interface {
	// opened judges the head of the answer to a connection's request.
	opened(c *conn, head []byte) error
	// read takes what one read has brought behind the head.
	read(c *conn, b []byte) error
	// ended says whether the server may close the connection now.
	ended(c *conn) error
}

// errEnded is what most handlers say to that.
var errEnded = errors.New("the server closed the connection")

type conn struct {
	fd      int
	id      uint32
	open    bool
	writing bool   // epoll tells when the socket takes more
	out     []byte // what it did not take yet
	head    []byte // of the answer, while it comes

	sent, received uint32  // messages
	when           []int64 // when the messages under way were sent
	gathered       []byte  // of a compressed message, or of a line
	parser         parser  // of a WebSocket
	offset         int     // in the file that comes
	chunks         chunked // of a stream
	unchunked      bool    // it is not in any
	event          []byte  // the data of one
	inEvent        bool    // it has come, and the end of the event has not
}

func newLoop(t target, h handler, request string) (*loop, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &loop{
		epoll: epoll, target: t, handler: h, request: []byte(request),
		buf: make([]byte, 512<<10), events: make([]syscall.EpollEvent, 1024),
	}, nil
}

func (l *loop) close() {
	for _, c := range l.conns {
		if l.byFD[c.fd] == c {
			_ = syscall.Close(c.fd)
		}
	}
	_ = syscall.Close(l.epoll)
}

func (l *loop) fail(c *conn, err error) {
	if l.err == nil {
		l.err = fmt.Errorf("connection %d: %w", c.id, err)
	}
	l.drop(c)
}

// drop closes a connection.
func (l *loop) drop(c *conn) {
	if l.byFD[c.fd] == c {
		l.byFD[c.fd] = nil
		_ = syscall.Close(c.fd)
	}
}

// connect opens n connections, so many at a time that no listen queue overflows.
func (l *loop) connect(n int) error {
	const most = 256
	deadline := time.Now().Add(time.Minute)
	for len(l.conns) < n || l.opening > 0 {
		for len(l.conns) < n && l.opening < most {
			if err := l.dial(); err != nil {
				return err
			}
		}
		if l.poll(100); l.err != nil {
			return l.err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("only %d of %d connections have opened in time", len(l.conns)-l.opening, n)
		}
	}
	return nil
}

func (l *loop) dial() error {
	fd, err := dial(&l.target, len(l.conns))
	if err != nil {
		return err
	}
	c := &conn{fd: fd, id: uint32(len(l.conns)), out: l.request, writing: true}
	if fd >= len(l.byFD) {
		l.byFD = append(l.byFD, make([]*conn, fd+1024-len(l.byFD))...)
	}
	l.byFD[fd] = c
	l.conns = append(l.conns, c)
	l.opening++
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLOUT, Fd: int32(fd)}
	if err := syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// pollUntil goes on until done says so, at most for d, and says whether it did.
func (l *loop) pollUntil(d time.Duration, done func() bool) (bool, error) {
	for end := now() + int64(d); ; l.poll(10) {
		switch {
		case l.err != nil:
			return false, l.err
		case done():
			return true, nil
		case now() > end:
			return false, nil
		}
	}
}

// pollFor goes on for d.
func (l *loop) pollFor(d time.Duration) error {
	_, err := l.pollUntil(d, func() bool { return false })
	return err
}

// poll waits at most so many milliseconds for events, and handles them.
func (l *loop) poll(ms int) {
	n, err := syscall.EpollWait(l.epoll, l.events, ms)
	if err != nil {
		if err != syscall.EINTR && l.err == nil {
			l.err = fmt.Errorf("epoll: %w", err)
		}
		return
	}
	for _, ev := range l.events[:n] {
		c := l.byFD[ev.Fd]
		if c != nil && ev.Events&syscall.EPOLLOUT != 0 {
			l.flush(c)
		}
		if l.byFD[ev.Fd] != nil && ev.Events&^syscall.EPOLLOUT != 0 {
			l.readable(c)
		}
	}
}

func (l *loop) readable(c *conn) {
	n, e := read(c.fd, l.buf)
	switch {
	case e == syscall.EAGAIN || e == syscall.EINTR:
		return
	case e != 0:
		l.fail(c, fmt.Errorf("read: %w", e))
		return
	case n == 0:
		if err := l.handler.ended(c); err != nil {
			l.fail(c, err)
		} else {
			l.drop(c)
		}
		return
	}
	b := l.buf[:n]
	if !c.open {
		var err error
		if b, err = l.answer(c, b); err != nil {
			l.fail(c, err)
			return
		}
	}
	if len(b) == 0 {
		return
	}
	if err := l.handler.read(c, b); err != nil {
		l.fail(c, err)
	}
}

// answer reads the head of the server's answer, and returns what is behind it.
func (l *loop) answer(c *conn, b []byte) (rest []byte, err error) {
	c.head = append(c.head, b...)
	end := bytes.Index(c.head, []byte("\r\n\r\n"))
	switch {
	case end < 0 && len(c.head) > maxHead:
		return nil, fmt.Errorf("the server answers %.80q, and no end of it", c.head)
	case end < 0:
		return nil, nil
	}
	head := c.head[:end+4]
	rest, c.head = c.head[end+4:], nil
	c.open = true
	l.opening--
	return rest, l.handler.opened(c, head)
}

// again sends the request once more, on a connection whose answer is in.
func (l *loop) again(c *conn) {
	c.open = false
	l.opening++
	l.send(c, l.request)
}

// send writes b, and keeps what the socket does not take.
func (l *loop) send(c *conn, b []byte) {
	if len(c.out) > 0 {
		c.out = append(c.out, b...)
		return
	}
	n, e := write(c.fd, b)
	if e == syscall.EAGAIN {
		n, e = 0, 0
	}
	if e != 0 {
		l.fail(c, fmt.Errorf("write: %w", e))
		return
	}
	if n < len(b) {
		c.out = append([]byte(nil), b[n:]...)
		l.want(c, true)
	}
}

func (l *loop) flush(c *conn) {
	if len(c.out) > 0 {
		n, e := write(c.fd, c.out)
		if e == syscall.EAGAIN {
			return
		}
		if e != 0 {
			l.fail(c, fmt.Errorf("write: %w", e))
			return
		}
		if c.out = c.out[n:]; len(c.out) > 0 {
			return
		}
	}
	c.out = nil
	l.want(c, false)
}

// want says whether epoll shall tell when the socket takes more.
func (l *loop) want(c *conn, writing bool) {
	if c.writing == writing {
		return
	}
	c.writing = writing
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(c.fd)}
	if writing {
		ev.Events |= syscall.EPOLLOUT
	}
	_ = syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_MOD, c.fd, &ev)
}

// segments are those with data that the kernel has counted for all connections.
func (l *loop) segments() (n int64) {
	for _, c := range l.conns {
		if info, err := unix.GetsockoptTCPInfo(c.fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n += int64(info.Data_segs_in)
		}
	}
	return n
}
