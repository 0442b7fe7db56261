//go:build amd64 || arm64

package engine

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sockets are never waited for here, so that their calls need not tell Go's
// scheduler that they might block. What that saves is what an idle machine
// spends on a message.

func receive(fd int32, b []byte) (int, syscall.Errno) {
	for {
		n, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
		if e != unix.EINTR {
			heard(fd)
			return int(n), e
		}
	}
}

func transmit(fd int32, b []byte) (int, syscall.Errno) {
	told(fd)
	for {
		n, _, e := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, 0, 0)
		if e != unix.EINTR {
			return int(n), e
		}
	}
}

// gatherMost is how many parts one call takes.
const gatherMost = 32

// gather transmits the parts as one, or as much as one call takes of them.
func gather(fd int32, parts [][]byte) (int, syscall.Errno) {
	told(fd)
	var vec [gatherMost]unix.Iovec
	n := 0
	for _, b := range parts {
		if len(b) == 0 {
			continue
		}
		if n == len(vec) {
			break
		}
		vec[n].Base = unsafe.SliceData(b)
		vec[n].SetLen(len(b))
		n++
	}
	msg := unix.Msghdr{Iov: &vec[0], Iovlen: uint64(n)}
	for {
		n, _, e := syscall.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
		if e != unix.EINTR {
			return int(n), e
		}
	}
}

// queueUpTo has the kernel queue so many bytes for the peer, besides those that
// are under way. A unix socket does not have that.
func queueUpTo(fd int32, n int) {
	v := int32(n)
	_, _, _ = syscall.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, uintptr(unsafe.Pointer(&v)), unsafe.Sizeof(v), 0)
}

// queued is how many bytes the system holds for the peer.
func queued(fd int32) int32 {
	n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	return int32(n)
}

// hungUp says whether the peer has ended its half of a connection that has
// nothing more to be read.
func hungUp(fd int32) bool {
	n, e := peek(fd)
	return e == 0 && n == 0
}

// unread says whether there is something to be read.
func unread(fd int32) bool {
	n, e := peek(fd)
	return e == 0 && n > 0
}

func peek(fd int32) (int, syscall.Errno) {
	var b [1]byte
	n, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), 1, unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
	return int(n), e
}

// failure is why a connection has failed. Its descriptor may have been closed
// since: then it was reset.
func failure(fd int32) syscall.Errno {
	if n, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR); err == nil && n != 0 {
		return syscall.Errno(n)
	}
	return unix.ECONNRESET
}

func poll(epoll uintptr, events []unix.EpollEvent) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, epoll, uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
	return int(n), e
}
