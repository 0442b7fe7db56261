package engine

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// A Wire is the connection beneath a tls.Server that an engine may take out from
// under it. Until then it is the connection it was made of. A listener puts it
// there before the handshake, since a tls.Conn cannot be given another one later.
type Wire struct {
	conn          net.Conn // nil once an engine has it
	local, remote net.Addr
	fed           atomic.Pointer[feed]
}

// NewWire makes a Wire of a connection.
func NewWire(c net.Conn) *Wire { return &Wire{conn: c, local: c.LocalAddr(), remote: c.RemoteAddr()} }

// LocalAddr is the address of this end.
func (w *Wire) LocalAddr() net.Addr { return w.local }

// RemoteAddr is the peer's address.
func (w *Wire) RemoteAddr() net.Addr { return w.remote }

// Under is the connection that the Wire was made of, nil once an engine has it.
func (w *Wire) Under() net.Conn { return w.conn }

// A feed is what a Wire reads from and writes to once an engine feeds it. It
// never waits. One goroutine at a time reads from it, and writes to it.
type feed struct {
	in  []byte // what has come, and is not decrypted yet
	eof bool   // nothing else will
	out func(b []byte)
}

// SyscallConn gives the descriptor of the connection beneath.
func (w *Wire) SyscallConn() (syscall.RawConn, error) {
	if c, ok := w.conn.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// Read reads what has been fed.
func (w *Wire) Read(b []byte) (int, error) {
	f := w.fed.Load()
	switch {
	case f == nil:
		return w.conn.Read(b)
	case len(f.in) > 0:
		n := copy(b, f.in)
		f.in = f.in[n:]
		return n, nil
	case f.eof:
		return 0, io.EOF
	}
	return 0, hungry{}
}

// hungry is a Read that would wait. It is temporary to crypto/tls, which goes on
// from where it was.
type hungry struct{}

func (hungry) Error() string   { return "nothing has come yet" }
func (hungry) Timeout() bool   { return true }
func (hungry) Temporary() bool { return true }

// Write takes all of b: nothing that crypto/tls writes may be cut.
func (w *Wire) Write(b []byte) (int, error) {
	f := w.fed.Load()
	if f == nil {
		return w.conn.Write(b)
	}
	f.out(b)
	return len(b), nil
}

// Close does nothing once the engine has the connection.
func (w *Wire) Close() error {
	if w.fed.Load() != nil {
		return nil
	}
	return w.conn.Close()
}

// SetDeadline and its kin do nothing once the engine has the connection.
func (w *Wire) SetDeadline(t time.Time) error {
	if w.fed.Load() != nil {
		return nil
	}
	return w.conn.SetDeadline(t)
}

// SetReadDeadline is like SetDeadline.
func (w *Wire) SetReadDeadline(t time.Time) error {
	if w.fed.Load() != nil {
		return nil
	}
	return w.conn.SetReadDeadline(t)
}

// SetWriteDeadline is like SetDeadline.
func (w *Wire) SetWriteDeadline(t time.Time) error {
	if w.fed.Load() != nil {
		return nil
	}
	return w.conn.SetWriteDeadline(t)
}

// take has the Wire fed from now on. Who takes it is the only one to use it.
func (w *Wire) take(f *feed) {
	w.fed.Store(f)
	w.conn = nil
}
