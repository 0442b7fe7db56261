package load

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// The calls that never block (reads and writes of non-blocking sockets) are raw:
// they skip the scheduler's bookkeeping around a system call.

func read(fd int, b []byte) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(n), e
}

func write(fd int, b []byte) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), syscall.MSG_NOSIGNAL, 0, 0)
	return int(n), e
}

// RaiseFiles lifts the limit on open files as far as it may, and returns it.
func RaiseFiles() int {
	limit := syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
		limit.Cur = limit.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
	return int(limit.Cur)
}

var start = time.Now()

// now is a monotonic clock in nanoseconds.
func now() int64 { return int64(time.Since(start)) }

// A target is a URL with a port on an IPv4 address of loopback.
type target struct {
	addr syscall.SockaddrInet4
	host string
	path string
}

func parseTarget(raw, scheme string) (target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return target{}, err
	}
	ip := net.ParseIP(u.Hostname()).To4()
	port, err := strconv.Atoi(u.Port())
	if err != nil || u.Scheme != scheme || ip == nil || !ip.IsLoopback() {
		return target{}, fmt.Errorf("%q: want %s://127.0.0.1:PORT/PATH", raw, scheme)
	}
	t := target{host: u.Host, path: u.RequestURI()}
	t.addr.Port = port
	copy(t.addr.Addr[:], ip)
	return t, nil
}

// connsPerSource is how many connections one source address carries: few of the
// ports that there are for one pair of addresses, since the kernel looks long for
// a free one when most are taken.
const connsPerSource = 4000

// ipBindAddressNoPort lets the kernel choose the port at connect.
const ipBindAddressNoPort = 24

// dial begins to connect the i-th connection.
func dial(t *target, i int) (fd int, err error) {
	fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, ipBindAddressNoPort, 1)
	source := syscall.SockaddrInet4{Addr: [4]byte{127, 0, byte(i / connsPerSource / 250), byte(2 + i/connsPerSource%250)}}
	if err = syscall.Bind(fd, &source); err == nil {
		addr := t.addr
		err = syscall.Connect(fd, &addr)
	}
	if err != nil && err != syscall.EINPROGRESS {
		_ = syscall.Close(fd)
		return -1, fmt.Errorf("connect: %w", err)
	}
	return fd, nil
}

// cpu is the CPU time that a process has used, in nanoseconds: its clock, read
// from outside. It is what utime and stime of /proc/PID/stat are made of, without
// their steps of 10 ms. Process 0 is this one.
func cpu(pid int) int64 {
	const sched = 2 // CPUCLOCK_SCHED, of a process
	var ts syscall.Timespec
	_, _, e := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, uintptr(^pid)<<3|sched, uintptr(unsafe.Pointer(&ts)), 0)
	if e != 0 {
		return 0
	}
	return ts.Nano()
}

// ticks are utime and stime of /proc/PID/stat.
func ticks(pid int) (user, system int64) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	if f := strings.Fields(rest); len(f) > 12 {
		user, _ = strconv.ParseInt(f[11], 10, 64)
		system, _ = strconv.ParseInt(f[12], 10, 64)
	}
	return user, system
}
