//go:build amd64 || arm64

package engine

import (
	"runtime/debug"

	"golang.org/x/sys/unix"

	"github.com/leat-dev/leat/internal/buffer"
)

// A job is what a callback is about.
type job int8

const (
	jobData job = iota
	jobFirst
	jobCalls
	jobClosed
)

// readable reads once, and hands on what has come.
func (r *runner) readable(c *conn, events uint32) bool {
	c.mu.Lock()
	switch {
	case c.shut:
		c.mu.Unlock()
		return true
	case c.busy:
		c.overhear(events)
		return true
	case c.cold != nil && c.cold.first != nil && !c.closed && !c.ending:
		return r.first(c)
	}
	over := c.closed || c.ending
	c.busy = true
	c.pass = !over
	c.mu.Unlock()
	b, ok := c.into(over)
	if !ok {
		c.mu.Lock()
		c.release()
		return true
	}
	if b == nil {
		b = r.buf.B[:cap(r.buf.B)]
	}
	n, e := receive(c.fd, b)
	switch {
	case e == unix.EAGAIN:
		c.mu.Lock()
	case e != 0:
		if !over {
			c.Abort(gone(&errnoError{"read", e}))
		}
		c.mu.Lock()
		c.eof, c.lingering = true, false
	case n == 0 && !over && c.secure != nil && !c.secure.feed.eof: // which knows whether it is in order
		c.secure.feed.eof = true
		return r.do(c, jobData, nil)
	case n == 0 && !over:
		if !c.hangs() { // and now the other half, too
			c.Abort(gone(&errnoError{"read", unix.ECONNRESET}))
		}
		c.mu.Lock()
	case n == 0:
		c.mu.Lock()
		c.eof, c.lingering = true, false
	case over:
		c.mu.Lock()
		c.drop(n)
	default:
		r.l.counts.reads.Add(1)
		r.l.counts.readBytes.Add(int64(n))
		return r.do(c, jobData, b[:n])
	}
	c.release()
	return true
}

// hangs is the end of what the peer sends. It answers false when that was known.
func (c *conn) hangs() bool {
	c.mu.Lock()
	first := !c.eof
	c.eof, c.lingering = true, false
	c.mu.Unlock()
	if first {
		c.signal(Handler.Hangup)
	}
	return first
}

// over says whether the end has begun.
func (c *conn) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed || c.ending
}

// into is memory of the handler's own for what comes next, nil for none. It
// answers false where the handler has panicked.
func (c *conn) into(over bool) (b []byte, ok bool) {
	if over || c.secure != nil {
		return nil, true
	}
	ok = c.guard(func() { b = c.h.Into() })
	if len(b) == 0 {
		return nil, ok
	}
	return b[:min(len(b), readMost)], ok
}

// readMost is the most that is read for one connection before others have their
// turn.
const readMost = 256 << 10

// first hands on what had been read before. It is called with mu held and
// releases it.
func (r *runner) first(c *conn) bool {
	b := c.cold.first
	c.cold.first = nil
	c.busy, c.pass = true, true
	c.mu.Unlock()
	return r.do(c, jobFirst, b)
}

// overhear sees to what the system says of a connection whose callback runs: it
// is not read meanwhile, but its end is seen. It is called with mu held and
// releases it.
func (c *conn) overhear(events uint32) {
	failed := events&(unix.EPOLLERR|unix.EPOLLHUP) != 0
	ends := !c.eof && events&(unix.EPOLLRDHUP|unix.EPOLLHUP) != 0 && hungUp(c.fd)
	if events&(unix.EPOLLERR|unix.EPOLLHUP) == unix.EPOLLHUP && !c.closed && (ends || unread(c.fd)) {
		failed, c.hears = false, max(c.hears, hearsEnd) // a unix socket whose peer has closed in order
	}
	ends = ends && !failed
	switch {
	case failed && c.closed:
		c.lingering = false
		c.post()
	case ends:
		c.eof = true
	case c.hears == hearsAll:
		c.hears = hearsEnd
	default: // there is more to be read before the end
		c.hears = hearsFail
	}
	c.listen()
	c.mu.Unlock()
	if ends {
		c.signal(Handler.Hangup)
	}
	if failed {
		c.Abort(gone(&errnoError{"read", failure(c.fd)}))
	}
}

// drop counts what comes behind the end, up to a bound. It is called with mu
// held.
func (c *conn) drop(n int) {
	cold := c.rare()
	if cold.dropped += n; cold.dropped > lingerBytes {
		c.eof, c.lingering = true, false
	}
}

// do runs a callback of c, which is busy: here, or on a goroutine of its own
// where such callbacks take their time.
func (r *runner) do(c *conn, j job, b []byte) (mine bool) {
	l := r.l
	l.counts.callbacks.Add(1)
	if c.o.pace.slow.Load() {
		l.counts.away.Add(1)
		var in *buffer.Buffer
		if len(b) > 0 && &b[0] == &r.buf.B[:1][0] { // which the next read is into
			in = buffer.Get(len(b))
			in.B = append(in.B, b...)
			b = in.B
		}
		c.away(j, b, in)
		return true
	}
	return r.inline(c, j, b)
}

// inline runs a callback here, and answers whether the loop is still ours
// afterwards.
func (r *runner) inline(c *conn, j job, b []byte) (mine bool) {
	l := r.l
	if len(b) > longRead {
		l.now = clock()
	}
	began := l.now // from the turn on it may be another runner's
	turn := l.turn.Load() + 1
	l.current.Store(c)
	l.turn.Store(turn)
	l.e.watch.begin(l.e)
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		c.failed(v)
		if mine = l.turn.CompareAndSwap(turn, turn+1); mine && v == nil { // this goroutine ends
			go l.run()
		}
		c.mu.Lock()
		c.release()
	}()
	c.run(j, b)
	returned = true
	mine = l.turn.CompareAndSwap(turn, turn+1)
	now := clock()
	if mine {
		l.now = now
	}
	c.o.pace.note(now-began, len(b))
	c.mu.Lock()
	c.release()
	return mine
}

// longRead is from where a read takes its time, so that it is not taken for a
// callback's.
const longRead = 16 << 10

// away runs a callback on a goroutine of its own, and frees what its bytes are in.
// What it sends does not wait for its end.
func (c *conn) away(j job, b []byte, in *buffer.Buffer) {
	c.mu.Lock()
	c.pass = false
	if c.out != nil || c.queue != nil || c.urged || c.ending || c.offers&offersOwed != 0 { // since it was to be written behind the callback
		c.wake()
	}
	c.mu.Unlock()
	go func() {
		returned := false
		defer func() {
			if !returned {
				c.failed(recover())
			}
			c.mu.Lock()
			c.release()
		}()
		began := clock()
		c.run(j, b)
		c.o.pace.note(clock()-began, len(b))
		in.Free()
		returned = true
	}()
}

// run makes the calls of a job.
func (c *conn) run(j job, b []byte) {
	switch j {
	case jobData:
		if c.secure != nil {
			c.decrypt(b)
			return
		}
		c.h.Data(c, b)
	case jobFirst:
		if len(b) > 0 {
			c.h.Data(c, b)
		}
		if c.secure != nil {
			c.decrypt(nil)
		}
	case jobClosed:
		c.mu.Lock()
		reason := c.rare().reason
		c.mu.Unlock()
		c.h.Closed(c, reason)
	case jobCalls:
		c.mu.Lock()
		n := len(c.rare().calls) - c.rare().called
		c.mu.Unlock()
		for ; n > 0; n-- { // more that come meanwhile wait their turn
			if fn := c.nextCall(); fn != nil {
				fn(c)
			}
		}
	}
}

// nextCall takes one call of those that wait, unless the end has begun.
func (c *conn) nextCall() func(Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cold == nil || !c.cold.due() {
		return nil
	}
	k := c.cold
	fn := k.calls[k.called]
	k.calls[k.called] = nil
	if k.called++; !k.due() {
		k.called, k.calls = 0, k.calls[:0]
	}
	return fn
}

// release ends what made c busy: what was sent is written, and what came
// meanwhile has its turn. It is called with mu held and releases it.
func (c *conn) release() {
	c.pass = false
	c.write()
	c.busy, c.hears = false, hearsAll
	c.listen()
	c.thaw()
	if c.closed || c.cold != nil && (c.cold.due() || c.cold.first != nil) {
		c.post()
	}
	c.mu.Unlock()
}

// attend does what there is to be done about c, by the loop.
func (r *runner) attend(c *conn) bool {
	c.mu.Lock()
	c.posted = false
	c.write()
	switch {
	case c.closed:
		return r.close(c)
	case c.busy || c.cold == nil || c.ending:
	case c.cold.first != nil:
		return r.first(c)
	case c.cold.due():
		c.busy, c.pass = true, true
		c.mu.Unlock()
		return r.do(c, jobCalls, nil)
	}
	c.mu.Unlock()
	return true
}

// Call has fn called; see Conn.
func (c *conn) Call(fn func(Conn)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.ending {
		return
	}
	cold := c.rare()
	cold.calls = append(cold.calls, fn)
	if !c.busy {
		c.post()
	}
}

// signal runs a callback that comes at once, unless Closed is due.
func (c *conn) signal(call func(Handler, Conn)) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.signals++
	c.mu.Unlock()
	c.guard(func() { call(c.h, c) })
	c.signaled()
}

// signaled is the end of a signal.
func (c *conn) signaled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.signals--; c.closed {
		c.post()
	}
}

// guard turns a panic of fn into the end of the connection, and answers whether
// there was none.
func (c *conn) guard(fn func()) (returned bool) {
	defer func() {
		if !returned {
			c.failed(recover())
		}
	}()
	fn()
	return true
}

// failed is the end of a connection whose callback has panicked with v, or, where
// that is nil, has ended its goroutine: who does so may have ended it in order.
func (c *conn) failed(v any) {
	if v == nil {
		if c.over() {
			return
		}
		v = "runtime.Goexit"
	}
	c.Abort(&PanicError{Value: v, Stack: debug.Stack()})
}
