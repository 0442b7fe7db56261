package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leat-dev/leat/internal/metrics"
)

// Bounds are the limits and timeouts of one request. Zero means no bound.
type Bounds struct {
	Requests   int   // on one connection
	Body       int64 // bytes of the request
	Inactivity time.Duration
	// Request is the most an ordinary request may take. It bounds a stream,
	// and an answer that is flushed as it comes, only where Whole is set.
	Request time.Duration
	Whole   bool

	Queue      int64 // bytes that wait for a reader
	SendBuffer int64 // bytes that the kernel queues for it
	Write      time.Duration
	Heartbeat  time.Duration
	IgnoreEOF  bool

	Sockets *Sockets // of the WebSockets; never nil behind a configuration
}

// An Exchange is one request and its answer, from its first line to the line
// that the log gets of it. It is the http.ResponseWriter that a handler is
// given: Flush, ReadFrom and Hijack work through it.
type Exchange struct {
	Bounds Bounds
	Owner  any // of the corridor

	w        http.ResponseWriter
	rc       *http.ResponseController
	conn     *Conn // nil when the connection is not ours
	bare     bool  // the request came with nothing of others in its context
	log      *slog.Logger
	lines    *Shelf[line] // of Entries
	counters *metrics.Counters
	flushing *Live // streams of ordinary handlers, to be told of a shutdown

	r                    *http.Request // until the handler has returned
	method, path, remote string
	start                time.Time
	ctx                  context.Context
	cancel               context.CancelCauseFunc

	mu      sync.Mutex // what the request's timer shares with the handler
	timer   *time.Timer
	expired bool
	over    bool // the handler has returned

	status   int
	wrote    bool // the header has been written
	discard  bool // the body has been replaced by a refusal
	refusal  atomic.Pointer[refused]
	bytes    atomic.Int64
	streams  bool // the handler flushes what it writes
	hijacked bool
	taken    bool // a Stream ends the exchange, see Take
	panicked bool
	failure  error
	atEnd    []func(failure error)
	line     func() (ended bool, reason metrics.Reason, err error) // see Take
}

// refused is an answer that a limit gives in the handler's place.
type refused struct {
	status int
	text   string
}

// A LimitError is the reason of what ended because a bound was reached.
type LimitError struct {
	Name  string // of the key: "timeouts.request"
	Value any    // of the bound
}

func (e *LimitError) Error() string { return fmt.Sprintf("leat: %s (%v)", e.Name, e.Value) }

// ErrShutdown is the reason of what ended because the server stops.
var ErrShutdown = errors.New("leat: the server stops")

type exchangeKey struct{}

// Of answers the exchange that a request belongs to, nil outside a Leat
// server.
func Of(ctx context.Context) *Exchange {
	x, _ := ctx.Value(exchangeKey{}).(*Exchange)
	return x
}

// Begin starts an exchange. The request it answers carries the exchange in its
// context; that context is cancelled with the reason.
func (o *Options) Begin(w http.ResponseWriter, r *http.Request) (*Exchange, *http.Request) {
	x := &Exchange{
		Bounds: o.Bounds, Owner: o.Owner, w: w, rc: http.NewResponseController(w), conn: ConnOf(r.Context()),
		log: o.Log, lines: &o.lines, counters: o.Counters, flushing: o.Live,
		method: r.Method, path: r.URL.Path, remote: r.RemoteAddr, start: time.Now(),
	}
	ctx, cancel := context.WithCancelCause(context.WithValue(r.Context(), exchangeKey{}, x))
	x.ctx, x.cancel = ctx, cancel
	r = r.WithContext(ctx)
	x.r = r
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &body{x: x, ReadCloser: r.Body, left: -1}
	}
	o.Counters.Requests.Add(1)
	if x.conn != nil {
		if n := x.conn.begin(); x.Bounds.Requests > 0 && n >= int64(x.Bounds.Requests) {
			// HTTP/2 turns it into a GOAWAY (RFC 9113, 6.8).
			w.Header().Set("Connection", "close")
		}
	}
	return x, r
}

// Bare says whether ctx is the request's, and nobody has put values into it but
// net/http and this package.
func (x *Exchange) Bare(ctx context.Context) bool { return x.bare && ctx == x.ctx }

// Bound puts the route's bounds in force.
func (x *Exchange) Bound(r *http.Request) {
	if x.conn != nil && r.ProtoMajor == 1 {
		x.conn.IgnoreEOF(x.Bounds.IgnoreEOF)
		x.conn.Stall(x.Bounds.Write)
	}
	if b, ok := r.Body.(*body); ok && x.Bounds.Body > 0 {
		b.left = x.Bounds.Body
		if r.ContentLength > x.Bounds.Body {
			x.refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("the request's body is larger than limits.body (%d bytes)", x.Bounds.Body))
		}
	}
	if x.Bounds.Request > 0 {
		x.mu.Lock()
		x.timer = time.AfterFunc(x.Bounds.Request, x.expire)
		x.mu.Unlock()
	}
}

// Refused answers the request when a limit has done so before any handler.
func (x *Exchange) Refused() bool {
	if x.refusal.Load() == nil {
		return false
	}
	x.WriteHeader(http.StatusOK)
	return true
}

// Begun says whether an answer has begun.
func (x *Exchange) Begun() bool { return x.wrote || x.hijacked }

// refuse makes a limit's answer that of the exchange, if it has none yet.
func (x *Exchange) refuse(status int, text string) {
	x.refusal.CompareAndSwap(nil, &refused{status, text})
}

// expire ends a request that took too long. The handler is told by its
// context; one that does not listen has its writes fail soon after.
func (x *Exchange) expire() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.timer == nil {
		return
	}
	x.expired = true
	x.refuse(http.StatusServiceUnavailable, fmt.Sprintf("the request took longer than timeouts.request (%v)", x.Bounds.Request))
	x.cancel(&LimitError{"timeouts.request", x.Bounds.Request})
	_ = x.rc.SetReadDeadline(time.Now()) // a wrapper that forbids it only makes the end later
	_ = x.rc.SetWriteDeadline(time.Now().Add(2 * time.Second))
}

// flows notes that the answer is long by intent, so that only a bound that was
// set for it cuts it.
func (x *Exchange) flows() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.timer != nil && !x.Bounds.Whole {
		x.timer.Stop()
		x.timer = nil
	}
}

// Header is the answer's header.
func (x *Exchange) Header() http.Header { return x.w.Header() }

// Unwrap is for http.ResponseController.
func (x *Exchange) Unwrap() http.ResponseWriter { return x.w }

// WriteHeader writes the header, or the refusal of a limit in its place.
func (x *Exchange) WriteHeader(status int) {
	if x.wrote || x.hijacked {
		return
	}
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		x.w.WriteHeader(status)
		return
	}
	x.wrote = true
	x.status = status
	refusal := x.refusal.Load()
	if refusal == nil {
		x.w.WriteHeader(status)
		return
	}
	x.status, x.discard = refusal.status, true
	x.closes()
	if refusal.status == http.StatusServiceUnavailable {
		x.w.Header().Set("Retry-After", "5")
	}
	x.drain(refusedDrain)
	Error(x.w, x.r, refusal.status, refusal.text)
}

func (x *Exchange) Write(b []byte) (int, error) {
	x.WriteHeader(http.StatusOK)
	if x.discard {
		return len(b), nil
	}
	n, err := x.w.Write(b)
	x.count(int64(n), err)
	return n, err
}

// WriteString is Write without a copy.
func (x *Exchange) WriteString(s string) (int, error) {
	x.WriteHeader(http.StatusOK)
	if x.discard {
		return len(s), nil
	}
	n, err := io.WriteString(x.w, s)
	x.count(int64(n), err)
	return n, err
}

// closes has the connection end with this answer. On HTTP/2 it is others' too,
// and goes on.
func (x *Exchange) closes() {
	if x.r.ProtoMajor == 1 {
		x.w.Header().Set("Connection", "close")
	}
}

// ReadFrom keeps sendfile.
func (x *Exchange) ReadFrom(r io.Reader) (int64, error) {
	x.flows()
	x.WriteHeader(http.StatusOK)
	if x.discard {
		return io.Copy(io.Discard, r)
	}
	if isFile(r) {
		n, err := io.Copy(x.w, r)
		x.count(n, err)
		return n, err
	}
	from := &source{Reader: r}
	n, err := io.Copy(x.w, from)
	x.count(n, err)
	if from.err != nil {
		x.failure = errSource
	}
	return n, err
}

// isFile says whether the kernel can send what r reads.
func isFile(r io.Reader) bool {
	if limited, ok := r.(*io.LimitedReader); ok {
		r = limited.R
	}
	_, ok := r.(*os.File)
	return ok
}

// A source remembers that it failed: an answer that is cut short for that is
// not its reader's doing.
type source struct {
	io.Reader
	err error
}

var errSource = errors.New("the source of the answer failed")

func (s *source) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

func (x *Exchange) count(n int64, err error) {
	x.bytes.Add(n)
	if err != nil && x.failure == nil && !errors.Is(err, http.ErrBodyNotAllowed) && !errors.Is(err, http.ErrContentLength) {
		x.failure = err
	}
}

// Flush is FlushError for those who do not ask.
func (x *Exchange) Flush() {
	_ = x.FlushError() // the error is kept, and ends the exchange
}

// FlushError sends what has been written. A handler that flushes streams: it
// is bounded, counted and told of a shutdown as a stream is.
func (x *Exchange) FlushError() error {
	x.WriteHeader(http.StatusOK)
	if !x.streams && !x.taken {
		x.streams = true
		x.flows()
		x.counters.Streams.Add(1)
		x.flushing.add(x)
	}
	err := x.rc.Flush()
	x.count(0, err)
	if err != nil {
		x.cancel(err)
	}
	return err
}

// Hijack gives the connection away.
func (x *Exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := x.rc.Hijack()
	if err == nil {
		x.hijacked = true
		x.flows()
	}
	return c, rw, err
}

// Take makes the caller responsible for the end of the exchange. When the
// handler has returned, line says why it ended; or it answers false, and an Entry
// that was taken meanwhile is what is left of the exchange.
func (x *Exchange) Take(line func() (ended bool, reason metrics.Reason, err error)) {
	x.taken, x.line = true, line
	x.flows()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.timer != nil { // a stream has its own
		x.timer.Stop()
		x.timer = nil
	}
}

// AtEnd has fn called when the handler has returned, with nil, or has panicked,
// with the reason: before anything is answered for it.
func (x *Exchange) AtEnd(fn func(failure error)) { x.atEnd = append(x.atEnd, fn) }

// left calls what AtEnd was given.
func (x *Exchange) left(failure error) {
	fns := x.atEnd
	x.atEnd = nil
	for _, fn := range fns {
		fn(failure)
	}
}

// Conn answers the connection beneath, nil when it is not ours.
func (x *Exchange) Conn() *Conn { return x.conn }

// Bytes is how many have been written.
func (x *Exchange) Bytes() int64 { return x.bytes.Load() }

// AddBytes counts what went out past Write.
func (x *Exchange) AddBytes(n int64) { x.bytes.Add(n) }

// refusedDrain is how long a body that was refused may go on to come.
const refusedDrain = 500 * time.Millisecond

// drain bounds what net/http waits for after the answer: the rest of a body
// that the handler has not read.
func (x *Exchange) drain(d time.Duration) {
	if b, ok := x.r.Body.(*body); ok && !b.whole.Load() && d > 0 && x.r.ProtoMajor == 1 {
		_ = x.rc.SetReadDeadline(time.Now().Add(d)) // a wrapper that forbids it keeps net/http's own rule
	}
}

// returned is what follows when the handler has returned, or panicked.
func (x *Exchange) returned() {
	x.left(nil)
	x.mu.Lock()
	if x.timer != nil {
		x.timer.Stop()
		x.timer = nil
	}
	expired := x.expired
	x.over = true
	x.mu.Unlock()
	if !x.hijacked {
		if x.conn != nil {
			x.conn.end()
		}
		if !x.discard {
			x.drain(x.Bounds.Inactivity)
		}
	}
	if x.taken {
		if ended, reason, err := x.line(); ended {
			if x.panicked { // a deferred Close has ended it in order
				reason = metrics.Panic
			}
			x.finish(reason, err)
		}
		x.line = nil
		x.w, x.rc, x.r = nil, nil, nil // they are net/http's again
		x.Cancel()
		return
	}
	if !x.wrote && !x.hijacked && x.refusal.Load() != nil {
		x.WriteHeader(http.StatusOK)
	}
	reason := x.reason(expired)
	if x.streams {
		x.flushing.remove(x)
		x.counters.Streams.Add(-1)
		x.counters.StreamsEnded[reason].Add(1)
	}
	x.finish(reason, nil)
}

// reason says why an ordinary answer ended.
func (x *Exchange) reason(expired bool) metrics.Reason {
	switch {
	case x.panicked:
		return metrics.Panic
	case errors.Is(context.Cause(x.ctx), ErrShutdown):
		return metrics.Shutdown
	case expired:
		return metrics.RequestTimeout
	case errors.Is(x.failure, errSource), errors.Is(x.failure, http.ErrAbortHandler) && x.ctx.Err() == nil:
		return metrics.Failed
	case IsTimeout(x.failure):
		return metrics.Stalled
	case x.failure != nil:
		return metrics.Gone
	case x.streams && x.ctx.Err() != nil:
		return metrics.Gone
	}
	return metrics.Done
}

// IsTimeout says whether err is a deadline that passed.
func IsTimeout(err error) bool {
	switch err := err.(type) { //nolint:errorlint // what most are, without a search
	case nil:
		return false
	case *net.OpError:
		return err.Timeout()
	}
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// Cancel ends the request's context: there is nothing left to do for it.
func (x *Exchange) Cancel() { x.cancel(context.Canceled) }

// answered is the status of the answer.
func (x *Exchange) answered() int {
	switch {
	case x.status != 0:
		return x.status
	case x.hijacked:
		return http.StatusSwitchingProtocols
	}
	return http.StatusOK
}

// finish writes the exchange's line in the log.
func (x *Exchange) finish(reason metrics.Reason, err error) {
	x.Cancel()
	l := line{log: x.log, method: x.method, path: x.path, status: x.answered()}
	l.write(x.remote, x.bytes.Load(), time.Since(x.start), reason, err)
}

// body bounds what is read of a request, and how long the peer may be silent.
type body struct {
	io.ReadCloser
	x     *Exchange
	left  int64       // bytes still allowed; -1: any
	whole atomic.Bool // it has been read to its end
}

func (b *body) Read(p []byte) (int, error) {
	if idle := b.x.Bounds.Inactivity; idle > 0 && b.readBy(time.Now().Add(idle)) {
		defer b.readBy(time.Time{})
	}
	if b.left >= 0 && int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.whole.Store(true)
	}
	if IsTimeout(err) {
		b.x.refuse(http.StatusRequestTimeout, fmt.Sprintf("the request's body was silent for timeouts.inactivity (%v)", b.x.Bounds.Inactivity))
	}
	if b.left < 0 {
		return n, err
	}
	if int64(n) <= b.left {
		b.left -= int64(n)
		return n, err
	}
	n, b.left = int(b.left), 0
	b.x.refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("the request's body is larger than limits.body (%d bytes)", b.x.Bounds.Body))
	return n, &http.MaxBytesError{Limit: b.x.Bounds.Body}
}

// readBy sets the read deadline, unless the request has expired, or its handler
// returned: then the connection is another's.
func (b *body) readBy(t time.Time) bool {
	b.x.mu.Lock()
	defer b.x.mu.Unlock()
	return !b.x.expired && !b.x.over && b.x.rc.SetReadDeadline(t) == nil
}
