//go:build !linux

package serve

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// LimitSendBuffer bounds what the kernel queues for a reader that does not
// read. n is in bytes.
func LimitSendBuffer(c syscall.Conn, n int) error {
	if b, ok := c.(interface{ SetWriteBuffer(bytes int) error }); ok {
		return b.SetWriteBuffer(n)
	}
	if w, ok := c.(*Conn); ok {
		if b, ok := w.Conn.(*net.TCPConn); ok {
			return b.SetWriteBuffer(n)
		}
	}
	return nil
}

// LimitSilence has the kernel give up a peer that acknowledges nothing for d.
// Here it does that in its own time.
func LimitSilence(syscall.Conn, time.Duration) error { return errors.ErrUnsupported }

// StopKeepAlive turns the kernel's keep-alive probes off, where something else
// finds out that the peer has gone.
func StopKeepAlive(c syscall.Conn) error {
	if k, ok := c.(interface{ SetKeepAlive(on bool) error }); ok {
		return k.SetKeepAlive(false)
	}
	return errors.ErrUnsupported
}
