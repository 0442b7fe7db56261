package leat

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/leat-dev/leat/internal/buffer"
)

// An inbox hands the messages of a socket of the blocking style to Read. It
// holds one that nobody has asked for yet, so that what comes behind it, a ping
// or a close, is seen; with a second one nothing more is read from the peer.
type inbox struct {
	messages chan letter
	closed   chan struct{} // nobody reads any more
	once     sync.Once

	reading sync.Mutex
	lent    *buffer.Buffer // of the last message, until the next Read
}

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
	select {
	case i.messages <- letter{m, b}:
	case <-i.closed:
		b.Free()
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
	i := s.inbox
	if i == nil {
		return Message{}, errEvents
	}
	i.reading.Lock()
	defer i.reading.Unlock()
	i.lent.Free()
	i.lent = nil
	select {
	case l := <-i.messages:
		return i.open(l)
	default:
	}
	select {
	case l := <-i.messages:
		return i.open(l)
	case <-s.done:
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
