package leat

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"slices"
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
	s.fn, s.every, s.due = fn, d, time.Now()
	s.mu.Unlock()
	s.handOver()
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
	s.every, s.due = d, time.Now().Add(d)
	s.schedule(time.Now())
}

// Hold hands the stream over for others to send to, until Close or another end.
func (s *Stream) Hold() { s.handOver() }

// handOver takes the stream from its handler. Where the connection can be
// taken over it returns at once, else when the stream has ended.
func (s *Stream) handOver() {
	s.writer.Lock()
	s.mu.Lock()
	ended, again := s.ended, s.conn != nil
	if again {
		s.schedule(time.Now())
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
	if _, waits := link.(*responseLink); waits {
		<-s.done
	}
}

// takeOver writes the header, with what middleware has put into it, and takes
// the connection, or else the response for as long as the handler waits.
func (s *Stream) takeOver() (engine.Link, []byte, error) {
	http1 := s.request.ProtoMajor == 1
	if !s.started {
		if s.x != nil && s.x.Refused() { // since the stream began
			return nil, nil, errRefused
		}
		if http1 {
			s.w.Header().Set("Connection", "close")
		}
		if _, err := s.w.Write(nil); err != nil {
			return nil, nil, writeError(err)
		}
	}
	if err := s.rc.Flush(); err != nil {
		return nil, nil, writeError(err)
	}
	// A middleware that encodes must go on to see each byte.
	if !http1 || s.w.Header().Get("Content-Encoding") != "" {
		return &responseLink{s: s, w: s.w, rc: s.rc}, nil, nil
	}
	conn, rw, err := s.rc.Hijack()
	if err != nil {
		return &responseLink{s: s, w: s.w, rc: s.rc}, nil, nil //nolint:nilerr // refused: the handler waits instead
	}
	limitKernel(conn, s.srv.bounds(s.x).SendBuffer, s.o.Write)
	s.mu.Lock()
	s.chunked = s.request.ProtoAtLeast(1, 1)
	s.mu.Unlock()
	pending, _ := rw.Peek(rw.Reader.Buffered()) // it is buffered, so it is there
	return conn, slices.Clone(pending), nil
}

// adopt gives the link to the engine. It is called with the writer's lock held.
func (s *Stream) adopt(link engine.Link, pending []byte) {
	_, waits := link.(*responseLink)
	owner := goroutineID()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !waits {
		if s.unbind != nil {
			s.unbind()
		}
		s.stray = -s.unread()
		s.unbind = nil // with it go the request and its header
		if s.x != nil {
			s.remote = s.request.RemoteAddr
			s.entry = s.x.Entry(s.remote)
		}
		s.w, s.rc, s.request = nil, nil, nil
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	s.adopted, s.handing, s.owner = !waits, false, owner
	o := &engine.Options{Budget: int(s.o.Queue), Stall: s.o.Write}
	s.conn = s.srv.engine.Adopt(link, pending, (*reader)(s), o)
	if s.ended { // meanwhile, by a timeout or a shutdown
		s.conn.End(s.lastBytes(), s.err)
		return
	}
	s.schedule(time.Now())
}

// A reader is a Stream as its connection sees it.
type reader Stream

// strayBytes is how much a reader may send that has nothing to say, besides the
// body of its request.
const strayBytes = 64 << 10

// unread is the most that may still come of the request's body.
func (s *Stream) unread() int64 {
	switch n := s.request.ContentLength; {
	case n >= 0:
		return n
	case s.x != nil:
		return s.x.Bounds.Body
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
	s.stray += int64(len(b))
	over := s.stray > strayBytes
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

// Wrote has nothing to do: a stream that was refused a record has told its
// sender.
func (r *reader) Wrote(engine.Conn, int, int) {}

// Ahead has nothing to do: no record is urgent.
func (r *reader) Ahead(_ engine.Conn, dst []byte) []byte { return dst }

// Alarm has what is due done as a callback, since the function of Every may
// block. However long that takes, one call waits behind it.
func (r *reader) Alarm(c engine.Conn) {
	if s := (*Stream)(r); !s.rung.Swap(true) {
		c.Call(func(engine.Conn) {
			s.rung.Store(false)
			s.alarm()
		})
	}
}

// Ending has nothing to do: nobody waits.
func (r *reader) Ending(engine.Conn, error) {}

// Closed is the end.
func (r *reader) Closed(_ engine.Conn, reason error) {
	s := (*Stream)(r)
	var panicked *engine.PanicError
	if errors.As(reason, &panicked) {
		s.srv.logPanic(panicked)
	}
	s.mu.Lock()
	if s.err == nil {
		s.err = reason
	}
	reason = s.err
	adopted := s.adopted
	s.mu.Unlock()
	if adopted && s.x != nil {
		s.x.Cancel()
		s.entry.Finish(s.remote, s.x.Bytes(), reasonOf(reason), reason)
	}
	s.finish(reason)
}

func (s *Stream) ignoresEOF() bool { return s.o.HalfClose == HalfCloseIgnore }

// A responseLink is a response that could not be taken over: HTTP/2, and
// wrappers that keep it. The handler waits while the engine writes to it.
type responseLink struct {
	s       *Stream
	w       http.ResponseWriter
	rc      *http.ResponseController
	orderly bool
}

func (l *responseLink) Write(b []byte) (int, error) {
	n, err := l.w.Write(b)
	if err == nil {
		err = l.rc.Flush()
	}
	switch {
	case err == nil: // HTTP/2 resets a stream whose deadline passes, write or none
		_ = l.SetWriteDeadline(time.Time{})
	case l.s.late():
		return 0, os.ErrDeadlineExceeded
	}
	return n, err
}

func (l *responseLink) SetWriteDeadline(t time.Time) error {
	l.s.writesBy(t)
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

// limitKernel bounds what the kernel keeps for the reader, and for how long.
func limitKernel(c net.Conn, sendBuffer int64, write time.Duration) {
	for {
		secure, ok := c.(*tls.Conn)
		if !ok {
			break
		}
		c = secure.NetConn()
	}
	sc, ok := c.(syscall.Conn)
	if !ok {
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

func (s *Server) logPanic(p *engine.PanicError) {
	s.counters.Panics.Add(1)
	s.log.Error(metrics.LogPanic, "value", p.Value, "stack", string(p.Stack))
}
