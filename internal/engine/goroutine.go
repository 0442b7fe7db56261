package engine

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/leat-dev/leat/internal/buffer"
)

// Goroutines is the engine that works everywhere: a goroutine reads each
// connection, and another writes while there is something to write. The zero
// value is ready.
type Goroutines struct{}

// Adopt starts to keep l.
func (Goroutines) Adopt(l Link, pending []byte, h Handler, o *Options) Conn {
	c := &goConn{link: l, h: h, o: o, bare: bareOf(l)}
	var in source
	if r, ok := l.(io.Reader); c.bare != nil {
		in = c.bare
	} else if ok {
		in = &paced{c: c, r: r, small: make([]byte, readSize)}
	}
	if in != nil {
		c.reading = true
		go c.read(in, pending)
	}
	return c
}

// Close does nothing: who holds the connections aborts them.
func (Goroutines) Close() {}

type goConn struct {
	link Link
	bare *bare // of a link that is one
	h    Handler
	o    *Options

	calls   sync.Mutex // held during Data, a call and Closed
	signals sync.Mutex // held during Hangup and Alarm

	mu       sync.Mutex
	queue    *buffer.Buffer // nil: nothing waits but what is being written
	batch    batch          // what is being written; the writer's, or who offers
	waiting  int            // bytes of Sends, those being written included
	above    surplus        // of them, those of a Send above the budget
	urged    bool           // Ahead is owed
	writing  bool           // somebody writes, or has promised to
	writer   func()         // write
	pass     bool           // a callback is running
	promise  *time.Timer
	promised bool
	owed     bool         // somebody has offered in vain, and waits for Wrote
	noOffers bool         // CloseOffers has been called
	open     bool         // Wrote is being told that nothing waits
	pending  []func(Conn) // of Call
	calling  bool         // somebody makes these calls

	ending     bool
	closed     bool
	announcing sync.WaitGroup // Ending runs, or is about to
	aborting   bool           // Abort is closing the link
	told       bool           // Closed has been called, or is about to be
	reading    bool           // the reader is at work
	lingering  bool           // the read deadline is the end's
	reason     error          // of the end
	alarm      *time.Timer
}

// A source is where the bytes of a peer come from. What next gives is good until
// free, and good with an error.
type source interface {
	next() ([]byte, error)
	free()
}

// read hands over what the peer sends until it ends its half, and then waits
// for the end of the connection only as long as it lingers.
func (c *goConn) read(in source, pending []byte) {
	left := false
	defer func() {
		if left {
			c.readerLeft()
		} else {
			go c.read(in, nil) // a callback has ended the goroutine
		}
	}()
	if len(pending) > 0 {
		c.data(pending)
	}
	for dropped := 0; ; {
		b, err := in.next()
		over := c.over()
		switch {
		case over:
			dropped += len(b)
		case len(b) > 0:
			c.data(b)
		}
		in.free()
		left = err != nil || over && dropped > lingerBytes
		switch {
		case !left:
			continue
		case over:
		case errors.Is(err, io.EOF):
			c.signal(func() { c.h.Hangup(c) })
		default:
			c.Abort(gone(err))
		}
		return
	}
}

// data hands over what has come, and writes what that sent, but never waits for
// the peer to take it: that may be waiting to be read itself, or have to say
// that it lives.
func (c *goConn) data(b []byte) {
	c.call(func() { c.h.Data(c, b) })
	c.mu.Lock()
	must := c.claim()
	c.writing = c.writing || must
	c.mu.Unlock()
	if must {
		c.answer()
	}
}

// readerLeft closes the link of a connection that has ended and was only
// waiting for its peer.
func (c *goConn) readerLeft() {
	c.mu.Lock()
	c.reading = false
	last := c.told
	c.mu.Unlock()
	if last {
		_ = c.link.Close() // the end was told; there is nobody left to tell
	}
}
