package leat

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/leat-dev/leat/internal/engine"
	"github.com/leat-dev/leat/internal/metrics"
	"github.com/leat-dev/leat/internal/serve"
)

// Every hands the stream over and has fn called at once and then each d, until
// the stream ends. fn returns Done to end it in good order; any other error
// ends it with that reason, and its reader sees that something is missing. An
// ErrSlowReader that it passes on ends nothing under SlowError. fn may block:
// ticks that come meanwhile are skipped, and no two calls overlap. On a stream
// that has been handed over, Every sets a new fn and interval. It panics when d
// is not positive or fn is nil.
func (s *Stream) Every(d time.Duration, fn func() error) {
	if d <= 0 {
		panic("leat: Stream.Every: the interval must be above zero")
	}
	if fn == nil {
		panic("leat: Stream.Every: there is no function to call")
	}
	s.mu.Lock()
	s.fn, s.every, s.due = fn, d, ticks(time.Now())
	s.mu.Unlock()
	s.handOver(nil)
}

// SetInterval changes the interval of Every; the next call comes d from now.
// Before Every it does nothing. It panics when d is not positive.
func (s *Stream) SetInterval(d time.Duration) {
	if d <= 0 {
		panic("leat: Stream.SetInterval: the interval must be above zero")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fn == nil {
		return
	}
	s.every, s.due = d, later(ticks(time.Now()), d)
	s.schedule()
}

// Hold hands the stream over for others to send to, until Close or another end.
func (s *Stream) Hold() { s.handOver(nil) }

// handOver takes the stream from its handler, and has then, which may be nil,
// called when the engine has it. Where the connection can be taken over it
// returns at once, else when the stream has ended.
func (s *Stream) handOver(then func()) {
	s.writer.Lock()
	s.mu.Lock()
	ended, again := s.ended, s.conn != nil
	if again {
		s.schedule()
	}
	s.handing = !ended && !again
	s.mu.Unlock()
	if ended || again {
		s.writer.Unlock()
		return
	}
	link, pending, err := s.takeOver()
	if err != nil {
		s.mu.Lock()
		s.handing = false
		s.mu.Unlock()
		s.writer.Unlock()
		s.mark(err) // unless a timeout or a shutdown has done so meanwhile
		s.settle(s.Err(), false)
		return
	}
	s.adopt(link, pending)
	s.writer.Unlock()
	if then != nil {
		then()
	}
	if _, waits := link.(*responseLink); waits {
		<-s.Done()
	}
}

// takeOver writes the header, with what middleware has put into it, and takes
// the connection, or else the response for as long as the handler waits.
func (s *Stream) takeOver() (engine.Link, []byte, error) {
	r, x := s.from.response, s.from.x
	http1 := r.request.ProtoMajor == 1
	if !r.started {
		if x != nil && x.Refused() { // since the stream began
			return nil, nil, errRefused
		}
		if http1 {
			r.w.Header().Set("Connection", "close")
		}
		if _, err := r.w.Write(nil); err != nil {
			return nil, nil, writeError(err)
		}
	}
	if err := r.rc.Flush(); err != nil {
		return nil, nil, writeError(err)
	}
	// A middleware that encodes must go on to see each byte.
	if !http1 || r.w.Header().Get("Content-Encoding") != "" {
		return &responseLink{s: s, response: r}, nil, nil
	}
	conn, rw, err := r.rc.Hijack()
	if err != nil {
		return &responseLink{s: s, response: r}, nil, nil //nolint:nilerr // refused: the handler waits instead
	}
	limitKernel(conn, s.o.srv.bounds(x).SendBuffer, s.o.Write)
	beats(conn, s.o.Heartbeat)
	s.mu.Lock()
	s.chunked = r.request.ProtoAtLeast(1, 1)
	s.mu.Unlock()
	pending, _ := rw.Peek(rw.Reader.Buffered()) // it is buffered, so it is there
	return conn, slices.Clone(pending), nil
}

// adopt gives the link to the engine. It is called with the writer's lock held.
func (s *Stream) adopt(link engine.Link, pending []byte) {
	_, waits := link.(*responseLink)
	owner := s.from.here()
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.from.response; r.timer != nil {
		r.timer.Stop()
	}
	if !waits {
		s.letGo()
	}
	s.adopted, s.handing, s.from.goroutine = !waits, false, owner
	o := s.o.srv.kinds.options(kind{budget: int(s.o.Queue), stall: s.o.Write, code: codeOf(s.fn)})
	s.conn = s.o.srv.engine.Adopt(link, pending, (*reader)(s), o)
	if s.ended { // meanwhile, by a timeout or a shutdown
		s.conn.End(s.lastBytes(), s.reason())
		return
	}
	s.schedule()
}

// letGo lets go of the response, the request and its header. It is called with mu
// and the writer's lock held.
func (s *Stream) letGo() {
	r, x := s.from.response, s.from.x
	if r.unbind != nil {
		r.unbind()
	}
	if n := unread(r.request, x); n > 0 {
		s.extra().stray = -n
	}
	if x != nil {
		s.remote = addressOf(r.request.RemoteAddr)
		s.entry = x.Entry(r.request.RemoteAddr)
		s.bytes.Store(x.Bytes())
	}
	s.from.response = nil
}

// A reader is a Stream as its connection sees it.
type reader Stream

// strayBytes is how much a reader may send that has nothing to say, besides the
// body of its request.
const strayBytes = 64 << 10

// unread is the most that may still come of the request's body.
func unread(r *http.Request, x *serve.Exchange) int64 {
	switch n := r.ContentLength; {
	case n >= 0:
		return n
	case x != nil:
		return x.Bounds.Body
	}
	return 0
}

var errTalks = errors.New("leat: the reader sends too much")

// Into has nothing: what comes is dropped.
func (r *reader) Into() []byte { return nil }

// Data drops what the peer sends, up to a bound.
func (r *reader) Data(c engine.Conn, b []byte) {
	s := (*Stream)(r)
	s.moved(false)
	s.mu.Lock()
	a := s.extra()
	a.stray += int64(len(b))
	over := a.stray > strayBytes
	s.mu.Unlock()
	if over {
		s.end(errTalks, false)
	}
}

// Hangup ends the stream, or not, as HalfClose says.
func (r *reader) Hangup(engine.Conn) {
	if s := (*Stream)(r); !s.ignoresEOF() {
		s.end(ErrGone, true)
	}
}

// Wrote tells the topics of a reader that there is room again. Others have nothing
// to do: a stream that was refused a record has told its sender.
func (r *reader) Wrote(_ engine.Conn, _, left int) {
	if sub := r.sub.Load(); sub != nil && left == 0 {
		sub.Ready()
	}
}

// Ahead has nothing to do: no record is urgent.
func (r *reader) Ahead(_ engine.Conn, dst []byte) []byte { return dst }

// Alarm has what is due done as a callback, since the function of Every may
// block. However long that takes, one call waits behind it.
func (r *reader) Alarm(c engine.Conn) {
	s := (*Stream)(r)
	s.mu.Lock()
	again := s.rung
	s.rung = true
	s.mu.Unlock()
	if !again {
		c.Call(bellOf(s).ring)
	}
}

// A bell is what Conn.Call is given for a stream's alarm. It is used again, since
// each record of Every needs one.
type bell struct {
	s    *Stream
	ring func(engine.Conn)
}

var bells sync.Pool

func bellOf(s *Stream) *bell {
	b, ok := bells.Get().(*bell)
	if !ok {
		b = &bell{}
		b.ring = b.rings
	}
	b.s = s
	return b
}

func (b *bell) rings(engine.Conn) {
	s := b.s
	b.s = nil
	bells.Put(b)
	s.alarm()
}

// Ending has nothing to do: nobody waits.
func (r *reader) Ending(engine.Conn, error) {}

// Closed is the end.
func (r *reader) Closed(_ engine.Conn, reason error) {
	s := (*Stream)(r)
	var panicked *engine.PanicError
	if errors.As(reason, &panicked) {
		s.o.srv.logPanic(panicked)
	}
	s.mu.Lock()
	if reason != nil && s.reason() == nil {
		s.extra().err = reason
	}
	reason = s.reason()
	adopted, from := s.adopted, s.from
	s.mu.Unlock()
	if adopted {
		if from != nil && from.x != nil {
			from.x.Cancel()
		}
		s.entry.Finish(s.remote.String(), s.bytes.Load()+s.fed(), reasonOf(reason), reason)
	}
	s.finish(reason)
}

func (s *Stream) ignoresEOF() bool { return s.o.HalfClose == HalfCloseIgnore }

// A responseLink is a response that could not be taken over: HTTP/2, and
// wrappers that keep it. The handler waits while the engine writes to it.
type responseLink struct {
	*response
	s       *Stream
	orderly bool
}

func (l *responseLink) Write(b []byte) (int, error) {
	n, err := l.w.Write(b)
	if err == nil {
		err = l.rc.Flush()
	}
	switch {
	case l.s.late():
		return 0, os.ErrDeadlineExceeded
	case err == nil: // HTTP/2 resets a stream whose deadline passes, write or none
		_ = l.SetWriteDeadline(time.Time{})
	}
	return n, err
}

// SetWriteDeadline sets a deadline, unless one has passed: nothing can be written
// behind that, and the request that ends with it is to be told why.
func (l *responseLink) SetWriteDeadline(t time.Time) error {
	if l.s.late() {
		return os.ErrDeadlineExceeded
	}
	l.writesBy(t)
	return l.setDeadline(t)
}

func (l *responseLink) setDeadline(t time.Time) error {
	if err := l.rc.SetWriteDeadline(t); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// CloseWrite: the handler's return ends the body.
func (l *responseLink) CloseWrite() error {
	l.orderly = true
	return nil
}

// Close frees a write under way.
func (l *responseLink) Close() error {
	if l.orderly {
		return nil
	}
	return l.setDeadline(time.Now())
}

// bounds are those of the request's route where there is one, else the server's.
func (s *Server) bounds(x *serve.Exchange) *serve.Bounds {
	if x != nil {
		return &x.Bounds
	}
	return &s.options.Bounds
}

// beneath is the connection of the system beneath c and TLS, nil for none.
func beneath(c net.Conn) syscall.Conn {
	for {
		secure, ok := c.(*tls.Conn)
		if !ok {
			break
		}
		c = secure.NetConn()
	}
	sc, _ := c.(syscall.Conn)
	return sc
}

// limitKernel bounds what the kernel keeps for the reader, and for how long.
func limitKernel(c net.Conn, sendBuffer int64, write time.Duration) {
	sc := beneath(c)
	if sc == nil {
		return
	}
	// What the system does not offer is not a reason to refuse the reader.
	if sendBuffer > 0 {
		_ = serve.LimitSendBuffer(sc, int(sendBuffer))
	}
	if write > 0 {
		_ = serve.LimitSilence(sc, write)
	}
}

// beats says that something is sent to the peer again and again, so that the
// kernel need not probe whether it is there.
func beats(c net.Conn, every time.Duration) {
	if sc := beneath(c); sc != nil && every > 0 {
		_ = serve.StopKeepAlive(sc) // else it is probed twice
	}
}

func (s *Server) logPanic(p *engine.PanicError) {
	s.counters.Panics.Add(1)
	s.log.Error(metrics.LogPanic, "value", p.Value, "stack", string(p.Stack))
}
