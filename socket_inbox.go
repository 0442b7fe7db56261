package leat

import (
	"context"
	"errors"
	"io"
	"sync"
)

// An inbox hands the messages of a socket of the blocking style to Read, one at
// a time: the next bytes are not read before the message has been used.
type inbox struct {
	messages chan Message
	used     chan struct{}
	closed   chan struct{} // nobody reads any more
	once     sync.Once

	reading sync.Mutex
	lent    bool // the last message has not been used yet
}

func newInbox() *inbox {
	return &inbox{messages: make(chan Message), used: make(chan struct{}), closed: make(chan struct{})}
}

// shut drops what comes from now on.
func (i *inbox) shut() { i.once.Do(func() { close(i.closed) }) }

// put waits until m has been used. A message that comes after shut is dropped.
func (i *inbox) put(m Message) {
	select {
	case i.messages <- m:
	case <-i.closed:
		return
	}
	select {
	case <-i.used:
	case <-i.closed:
	}
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
	if i.lent {
		i.lent = false
		select {
		case i.used <- struct{}{}:
		case <-i.closed:
		}
	}
	select {
	case m := <-i.messages:
		i.lent = true
		return m, nil
	case <-s.done:
	case <-ctx.Done():
		if !s.ended() { // which would be the reason for it
			return Message{}, context.Cause(ctx)
		}
	}
	if err := s.Err(); err != nil {
		return Message{}, err
	}
	return Message{}, io.EOF
}
