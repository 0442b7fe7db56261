package serve

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/leat-dev/leat/internal/engine"
	"github.com/leat-dev/leat/internal/metrics"
)

// A Conn is an accepted connection, from accept to close: also while an engine
// keeps it. A write ends when the peer takes no byte for the listener's write
// timeout, however long the whole takes.
type Conn struct {
	net.Conn
	listener *listener
	requests atomic.Int64 // begun on it
	busy     atomic.Int64 // under way

	stall atomic.Int64 // how long the peer may take no byte, in nanoseconds; 0: for ever
	limit atomic.Int64 // the write deadline somebody asked for, in Unix nanoseconds; 0: none

	header  atomic.Bool // bytes of a request have come, and no handler has begun
	stalled atomic.Bool // the peer took nothing for too long

	mu     sync.Mutex
	eof    eofPolicy
	wake   chan struct{} // closed to wake a Read that waits behind the end of input
	readBy time.Time     // the read deadline
	closed bool
}

// An eofPolicy says what it means that a peer ends its half of the connection.
type eofPolicy int

const (
	eofUndecided eofPolicy = iota // the route will say
	eofIsGone
	eofIsIgnored
)

type connKey struct{}

// ConnOf answers the connection that a request came on: nil unless one of our
// listeners accepted it.
func ConnOf(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn)
	return c
}

// WithConn is for http.Server.ConnContext.
func WithConn(ctx context.Context, c net.Conn) context.Context {
	if c, ok := c.(*Conn); ok {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// OnLoopback says whether the connection came through a listener that only
// this machine reaches by name.
func (c *Conn) OnLoopback() bool { return c.listener.loopback }

// filePart is how much of a file is sent under one deadline.
const filePart = 256 << 10

// Write writes b, as long as the peer takes some of it.
func (c *Conn) Write(b []byte) (int, error) {
	if c.header.Load() {
		c.refused(b)
	}
	done := 0
	for {
		if err := c.arm(); err != nil {
			return done, err
		}
		n, err := c.Conn.Write(b[done:])
		done += n
		switch {
		case err == nil:
			return done, nil
		case !c.goOn(n, err):
			if IsTimeout(err) {
				c.stalled.Store(true)
			}
			return done, err
		}
	}
}

// Stalled says whether a write of the request under way was given up because
// the peer took no byte, by us or by the kernel. It is known before net/http
// cancels the request for that.
func (c *Conn) Stalled() bool { return c.stalled.Load() }

// refused counts and logs an answer that no handler has given: net/http's own
// to a header that is too large (431), or is none (400), and ours to one that is
// too slow (408).
func (c *Conn) refused(answer []byte) {
	line, ok := bytes.CutPrefix(answer, []byte("HTTP/1.1 "))
	if !ok || len(line) < 3 || line[0] != '4' {
		return // the 100 Continue of a request, or HTTP/2
	}
	c.header.Store(false)
	o := &c.listener.o
	o.Counters.BadRequests.Add(1)
	status, _ := strconv.Atoi(string(line[:3])) // of net/http's making
	o.Log.LogAttrs(context.Background(), slog.LevelInfo, metrics.LogBadRequest,
		slog.Int("status", status), slog.String("remote", c.RemoteAddr().String()))
}

// ReadFrom sends what r holds; a file goes by sendfile.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	limited, _ := r.(*io.LimitedReader)
	file, _ := r.(*os.File)
	left := int64(-1)
	if limited != nil {
		file, _ = limited.R.(*os.File)
		left = limited.N
	}
	to, ok := c.Conn.(io.ReaderFrom)
	if file == nil || !ok {
		return io.Copy(struct{ io.Writer }{c}, r)
	}
	done, err := c.sendFile(to, file, left)
	if limited != nil {
		limited.N -= done
	}
	return done, err
}

// sendFile sends the file from where it is: left bytes, or all when that is
// negative.
func (c *Conn) sendFile(to io.ReaderFrom, file *os.File, left int64) (int64, error) {
	done := int64(0)
	for left != done {
		part := &io.LimitedReader{R: file, N: filePart}
		if left >= 0 {
			part.N = min(left-done, filePart)
		}
		asked := part.N
		if err := c.arm(); err != nil {
			return done, err
		}
		n, err := to.ReadFrom(part)
		done += n
		switch {
		case err == nil && n < asked:
			return done, nil // the file has ended
		case err != nil && !c.goOn(int(n), err):
			return done, err
		case err != nil && asked-part.N > n:
			// Where there is no sendfile the file was copied, and what was
			// read and not taken is sent again.
			if _, err := file.Seek(n-(asked-part.N), io.SeekCurrent); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

// arm sets the deadline of the next write.
func (c *Conn) arm() error {
	deadline := time.Time{}
	if stall := c.stall.Load(); stall > 0 {
		deadline = time.Now().Add(time.Duration(stall))
	}
	if at := c.limit.Load(); at != 0 {
		if t := time.Unix(0, at); deadline.IsZero() || t.Before(deadline) {
			deadline = t
		}
	}
	return c.Conn.SetWriteDeadline(deadline)
}

// Stall sets how long the peer may take no byte; 0 is for ever. It holds until
// it is set again, or the next request begins.
func (c *Conn) Stall(d time.Duration) { c.stall.Store(int64(d)) }

// goOn says whether a write that was cut short made progress and may go on.
func (c *Conn) goOn(n int, err error) bool {
	if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	at := c.limit.Load()
	return at == 0 || time.Now().Before(time.Unix(0, at))
}

// SetWriteDeadline bounds all writes to come, besides the write timeout.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		c.limit.Store(0)
	} else {
		c.limit.Store(t.UnixNano())
	}
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline bounds reads and writes.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// IgnoreEOF says for the request under way whether a peer that ends its half of
// the connection is still there. Balancers end their half early, maybe together
// with the request: until this is called, nobody is told.
func (c *Conn) IgnoreEOF(ignore bool) {
	if ignore {
		c.setEOF(eofIsIgnored)
	} else {
		c.setEOF(eofIsGone)
	}
}

func (c *Conn) setEOF(p eofPolicy) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.eof = p
	c.wakeReader()
}

// tooSlow answers a request whose header did not come within timeouts.parse
// (RFC 9110, 15.5.9).
const tooSlow = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 47\r\n\r\n" +
	"the request did not come within timeouts.parse\n"

// Read reads. While a handler runs, net/http reads one byte ahead to see the
// peer leave. Where the end of input is ignored, that read waits behind it until
// the connection is closed or a read deadline is set. Others see the end: a
// request that is cut short is not waited for.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	switch {
	case n > 0:
		c.header.CompareAndSwap(false, c.busy.Load() == 0)
	case errors.Is(err, os.ErrDeadlineExceeded) && c.header.Load():
		_, _ = c.Write([]byte(tooSlow)) // net/http closes next, whether it arrives or not
		_ = c.CloseWrite()              // and says no more: what came may yet be a bad request
	case IsTimeout(err) && !errors.Is(err, os.ErrDeadlineExceeded):
		c.stalled.Store(true) // the kernel's verdict, see LimitSilence
	case errors.Is(err, io.EOF) && len(b) == 1:
		return 0, c.waitBehindEOF()
	}
	return n, err
}

// begin and end enclose a request on the connection; begin answers how many
// there have been.
func (c *Conn) begin() int64 {
	c.busy.Add(1)
	c.header.Store(false)
	c.stalled.Store(false)
	return c.requests.Add(1)
}

// end puts back what the request has changed.
func (c *Conn) end() {
	c.busy.Add(-1)
	c.setEOF(eofUndecided)
	c.Stall(c.listener.o.Write)
}

// undecided is how long a reader's end waits for the request's route: others
// than net/http's reading ahead, an HTTP/2 frame of one byte, have none.
const undecided = time.Second

// waitBehindEOF waits until the connection is closed, its read deadline has come,
// or the end of input is not ignored.
func (c *Conn) waitBehindEOF() error {
	decided := time.Now().Add(undecided)
	for {
		c.mu.Lock()
		over, by := c.closed || c.eof == eofIsGone, c.readBy
		if c.eof == eofUndecided && (by.IsZero() || decided.Before(by)) {
			by = decided
			over = over || !time.Now().Before(by)
		}
		if c.wake == nil {
			c.wake = make(chan struct{})
		}
		wake := c.wake
		c.mu.Unlock()
		switch {
		case over:
			return io.EOF
		case by.IsZero():
			<-wake
		case !time.Now().Before(by):
			return os.ErrDeadlineExceeded
		default:
			timer := time.NewTimer(time.Until(by))
			select {
			case <-wake:
			case <-timer.C:
			}
			timer.Stop()
		}
	}
}

// SetReadDeadline bounds reads; one that waits behind the end of input ends.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	c.readBy = t
	c.wakeReader()
	c.mu.Unlock()
	return c.Conn.SetReadDeadline(t)
}

// wakeReader is called with mu held.
func (c *Conn) wakeReader() {
	if c.wake != nil {
		close(c.wake)
		c.wake = nil
	}
}

// CloseWrite ends our half of the connection.
func (c *Conn) CloseWrite() error { return closeWrite(c.Conn) }

// closeWrite ends our half of a connection.
func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close closes the connection; closing twice does no harm.
func (c *Conn) Close() error {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	c.wakeReader()
	c.mu.Unlock()
	if again {
		return nil
	}
	c.listener.left(c)
	return c.Conn.Close()
}

// Bare is the system's connection beneath, for who takes this one over and reads
// and writes for itself. Deadlines, and the close, stay with this one.
func (c *Conn) Bare() net.Conn { return c.Conn }

// Detach is the last use of c by who takes the connection beneath for good: it
// stays in the count until Left is called on what Detach answers.
func (c *Conn) Detach() engine.Owner {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed && c.listener.o.Connections.detach(c) {
		c.closed = true
		c.wakeReader()
		return c.listener
	}
	return nil
}

// SyscallConn gives the descriptor of the connection beneath.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
