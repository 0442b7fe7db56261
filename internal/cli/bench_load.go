package cli

import (
	"context"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A load is many connections to one URL, and what is counted on them.
type load struct {
	o      *benchOptions
	target string
	stream bool
	began  time.Time // of the clock that messages carry

	phase    atomic.Int32
	counts   []counts // each for some of the connections, so that they do not wait for each other
	connect  histogram
	failures tally // connections that could not be opened
	ends     tally // that ended before they were closed, in order
	breaks   tally // and not in order
	wrong    tally // echoes
	opened   atomic.Int64
	open     atomic.Int64  // now
	empty    chan struct{} // has one when none is open any more
	answered chan struct{} // has one when all echoes have come after the end

	sockets sockets
	streams streams

	begun       result // what there was when the time began
	measured    result // what came in that time
	interrupted bool
}

// The phases of a load.
const (
	connecting int32 = iota
	measuring
	draining // what was sent may still be answered
	over     // nothing counts any more
)

// counts are those of some connections.
type counts struct {
	sent       atomic.Int64 // messages
	echoes     atomic.Int64 // of messages that were waiting for theirs
	right      atomic.Int64 // of them
	received   atomic.Int64 // messages that are no echoes, and records
	comments   atomic.Int64
	unreadable atomic.Int64 // records
	bytesIn    atomic.Int64 // of streams; sockets count themselves
	times      histogram    // latencies, or what lies between what is received
	_          [64]byte     // a cache line, so that neighbours do not share one
}

// A result is what was counted up to a moment.
type result struct {
	from, to                                            time.Duration // on the load's clock
	sent, echoes, right, received, comments, unreadable int64
}

const (
	dialers    = 32                     // connections that are opened at a time
	patience   = 30 * time.Second       // for one of them
	lateEchoes = 2 * time.Second        // how long echoes may come after the end
	hurry      = 200 * time.Millisecond // the same when somebody waits
	longest    = 365 * 24 * time.Hour
)

func newLoad(o *benchOptions, target string, stream bool) *load {
	l := &load{
		o: o, target: target, stream: stream, began: time.Now(),
		counts: make([]counts, min(o.connections, runtime.GOMAXPROCS(0))),
		empty:  make(chan struct{}, 1), answered: make(chan struct{}, 1),
	}
	if stream {
		l.streams.init(l)
	} else {
		l.sockets.init(l)
	}
	return l
}

// now is the time on the load's clock.
func (l *load) now() time.Duration { return time.Since(l.began) }

func (l *load) in(phase int32) bool { return l.phase.Load() == phase }

// echoing says whether messages are sent.
func (l *load) echoing() bool { return !l.stream && !l.o.listen }

// measure opens the connections, loads them for the duration and stops. Done, ctx
// ends it early.
func (l *load) measure(ctx context.Context) error {
	l.openAll(ctx)
	l.begun = l.sum()
	if ctx.Err() == nil && l.open.Load() > 0 && l.o.duration > 0 {
		l.phase.Store(measuring)
		stop, err := l.start()
		if err != nil {
			return err
		}
		hold(ctx, time.Duration(l.o.duration), l.empty, func() bool { return l.open.Load() == 0 })
		l.phase.Store(draining)
		stop()
	}
	end := l.sum()
	l.measured = result{
		from: l.begun.to, to: end.to,
		right: end.right - l.begun.right, received: end.received - l.begun.received,
	}
	l.interrupted = ctx.Err() != nil
	if l.echoing() {
		late := lateEchoes
		if l.interrupted {
			late = hurry
		}
		hold(context.WithoutCancel(ctx), late, l.answered, func() bool { return l.waiting() == 0 || l.open.Load() == 0 })
	}
	l.phase.Store(over)
	return nil
}

// hold waits until something is done, at which it looks when something is heard,
// for at most d, or until ctx is done.
func hold(ctx context.Context, d time.Duration, heard <-chan struct{}, done func() bool) {
	end := time.NewTimer(d)
	defer end.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return
		case <-end.C:
			return
		case <-heard:
		}
	}
}

// openAll tries to open each connection once.
func (l *load) openAll(ctx context.Context) {
	var next atomic.Int64
	var tries sync.WaitGroup
	for range min(dialers, l.o.connections) {
		tries.Go(func() {
			for ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= l.o.connections {
					return
				}
				began := l.now()
				err := l.openOne(ctx, n)
				switch {
				case err == nil:
					l.connect.add(l.now() - began)
					l.opened.Add(1)
					l.open.Add(1)
				case ctx.Err() == nil:
					l.failures.add(reason(err) + l.hint(err))
				}
			}
		})
	}
	tries.Wait()
}

func (l *load) openOne(ctx context.Context, n int) error {
	c := &l.counts[n%len(l.counts)]
	if l.stream {
		return l.streams.get(ctx, c)
	}
	return l.sockets.dial(ctx, n, c)
}

// start has messages sent, if any are, until the returned function is called.
func (l *load) start() (stop func(), err error) {
	if !l.echoing() {
		return func() {}, nil
	}
	return l.sockets.start()
}

// left notes that a connection has ended.
func (l *load) left() {
	if l.open.Add(-1) == 0 {
		tell(l.empty)
	}
}

// tell puts one into a channel that has room for one.
func tell(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// waiting is how many messages have no echo yet. Echoes are read first: so it is
// not too small while both grow.
func (l *load) waiting() int64 {
	var n int64
	for i := range l.counts {
		n -= l.counts[i].echoes.Load()
	}
	for i := range l.counts {
		n += l.counts[i].sent.Load()
	}
	return n
}

// sum is what has been counted.
func (l *load) sum() result {
	r := result{to: l.now()}
	for i := range l.counts {
		c := &l.counts[i]
		r.sent += c.sent.Load()
		r.echoes += c.echoes.Load()
		r.right += c.right.Load()
		r.received += c.received.Load()
		r.comments += c.comments.Load()
		r.unreadable += c.unreadable.Load()
	}
	return r
}

// times are all that have been taken.
func (l *load) times() *histogram {
	h := new(histogram)
	for i := range l.counts {
		h.addAll(&l.counts[i].times)
	}
	return h
}

// bytes are those of frames, or of streams' records.
func (l *load) bytes() (in, out int64) {
	for i := range l.counts {
		in += l.counts[i].bytesIn.Load()
	}
	for _, b := range l.sockets.all {
		if b != nil {
			s := b.socket.Stats()
			in, out = in+s.BytesIn, out+s.BytesOut
		}
	}
	return in, out
}

// close ends what is open, and returns when all has ended.
func (l *load) close() {
	l.phase.Store(over)
	l.sockets.close()
	l.streams.close()
}

func (l *load) hint(err error) string {
	text := l.o.hint(err)
	if text == "" && !l.stream && status(err) == http.StatusOK {
		return "; a stream's URL begins with http://"
	}
	return text
}
