package serve

import (
	"errors"
	"math"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// LimitSendBuffer bounds what the kernel queues for a reader that does not
// read: without it that is 4 MiB. n is in bytes.
func LimitSendBuffer(c syscall.Conn, n int) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, n)
		if errors.Is(set, unix.ENOPROTOOPT) || errors.Is(set, unix.EOPNOTSUPP) { // a unix socket
			set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, n)
		}
	})
	return errors.Join(err, set)
}

// StopKeepAlive turns the kernel's keep-alive probes off, where something else
// finds out that the peer has gone. A million idle connections would be probed
// 67,000 times a second.
func StopKeepAlive(c syscall.Conn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0) })
	return errors.Join(err, set)
}

// LimitSilence has the kernel give up a peer that acknowledges nothing, or keeps
// its window shut, for d: by itself it tries for a quarter of an hour. Zero is
// the kernel's own time.
func LimitSilence(c syscall.Conn, d time.Duration) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(min(d.Milliseconds(), math.MaxInt32)))
	})
	return errors.Join(err, set)
}
