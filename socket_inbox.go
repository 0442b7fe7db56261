package leat

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/leat-dev/leat/internal/buffer"
)

// An inbox hands the messages of a socket of the blocking style to Read. It
// holds one that nobody has asked for yet, so that what comes behind it, a ping
// for one, is seen; with a second one nothing more is read from the peer.
type inbox struct {
	messages chan letter
	closed   chan struct{} // nobody reads any more
	once     sync.Once

	reading sync.Mutex
	lent    *buffer.Buffer // of the last message, until the next Read

	mu      sync.Mutex
	undone  int           // messages that it has not got, or that are lent
	settled chan struct{} // closed when there is none; nil when nobody waits for it
}

// settleTime bounds what a close waits for the reader of the messages before it.
// It is enough to answer them, and short of what a peer gives its close, which is
// some seconds.
const settleTime = time.Second

// A letter is a message with the memory that it is in.
type letter struct {
	m Message
	b *buffer.Buffer
}

func newInbox() *inbox {
	return &inbox{messages: make(chan letter, 1), closed: make(chan struct{})}
}

// shut drops what comes from now on.
func (i *inbox) shut() { i.once.Do(func() { close(i.closed) }) }

// put keeps a copy of m for Read. A message that comes after shut is dropped.
func (i *inbox) put(m Message) {
	b := buffer.Get(len(m.Data))
	b.B = append(b.B, m.Data...)
	m.Data = b.B
	select {
	case <-i.closed:
		b.Free()
		return
	default:
	}
	i.mu.Lock()
	i.undone++
	i.mu.Unlock()
	select {
	case i.messages <- letter{m, b}:
	case <-i.closed:
		b.Free()
	}
}

// settle waits until the messages have been read and dealt with, which the next
// Read tells, so that answers to them go out before a close.
func (i *inbox) settle() {
	i.mu.Lock()
	if i.undone == 0 {
		i.mu.Unlock()
		return
	}
	settled := make(chan struct{})
	i.settled = settled
	i.mu.Unlock()
	late := time.NewTimer(settleTime)
	defer late.Stop()
	select {
	case <-settled:
	case <-i.closed:
	case <-late.C:
	}
}

// finish is the end of what the last Read answered.
func (i *inbox) finish() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.lent == nil {
		return
	}
	i.lent.Free()
	i.lent = nil
	if i.undone--; i.undone == 0 && i.settled != nil {
		close(i.settled)
		i.settled = nil
	}
}

// open is what Read answers for a letter.
func (i *inbox) open(l letter) (Message, error) {
	i.lent = l.b
	return l.m, nil
}

var errEvents = errors.New("leat: Socket.Read: the socket has callbacks, which get the messages")

// Read waits for the next message, or piece of one. Its data is good until the
// next call of Read. After an orderly close it answers io.EOF, after any other
// end the reason, and when ctx is done first its cause: the socket lives on.
func (s *Socket) Read(ctx context.Context) (Message, error) {
	i := s.inbox()
	if i == nil {
		return Message{}, errEvents
	}
	i.reading.Lock()
	defer i.reading.Unlock()
	i.finish()
	select {
	case l := <-i.messages:
		return i.open(l)
	default:
	}
	select {
	case l := <-i.messages:
		return i.open(l)
	case <-s.Done():
	case <-ctx.Done():
		if !s.ended() { // which would be the reason for it
			return Message{}, context.Cause(ctx)
		}
	}
	select {
	case l := <-i.messages: // it came before the end
		return i.open(l)
	default:
	}
	if err := s.Err(); err != nil {
		return Message{}, err
	}
	return Message{}, io.EOF
}
