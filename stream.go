package leat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leat-dev/leat/internal/engine"
	"github.com/leat-dev/leat/internal/metrics"
	"github.com/leat-dev/leat/internal/serve"
	"github.com/leat-dev/leat/internal/topic"
)

// A Stream is a response in progress: records that reach one reader as they
// are sent. [NDJSON], [SSE] and [Records] begin one in any net/http handler.
//
// In the blocking style the handler sends in a loop and the stream ends with
// the handler, which says so with `defer s.Close()`: a sender that outlives
// the handler then gets [ErrClosed] and never writes into another response.
// Under a router that uses its writers again (Echo, gin), and outside a Leat
// server, nobody else can say it in time.
//
// In the event style the handler's last act is a hand-over, [Stream.Every] or
// [Stream.Hold]. On HTTP/1.1 it returns at once and the stream lives on
// without the handler's goroutine; elsewhere it returns when the stream ends.
// After it neither w nor r may be used, nor what a router keeps in its own
// context: use [Stream.Context] and [Stream.OnClose].
//
// Every method may be called from any goroutine. A write that fails, a reader
// that leaves or stalls, a timeout and a shutdown end the stream once; from
// then on calls answer [ErrClosed], and [Stream.Err] the reason.
type Stream struct {
	member member[Stream]
	o      *streamTerms
	conn   engine.Conn               // after the hand-over
	from   *streamOrigin             // while its handler runs
	annex  *streamAnnex              // nil while nothing is in it
	sub    atomic.Pointer[topic.Sub] // of a reader of topics

	// Of the log's line, once the connection has been taken over.
	entry  serve.Entry
	remote address
	bytes  atomic.Int64

	active atomic.Int64 // when a byte last went either way, as ticks
	sent   atomic.Int64 // when one last went out, as ticks

	writer sync.Mutex // held by the one who writes, or hands over
	mu     sync.Mutex

	every time.Duration // between calls of fn
	fn    func() error
	due   int64 // of fn, as ticks; 0 for never
	endBy int64 // the request timeout, as ticks; 0 for none
	early early // how much, the next heartbeat is

	rung     bool // the connection's alarm has rung, and alarm is about to run
	handing  bool // a hand-over is under way
	adopted  bool // the connection is the engine's, the handler has gone
	chunked  bool // on conn
	ended    bool
	over     bool
	finished bool // Done is closed
}

// NDJSON begins a stream of JSON values, one a line (application/x-ndjson).
// The options may be nil. On an error the request has been answered.
func NDJSON(w http.ResponseWriter, r *http.Request, o *StreamOptions) (*Stream, error) {
	return begin(w, r, o, &ndjsonFormat)
}

// SSE begins a stream of Server-Sent Events (text/event-stream, the HTML
// standard's section 9.2). The options may be nil. On an error the request has
// been answered.
func SSE(w http.ResponseWriter, r *http.Request, o *StreamOptions) (*Stream, error) {
	return begin(w, r, o, &sseFormat)
}

// Records begins what the request's Accept prefers, SSE or NDJSON; without a
// preference it is NDJSON.
func Records(w http.ResponseWriter, r *http.Request, o *StreamOptions) (*Stream, error) {
	w.Header().Add("Vary", "Accept")
	return begin(w, r, o, preferred(r.Header.Values("Accept")))
}

func begin(w http.ResponseWriter, r *http.Request, o *StreamOptions, f *format) (*Stream, error) {
	return beginFor(serverOf(r.Context()), w, r, o, f)
}

// beginFor begins a stream of a server, which need not be the one that leads the
// request.
func beginFor(srv *Server, w http.ResponseWriter, r *http.Request, o *StreamOptions, f *format) (*Stream, error) {
	if err := flushable(w); err != nil {
		http.Error(w, "streaming is not possible here", http.StatusInternalServerError)
		return nil, err
	}
	x := serve.Of(r.Context())
	if x != nil && x.Refused() {
		return nil, errRefused
	}
	res := &response{w: w, rc: http.NewResponseController(w), request: r}
	s := &Stream{
		o:    srv.streamTerms.Share(streamTerms{srv.streamOptions(o, x), srv, f}),
		from: &streamOrigin{origin{x: x}, res},
	}
	if id := r.Header.Get("Last-Event-Id"); id != "" {
		s.extra().lastEventID = id
	}
	if x == nil || !x.Bare(r.Context()) {
		s.extra().values = context.WithoutCancel(r.Context())
	}
	s.setHeader(w.Header())
	if r.Method == http.MethodHead {
		s.ended, s.over, s.finished = true, true, true
		return s, nil
	}
	ours := x != nil && x.Conn() != nil
	res.arms = !ours || r.ProtoMajor != 1
	if ours && r.ProtoMajor == 1 {
		x.Conn().IgnoreEOF(s.ignoresEOF())
		x.Conn().Stall(s.o.Write)
		limitKernel(x.Conn(), x.Bounds.SendBuffer, s.o.Write)
	}
	_ = res.rc.SetReadDeadline(time.Time{}) // a server's ReadTimeout is for requests; where it cannot be taken away it stays

	now := time.Now()
	s.active.Store(ticks(now))
	s.sent.Store(ticks(now))
	s.early = draw()
	if !enter(srv, &srv.streams, s) { // before any timer can end it
		http.Error(w, "the server stops", http.StatusServiceUnavailable)
		return nil, ErrShutdown
	}
	srv.counters.Streams.Add(1)
	if x != nil {
		x.Take(s.logged)
		x.AtEnd(s.returned)
	}
	ctx := r.Context()
	s.mu.Lock()
	if !s.ended {
		res.unbind = context.AfterFunc(ctx, func() { s.left(context.Cause(ctx)) })
	}
	s.mu.Unlock()
	s.UpdateDeadline()
	return s, nil
}

var errRefused = errors.New("leat: a limit has answered the request")

func (s *Stream) setHeader(h http.Header) {
	h.Set("Content-Type", s.o.format.contentType)
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no")
	h.Del("Content-Length")
}

// flushable finds a response that a wrapper has made unfit for streams before
// anything is lost in it.
func flushable(w http.ResponseWriter) error {
	for {
		switch t := w.(type) {
		case interface{ FlushError() error }, http.Flusher:
			return nil
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return fmt.Errorf("%w: %T has neither Flush nor Unwrap", ErrNoStreaming, w)
		}
	}
}

// left ends a stream of the blocking style whose request is over.
func (s *Stream) left(cause error) {
	var limit *serve.LimitError
	switch {
	case errors.As(cause, &limit):
		s.end(&TimeoutError{limit.Name}, true)
	case errors.Is(cause, ErrShutdown):
		s.end(ErrShutdown, true)
	case s.late():
		s.end(ErrStalled, false)
	default:
		s.end(ErrGone, true)
	}
}

// returned is called by a Leat server when the handler has returned, or has
// panicked: then with the reason.
func (s *Stream) returned(failure error) {
	s.mu.Lock()
	adopted := s.adopted
	s.mu.Unlock()
	switch {
	case adopted:
		s.forget()
	case failure == nil:
		_ = s.close() // the reason is in Err
	default:
		s.writer.Lock() // whoever writes now has finished
		first := s.mark(failure)
		s.writer.Unlock()
		if first {
			s.settle(failure, false)
		}
	}
}

// forget is said when the handler has returned.
func (s *Stream) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from = nil
}

// logged says whether the stream has ended with its handler, and why.
func (s *Stream) logged() (ended bool, reason metrics.Reason, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.adopted, reasonOf(s.reason()), s.reason()
}

// Send sends v as JSON: one line, or one event without a name. In the blocking
// style it returns when the system has taken the bytes; after a hand-over it
// queues them and never waits. The error is ErrClosed, ErrSlowReader,
// ErrTooLarge, the reason of a stream that this call ended, or what
// encoding/json says of v.
func (s *Stream) Send(v any) error {
	b := getScratch()
	defer b.free()
	if err := s.o.format.value(b, v); err != nil {
		return err
	}
	return s.put(b, 1)
}

// SendEvent sends an event. In NDJSON it is an object with the members id,
// event and data, as far as they are set. An id or a name that holds CR, LF or
// NUL is refused.
func (s *Stream) SendEvent(e Event) error {
	b := getScratch()
	defer b.free()
	if err := s.o.format.event(b, e); err != nil {
		return err
	}
	return s.put(b, 1)
}

// Comment sends what readers skip: in SSE a comment with the text, in NDJSON an
// empty line.
func (s *Stream) Comment(text string) error {
	b := getScratch()
	defer b.free()
	s.o.format.comment(b, text)
	return s.put(b, 0)
}

// put sends what b holds.
func (s *Stream) put(b *scratch, records int64) error {
	s.mu.Lock()
	ended := s.ended
	s.mu.Unlock()
	if ended { // before the lock, which a writer that is stuck holds
		return ErrClosed
	}
	s.writer.Lock()
	return s.deliver(b, records)
}

// deliver is put for the one who has the writer's lock, which it releases.
func (s *Stream) deliver(b *scratch, records int64) error {
	s.mu.Lock()
	ended, conn, chunked := s.ended, s.conn, s.chunked
	s.mu.Unlock()
	if ended {
		s.writer.Unlock()
		return ErrClosed
	}
	var err, left error
	if conn != nil {
		err = s.queue(conn, b.framed(chunked))
	} else if left = s.requestEnd(); left == nil {
		err = s.write(b.payload())
		b.lost = err != nil
	}
	s.writer.Unlock()
	switch {
	case left != nil:
		s.left(left)
		return ErrClosed
	case err == nil:
		s.moved(true)
		s.o.srv.counters.Records.Add(records)
	case errors.Is(err, ErrSlowReader):
		s.o.srv.counters.SlowRecords.Add(records)
		if s.o.Slow == SlowEnd {
			s.end(err, false)
		}
	case errors.Is(err, ErrGone), errors.Is(err, ErrStalled):
		s.end(err, false)
	}
	return err
}

func (s *Stream) queue(conn engine.Conn, frame []byte) error {
	err := conn.Send(frame)
	switch {
	case errors.Is(err, engine.ErrFull):
		return ErrSlowReader
	case errors.Is(err, engine.ErrTooLarge):
		return fmt.Errorf("%w: %d bytes, %d allowed", ErrTooLarge, len(frame), s.o.Queue)
	case err == nil:
		s.bytes.Add(int64(len(frame)))
	}
	return err
}

// write writes and flushes in the blocking style.
func (s *Stream) write(b []byte) error {
	r := s.response()
	if !r.started && s.o.Write > 0 && r.request.ProtoMajor == 1 && r.request.ContentLength != 0 {
		// Before the first byte net/http reads what the handler has left of
		// the request's body, which may never come.
		if r.rc.SetReadDeadline(time.Now().Add(s.o.Write)) == nil {
			defer func() { _ = r.rc.SetReadDeadline(time.Time{}) }() // it could be set
		}
	}
	r.started = true
	armed := false
	if r.arms && s.o.Write > 0 {
		by := time.Now().Add(s.o.Write)
		if armed = r.rc.SetWriteDeadline(by) == nil; armed {
			r.writesBy(by)
		}
	}
	_, err := r.w.Write(b)
	if err == nil {
		err = r.rc.Flush()
	}
	switch {
	case s.late():
		return ErrStalled
	case err != nil:
		return writeError(err)
	case armed: // HTTP/2 resets a stream whose deadline passes, write or none
		_ = r.rc.SetWriteDeadline(time.Time{})
		r.writesBy(time.Time{})
	}
	return nil
}

// requestEnd is why the request of a stream in the blocking style is over, nil
// while it is not. After that its handler may have returned, and w is not ours
// any more. It is called with the writer's lock held.
func (s *Stream) requestEnd() error {
	s.mu.Lock()
	r := s.response()
	s.mu.Unlock()
	if r == nil {
		return nil
	}
	return context.Cause(r.request.Context())
}

// writesBy notes the deadline of the write under way; zero for none.
func (r *response) writesBy(t time.Time) {
	if t.IsZero() {
		r.deadline.Store(0)
		return
	}
	r.deadline.Store(ticks(t))
}

// late says whether a write has passed its deadline. HTTP/2 ends such a stream,
// and HTTP/1.1 its request, without saying why.
func (s *Stream) late() bool {
	s.mu.Lock()
	from, r := s.from, s.response()
	s.mu.Unlock()
	if from != nil && from.x != nil && from.x.Conn() != nil && from.x.Conn().Stalled() {
		return true
	}
	if r == nil {
		return false
	}
	by := r.deadline.Load()
	return by != 0 && ticks(time.Now()) >= by
}

// Context carries the values that others have put into the request's context:
// under a Leat server not those of net/http. It is cancelled when the stream ends,
// with the reason as its cause.
func (s *Stream) Context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.extra().context(s.ended, s.endCause())
}

// LastEventID is the request's Last-Event-ID: the id of the last event that a
// reader which comes back has seen, "" at first.
func (s *Stream) LastEventID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.annex == nil {
		return ""
	}
	return s.annex.lastEventID
}

// OnClose has fn called once when the stream has ended, with the reason: nil
// after an orderly end. On a stream that has ended it is called at once.
func (s *Stream) OnClose(fn func(error)) {
	s.mu.Lock()
	if !s.over {
		a := s.extra()
		a.onClose = append(a.onClose, fn)
		s.mu.Unlock()
		return
	}
	err := s.reason()
	s.mu.Unlock()
	fn(err)
}

// Done is closed when the stream has ended and nothing more will be written.
func (s *Stream) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.extra().doneUnless(s.finished)
}

// Err is nil while the stream lives and after an orderly end, else the reason
// of its end.
func (s *Stream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason()
}

// Close ends the stream in good order: what was sent reaches the reader, and
// then the end. It answers Err. Closing again does no harm. The handler that
// has handed the stream over no longer owns it: its own deferred Close does
// nothing.
func (s *Stream) Close() error {
	s.mu.Lock()
	from := s.from
	s.mu.Unlock()
	if from != nil && from.goroutine != 0 && from.goroutine == from.here() {
		return nil
	}
	return s.close()
}

func (s *Stream) close() error {
	s.mu.Lock()
	blocking := s.conn == nil || !s.adopted
	s.mu.Unlock()
	var left error
	if blocking { // whoever writes now has finished when Close returns
		s.writer.Lock()
		left = s.requestEnd()
	}
	first := left == nil && s.mark(nil)
	if blocking {
		s.writer.Unlock()
	}
	if left != nil {
		s.left(left) // this call may know it before the stream does
	}
	if first {
		s.settle(nil, true)
	}
	return s.Err()
}

// end ends the stream once: in good order, or at once.
func (s *Stream) end(reason error, orderly bool) {
	if s.mark(reason) {
		s.settle(reason, orderly)
	}
}

func (s *Stream) stop() {
	s.drain()
	s.end(ErrShutdown, true)
}

func (s *Stream) kill() {
	s.end(ErrShutdown, false)
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	if conn != nil { // an orderly end may not be done
		conn.Abort(ErrShutdown)
	}
}

// mark has every later call refused. It answers whether it was the first.
func (s *Stream) mark(reason error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.ended = true
	if reason != nil {
		s.extra().err = reason
	}
	if r := s.response(); r != nil && r.timer != nil {
		r.timer.Stop()
	}
	return true
}

// settle does what follows from a mark.
func (s *Stream) settle(reason error, orderly bool) {
	s.mu.Lock()
	conn, last, handing := s.conn, s.lastBytes(), s.handing
	s.mu.Unlock()
	s.cancel()
	switch {
	case handing: // who hands over ends it
	case conn == nil:
		s.finish(reason)
	case orderly:
		conn.End(last, reason)
	default:
		conn.Abort(reason)
	}
}

// cancel ends the context of a stream that has ended. One that is asked for later
// has ended already.
func (s *Stream) cancel() {
	s.mu.Lock()
	var cancel context.CancelCauseFunc
	if s.annex != nil {
		cancel = s.annex.cancel
	}
	cause := s.endCause()
	s.mu.Unlock()
	if cancel != nil {
		cancel(cause)
	}
}

// lastChunk ends a chunked body (RFC 9112, 7.1).
var lastChunk = []byte("0\r\n\r\n")

func (s *Stream) lastBytes() []byte {
	var last []byte
	if s.annex != nil {
		last = s.annex.farewell
	}
	if s.chunked {
		return append(last[:len(last):len(last)], lastChunk...)
	}
	return last
}

// finish is the end of all: nothing is written any more.
func (s *Stream) finish(reason error) {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return
	}
	s.over, s.ended, s.fn = true, true, nil
	var fns []func(error)
	var unbind func() bool
	if reason != nil && s.reason() == nil {
		s.extra().err = reason
	}
	reason = s.reason()
	if a := s.annex; a != nil {
		fns, a.onClose = a.onClose, nil
	}
	if r := s.response(); r != nil {
		unbind, r.unbind = r.unbind, nil
	}
	s.mu.Unlock()

	if unbind != nil {
		unbind()
	}
	s.cancel()
	s.o.srv.counters.Streams.Add(-1)
	s.o.srv.counters.StreamsEnded[reasonOf(reason)].Add(1)
	leave(s.o.srv, &s.o.srv.streams, s)
	s.unsubscribe()
	defer s.finishes()
	for _, fn := range fns {
		s.tell(fn, reason)
	}
}

// finishes closes Done.
func (s *Stream) finishes() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finished = true
	if s.annex != nil && s.annex.done != nil {
		close(s.annex.done)
	}
}

// tell calls a function of OnClose. The end goes on if it panics.
func (s *Stream) tell(fn func(error), reason error) {
	defer func() {
		if v := recover(); v != nil {
			s.o.srv.logPanic(&engine.PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	fn(reason)
}
