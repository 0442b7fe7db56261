//go:build unix

package engine

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/leat-dev/leat/internal/buffer"
)

// A bare link is a socket of the system. It is a source that needs no memory
// while it waits for bytes, and it writes without a deadline what need not wait.
type bare struct {
	conn   syscall.RawConn
	reads  func(fd uintptr) bool // read
	writes func(fd uintptr) bool // write

	// What is read.
	in   *buffer.Buffer
	much bool // the next read is into much
	got  int
	err  error

	// What is written, by whoever writes.
	out  []byte
	sent int
}

// What is read at once, little or much. Both have room for a message of such a
// size with its header; see package buffer.
const (
	littleSize = 4 << 10
	muchSize   = 64 << 10
)

// bareOf is nil for a link that has anything of its own between itself and the
// system: it must not be passed by.
func bareOf(l Link) *bare {
	if over, ok := l.(interface{ Bare() net.Conn }); ok {
		l = over.Bare()
	}
	c := socketOf(l)
	if c == nil {
		return nil
	}
	conn, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	b := &bare{conn: conn}
	b.reads, b.writes = b.read, b.write
	return b
}

// socketOf is l if it is a socket of the system and nothing else, else nil.
func socketOf(l any) syscall.Conn {
	switch l := l.(type) {
	case *net.TCPConn:
		return l
	case *net.UnixConn:
		return l
	}
	return nil
}

func (b *bare) next() ([]byte, error) {
	b.got, b.err = 0, nil
	err := b.conn.Read(b.reads)
	switch {
	case err != nil:
		return nil, err
	case b.err != nil:
		return nil, os.NewSyscallError("read", b.err)
	case b.got == 0:
		return nil, io.EOF
	}
	b.much = b.got == cap(b.in.B) || b.much && b.got > littleSize
	return b.in.B[:b.got], nil
}

// read is called when there may be something to read, and answers whether there
// was.
func (b *bare) read(fd uintptr) bool {
	size := littleSize
	if b.much {
		size = muchSize
	}
	b.in = buffer.Get(size)
	b.got, b.err = again(syscall.Read, int(fd), b.in.B[:cap(b.in.B)])
	if errors.Is(b.err, syscall.EAGAIN) {
		b.free()
		return false
	}
	return true
}

func (b *bare) free() {
	b.in.Free()
	b.in = nil
}

// writeNow writes what the system takes without waiting: maybe nothing, and
// nothing where there is an error, which the link's own Write will tell.
func (b *bare) writeNow(p []byte) int {
	b.out, b.sent = p, 0
	if b.conn.Write(b.writes) != nil {
		b.sent = 0
	}
	b.out = nil
	return max(0, b.sent)
}

func (b *bare) write(fd uintptr) bool {
	b.sent, _ = again(syscall.Write, int(fd), b.out)
	return true
}

// again makes a system call until no signal interrupts it.
func again(call func(int, []byte) (int, error), fd int, p []byte) (n int, err error) {
	for {
		if n, err = call(fd, p); !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}
