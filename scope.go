package leat

import "context"

// A scope is the context and the Done of a stream or a socket, which are made when
// they are asked for. It is used with its owner's mu held.
type scope struct {
	values context.Context // that others have put into a request's, or a Dial's; nil for none
	ctx    context.Context
	cancel context.CancelCauseFunc
	done   chan struct{}
}

// context answers the context, which is over at once where ended says so.
func (c *scope) context(ended bool, cause error) context.Context {
	if c.ctx != nil {
		return c.ctx
	}
	values := c.values
	if values == nil {
		values = context.Background()
	}
	c.ctx, c.cancel = context.WithCancelCause(values)
	if ended {
		c.cancel(cause)
	}
	return c.ctx
}

// doneUnless answers the channel of Done, which is closed where that has been said.
func (c *scope) doneUnless(finished bool) <-chan struct{} {
	switch {
	case finished:
		return closedChannel
	case c.done == nil:
		c.done = make(chan struct{})
	}
	return c.done
}

var closedChannel = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()
