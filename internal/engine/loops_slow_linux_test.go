//go:build amd64 || arm64

package engine_test

import (
	"testing"

	"github.com/leat-dev/leat/internal/engine"
)

// What is sent between a read and its Data leaves at once where Data runs on a
// goroutine of its own.
func TestWhatIsSentDuringAReadDoesNotWaitForASlowCallback(t *testing.T) {
	t.Parallel()
	s := &stage{t: t, e: engine.NewLoops(1, nil), free: make(chan struct{})}
	o := &engine.Options{Budget: 100}
	near, far := pair(t)
	s.on(near, far, o)
	others := make(chan engine.Conn, 1) // who has it sends, while the loop reads
	slow := &script{
		into: func() []byte {
			c, sent := <-others, make(chan struct{})
			go func() {
				if err := c.Send([]byte("now")); err != nil {
					t.Error(err)
				}
				close(sent)
			}()
			<-sent
			return nil
		},
		data: func(engine.Conn, []byte) { <-s.free },
	}
	s.block()
	s.handedOver() // from then on callbacks with these options are slow ones
	near, far = pair(t)
	others <- s.e.Adopt(near, nil, slow, o)
	write(t, far, "x")
	if got := readFull(t, far, 3); got != "now" {
		t.Errorf("%q", got)
	}
	if s.e.Counts().Away == 0 {
		t.Error("the callback did not run away")
	}
	close(s.free)
	s.e.Close()
}

// What was read into the handler's own memory stays there, also where Data runs on a
// goroutine of its own.
func TestWhatASlowCallbackGetsIsWhereItWasRead(t *testing.T) {
	t.Parallel()
	s := &stage{t: t, e: engine.NewLoops(1, nil), free: make(chan struct{})}
	near, far := pair(t)
	o := &engine.Options{Budget: 100}
	s.on(near, far, o)
	s.block()
	s.handedOver() // from then on callbacks with these options are slow ones
	own, got := make([]byte, 100), make(chan bool)
	near, far = pair(t)
	s.e.Adopt(near, nil, &script{
		into: func() []byte { return own },
		data: func(_ engine.Conn, b []byte) { got <- &b[0] == &own[0] && string(b) == "x" },
	}, o)
	write(t, far, "x")
	if !await(t, "Data", got) {
		t.Error("it has been copied")
	}
	if s.e.Counts().Away == 0 {
		t.Error("the callback did not run away")
	}
	close(s.free)
	s.e.Close()
}
