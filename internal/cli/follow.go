package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A follower reads topics over connections that come and go. It comes back by
// itself, behind the last id that it has seen, and hands on each message once.
// It knows no transport.
type follower struct {
	// open opens a connection that goes on behind an id; "" is none.
	open func(ctx context.Context, since string) (feed, error)
	// take gets each record, in order. errEnough ends all in good order, any
	// other error at once.
	take func(r *record) error
	// flush is called when nothing else is there at the moment.
	flush func() error
	// note gets what is to be said of connections.
	note func(text string)
	// explain is an error as it is told.
	explain func(err error) string
	once    bool // it does not come back

	pauses  backoff
	begun   bool   // a connection has been opened
	lost    string // why there is none, as it has been told
	passed  string // the last message, or where the connection was asked to begin
	retry   time.Duration
	drained bool // the server has said when to come back
	state   atomic.Pointer[string]
	at      atomic.Pointer[string] // the position
}

// A feed is a connection that records come by.
type feed interface {
	// records gives what comes until the connection has ended, and calls heard
	// at each sign of life. An error behind which something follows is that of a
	// record that could not be read; the last is that of the end.
	records(heard func()) iter.Seq2[json.RawMessage, error]
	// ping asks for a sign of life, where there is a way.
	ping()
	// close ends it, and with it records.
	close()
}

// errEnough says that all has come that was wanted.
var errEnough = errors.New("enough")

// errEnd is the end of a connection that has ended in order.
var errEnd = errors.New("the server ended the stream")

// A comeBack is an end that says when to come back.
type comeBack struct {
	in   time.Duration
	text string
}

func (e *comeBack) Error() string { return e.text }

// A finalError is none of the connection.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

const (
	steady        = 5 * time.Second  // a connection that lasts so long was a good one
	usualBeat     = 25 * time.Second // until the server says its heartbeat
	records       = 64               // that may wait for whoever takes them
	beatsOfSilent = 2.5
)

// run follows until there is enough, ctx is done, or another attempt would be of
// no use.
func (f *follower) run(ctx context.Context) error {
	f.become("connecting")
	for {
		err := f.attend(ctx)
		switch {
		case errors.Is(err, errEnough):
			return nil
		case errors.As(err, new(finalError)):
			return err
		case ctx.Err() != nil, f.once && errors.Is(err, errEnd):
			return nil
		case f.once, hopeless(err, f.begun):
			return finalError{errors.New(f.explain(err))}
		}
		if !waited(ctx, f.pause(err)) {
			return nil
		}
		f.become("connecting")
	}
}

// pause is how long to wait before the next attempt, which it tells.
func (f *follower) pause(err error) time.Duration {
	var told *comeBack
	var pause time.Duration
	switch {
	case f.drained:
		pause = f.retry
		f.lost = "the server was about to stop" // which has been told
	case errors.As(err, &told):
		pause = told.in
	default:
		pause = f.pauses.next(askedToWait(err))
	}
	pause = min(pause, longestRetry+longestPause)
	text := again(pause)
	if why := f.explain(err); !f.drained && why != f.lost { // a server that is away is told of once
		f.note(why + "; " + text)
		f.lost = why
	}
	f.become(text)
	return pause
}

func (f *follower) become(state string) { f.state.Store(&state) }

func (f *follower) moveTo(id string) { f.at.Store(&id) }

// position is where to go on.
func (f *follower) position() string {
	if at := f.at.Load(); at != nil {
		return *at
	}
	return ""
}

// attend reads one connection. The error, which is never nil, is why it has
// ended.
func (f *follower) attend(ctx context.Context) error {
	f.drained, f.passed = false, f.position()
	c, err := f.open(ctx, f.passed)
	if err != nil {
		return err
	}
	opened := time.Now()
	defer func() {
		if time.Since(opened) >= steady {
			f.pauses.tries = 0
		}
	}()
	h := &hearing{feed: c, items: make(chan item, records), gone: make(chan struct{}), opened: opened}
	go h.read()
	defer h.stop()
	limit := silenceLimit(usualBeat.Seconds())
	silence := time.NewTimer(limit / 2)
	defer silence.Stop()
	for first := true; ; {
		select {
		case i, more := <-h.items:
			if !more {
				return cmp.Or(h.end, errEnd)
			}
			beat, err := f.receive(i, first)
			if err == nil && len(h.items) == 0 {
				err = f.flush()
			}
			if err != nil {
				return err
			}
			if i.err == nil && first {
				first = false
				if limit = silenceLimit(beat); limit > 0 {
					silence.Reset(limit / 2)
				} else {
					silence.Stop()
				}
			}
		case <-silence.C:
			quiet := h.quiet()
			if quiet >= limit {
				return fmt.Errorf("nothing has come for %s, not even a heartbeat", briefly(quiet))
			}
			if quiet >= limit/2 {
				c.ping()
				quiet -= limit / 2
			}
			silence.Reset(limit/2 - quiet)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// silenceLimit is how long a server with this heartbeat, in seconds, may be
// silent; 0 is for ever.
func silenceLimit(beat float64) time.Duration {
	if !(beat > 0 && beat < longestRetry.Seconds()) {
		return 0
	}
	return time.Duration(beatsOfSilent * beat * float64(time.Second))
}

// receive hands on what has come, but for what has come before. The first record
// names the heartbeat.
func (f *follower) receive(i item, first bool) (beat float64, err error) {
	if i.err != nil {
		f.note("a record cannot be read and is left out: " + visible(i.err.Error()))
		return 0, nil
	}
	r, err := readRecord(i.raw)
	if err != nil && first {
		return 0, finalError{fmt.Errorf("this is no topic: %w", err)}
	} else if err != nil {
		f.note("a record is left out: " + err.Error())
		return 0, nil
	}
	if first {
		f.arrive(r)
	}
	switch r.Control {
	case "":
		if !behind(r.ID, f.passed) {
			return r.Heartbeat, nil // it came by the connection before
		}
	case "drain":
		f.drained, f.retry = true, time.Duration(min(max(0, r.Retry), longestRetry.Milliseconds()))*time.Millisecond
	case "reset":
		f.passed = "" // it says nothing here
		f.moveTo(r.ID)
	}
	err = f.take(r)
	if err == nil || errors.Is(err, errEnough) {
		if r.ID != "" {
			f.moveTo(r.ID)
		}
	}
	return r.Heartbeat, err
}

// arrive tells that there is a connection.
func (f *follower) arrive(r *record) {
	switch {
	case f.lost != "" && r.Control == "resumed":
		f.note("connected again; nothing is missing")
	case f.lost != "":
		f.note("connected again")
	}
	f.begun, f.lost = true, ""
	f.become("open")
}

// behind says whether a message comes behind an id. Ids of different epochs, and
// of no known form, cannot be compared: such a message counts as new.
func behind(id, passed string) bool {
	epoch, sequence, ok := splitID(id)
	before, last, known := splitID(passed)
	return !ok || !known || epoch != before || sequence > last
}

func splitID(id string) (epoch string, sequence uint64, ok bool) {
	i := strings.LastIndexByte(id, '-')
	if i < 0 {
		return "", 0, false
	}
	sequence, err := strconv.ParseUint(id[i+1:], 10, 64)
	return id[:i], sequence, err == nil
}

// A hearing reads a feed on a goroutine of its own.
type hearing struct {
	feed   feed
	items  chan item // closed behind the last
	gone   chan struct{}
	opened time.Time
	heard  atomic.Int64 // when there was the last sign of life, from opened on
	held   atomic.Bool  // nothing is read, because nobody takes what has come
	end    error        // once items is closed
}

// An item is a record, or why it cannot be read.
type item struct {
	raw json.RawMessage
	err error
}

func (h *hearing) read() {
	defer close(h.items)
	var last error // that of the end, if nothing follows
	for raw, err := range h.feed.records(h.hear) {
		if last != nil && !h.give(item{err: last}) {
			return
		}
		if last = err; err == nil && !h.give(item{raw: raw}) {
			return
		}
	}
	h.end = last
}

func (h *hearing) give(i item) bool {
	h.held.Store(true)
	defer func() {
		h.hear()
		h.held.Store(false)
	}()
	select {
	case h.items <- i:
		return true
	case <-h.gone:
		return false
	}
}

func (h *hearing) hear() { h.heard.Store(int64(time.Since(h.opened))) }

// quiet is how long nothing has come. Whoever takes what comes may be slow,
// which is no silence of the server.
func (h *hearing) quiet() time.Duration {
	if h.held.Load() {
		return 0
	}
	return time.Since(h.opened) - time.Duration(h.heard.Load())
}

// stop ends the feed, and returns when nobody reads it any more.
func (h *hearing) stop() {
	close(h.gone)
	h.feed.close()
	for range h.items { // until it is closed
	}
}
