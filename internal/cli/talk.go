package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/leat-dev/leat"
)

// A talk is what goes on between a socket and whoever is at the terminal or at
// the other end of the pipe.
type talk struct {
	o       *connectOptions
	console *console
	ready   chan struct{} // closed when the console is set up; what comes waits until then

	heard   chan struct{} // has one for news of the server
	showing atomic.Bool   // a message is being shown, which may take its time
	failed  chan error    // has one when a message could not be shown

	mu    sync.Mutex
	pings [16]sentPing // the latest, by their numbers
}

type sentPing struct {
	number uint64
	at     time.Time
}

func newTalk(std stdio, o *connectOptions) *talk {
	return &talk{
		o: o, console: newConsole(std),
		ready: make(chan struct{}), heard: make(chan struct{}, 1), failed: make(chan error, 1),
	}
}

// run talks until the socket has ended, which the end of the input or a signal
// begins.
func (t *talk) run(ctx context.Context, s *leat.Socket, target string) error {
	signalled, forget := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer forget()
	t.console.enter()
	defer t.console.leave()
	t.welcome(s, target)
	close(t.ready)

	ended := make(chan error, 1)
	go func() { ended <- t.send(signalled, s) }()
	stopPings := t.ping(s)
	defer stopPings()

	var failure error
	ours := true
	select {
	case <-s.Done():
		ours = false
	case <-signalled.Done():
	case failure = <-t.failed:
	case failure = <-ended:
		if failure == nil && !t.console.editing() {
			failure = t.outwait(signalled, s)
		}
	}
	forget()          // the next signal kills,
	t.console.leave() // and Ctrl-C is one again
	ours = ours && s.Context().Err() == nil
	if err := s.Close(); err != nil {
		return err
	}
	<-s.Done()
	select {
	case failure = <-t.failed:
	default:
	}
	if failure != nil {
		return failure
	}
	return t.goodbye(s, ours)
}

// welcome says what has been agreed on.
func (t *talk) welcome(s *leat.Socket, target string) {
	text := "connected to " + withoutPassword(target)
	switch p := s.Subprotocol(); {
	case p != "":
		text += ", subprotocol " + visible(p)
	case len(t.o.protocols) > 0:
		text += ", without a subprotocol"
	}
	if t.console.editing() {
		text += "; Ctrl-C closes"
	}
	t.console.note(text)
}

// send sends what the console has until that ends, and answers nil when the
// socket has ended before.
func (t *talk) send(ctx context.Context, s *leat.Socket) error {
	next := t.console.lines()
	kind := leat.TextMessage
	if t.o.binary {
		kind = leat.BinaryMessage
		if !t.console.typed {
			next = t.console.chunks()
		}
	}
	for n := 1; ; n++ {
		data, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("the input: %w", err)
		}
		_, err = t.write(ctx, s, leat.Message{Type: kind, Data: data, Last: true})
		switch {
		case err == nil:
		case errors.Is(err, leat.ErrClosed), ctx.Err() != nil:
			<-s.Done() // which ends it all
			return nil
		case t.console.typed:
			t.console.note("not sent: " + sendError(err))
		default:
			return fmt.Errorf("line %d was not sent: %s", n, sendError(err))
		}
	}
}

// write waits for a server that is slow, but not at a prompt, where Ctrl-C must
// be seen.
func (t *talk) write(ctx context.Context, s *leat.Socket, m leat.Message) (int, error) {
	if t.console.editing() {
		return s.Send(m)
	}
	return s.Write(ctx, m)
}

func sendError(err error) string {
	switch {
	case errors.Is(err, leat.ErrInvalidUTF8):
		return "it is not UTF-8; --binary sends any bytes"
	case errors.Is(err, leat.ErrSlowReader):
		return "the server is slow, and enough waits for it"
	}
	return err.Error()
}

// outwait returns when nothing has come for the time that a pipe waits for
// answers.
func (t *talk) outwait(signalled context.Context, s *leat.Socket) error {
	wait := time.Duration(t.o.wait)
	quiet := time.NewTimer(wait)
	defer quiet.Stop()
	for {
		select {
		case <-s.Done():
			return nil
		case <-signalled.Done():
			return nil
		case err := <-t.failed:
			return err
		case <-t.heard:
			quiet.Reset(wait)
		case <-quiet.C:
			if !t.showing.Load() {
				return nil
			}
			quiet.Reset(wait) // whoever reads our output is slow, and more may wait behind it
		}
	}
}

// receive shows a message, or a piece of one.
func (t *talk) receive(s *leat.Socket, m leat.Message) {
	<-t.ready
	t.showing.Store(true)
	err := t.console.message(m)
	select {
	case t.heard <- struct{}{}:
	default:
	}
	t.showing.Store(false)
	if err != nil {
		select {
		case t.failed <- fmt.Errorf("the output: %w", err):
		default:
		}
		_ = s.Close() // its code can be sent
	}
}

// ping sends pings until it is stopped.
func (t *talk) ping(s *leat.Socket) (stop func()) {
	every := time.Duration(t.o.ping)
	if every == 0 {
		return func() {}
	}
	ticks := time.NewTicker(every)
	go func() {
		for n := uint64(1); ; n++ {
			select {
			case <-ticks.C:
			case <-s.Done():
				return
			}
			t.mu.Lock()
			t.pings[n%uint64(len(t.pings))] = sentPing{n, time.Now()}
			t.mu.Unlock()
			_ = s.Ping(strconv.AppendUint(nil, n, 10)) // it is refused where some wait already
		}
	}()
	return ticks.Stop
}

// pong says how long the answer to a ping took. Others are not ours.
func (t *talk) pong(_ *leat.Socket, payload []byte) {
	<-t.ready
	n, err := strconv.ParseUint(string(payload), 10, 64)
	if err != nil {
		return
	}
	t.mu.Lock()
	p := &t.pings[n%uint64(len(t.pings))]
	known, took := n > 0 && p.number == n, time.Since(p.at)
	p.number = 0
	t.mu.Unlock()
	if known {
		t.console.note(fmt.Sprintf("pong after %v", took.Round(max(took/1000, time.Microsecond))))
	}
}

// goodbye says how the socket has ended, as an error where that is one.
func (t *talk) goodbye(s *leat.Socket, ours bool) error {
	if err := s.Err(); err != nil {
		return endError(err)
	}
	text, err := closeText(s.CloseStatus(), s.CloseReason())
	if err != nil {
		return err
	}
	if ours {
		t.console.note("closed with " + text)
	} else {
		t.console.note("the server closed with " + text)
	}
	return nil
}

// closeText says how a socket was closed, as an error where the code is one.
func closeText(code int, reason string) (string, error) {
	text := codeText(code)
	if reason != "" {
		text += fmt.Sprintf(", %q", reason)
	}
	switch code {
	case leat.CloseNormal, leat.CloseGoingAway, leat.CloseNoStatus:
		return text, nil
	}
	return "", errors.New("the server closed with " + text)
}

// endError says why a socket has ended that was not closed in order.
func endError(err error) error {
	var timeout *leat.TimeoutError
	switch {
	case errors.As(err, &timeout):
		return errors.New("the server is silent: it answers no ping")
	case errors.Is(err, leat.ErrStalled):
		return errors.New("the server takes nothing any more")
	case errors.Is(err, leat.ErrGone): // and often why
		text, _ := strings.CutPrefix(err.Error(), leat.ErrGone.Error())
		return errors.New("the connection ended without a close" + visible(text))
	}
	return errors.New(visible(err.Error()))
}

// codeText is a close code and what it means (RFC 6455, 7.4.1, and the IANA
// registry).
func codeText(code int) string {
	name, known := map[int]string{
		leat.CloseNormal:         "normal",
		leat.CloseGoingAway:      "going away",
		leat.CloseProtocolError:  "protocol error",
		leat.CloseUnsupported:    "unsupported data",
		leat.CloseInvalid:        "invalid data",
		leat.ClosePolicy:         "policy violation",
		leat.CloseTooBig:         "message too big",
		leat.CloseExtension:      "extension missing",
		leat.CloseInternal:       "internal error",
		leat.CloseServiceRestart: "service restart",
		leat.CloseTryAgain:       "try again later",
		1014:                     "bad gateway",
	}[code]
	switch {
	case code == leat.CloseNoStatus:
		return "no code"
	case known:
		return fmt.Sprintf("%d (%s)", code, name)
	}
	return strconv.Itoa(code)
}
