package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/leat-dev/leat"
)

// TestManySendersAtOnce has senders of every kind on one socket, while the raw
// peer pings and sends, and reads by fits and starts. Its parser sees to it that
// no frame lands inside another, and no message inside another; here is seen to
// it that each sender's messages come whole and in order, and every pong.
func TestManySendersAtOnce(t *testing.T) {
	server := startLeat(t)
	for _, how := range []setup{
		{name: "plain", maxFrame: 777},
		{name: "each message alone", maxFrame: 777, offer: aloneBoth, answer: aloneBoth},
		{name: "context takeover", maxFrame: 5000, takeover: true, offer: "permessage-deflate", answer: "permessage-deflate"},
	} {
		for _, s := range []*subject{server.senders(), senderClient(server.srv)} {
			t.Run(s.name+", "+how.name, func(t *testing.T) {
				t.Parallel()
				l, _, err := s.open(t, how)
				if err != nil {
					t.Fatal(err)
				}
				hearSenders(t, l)
			})
		}
	}
}

const (
	senders = 4
	sent    = 200 / (1 + scale/4) // messages of each
)

// hearSenders is the raw peer.
func hearSenders(t *testing.T, l *link) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	next, pings, pongs, echoes := [senders]int{}, 0, 0, 0
	for got := 0; got < senders*sent; {
		if r.IntN(10) == 0 && pings-pongs < 10 {
			l.out <- chunk{b: ping(strconv.Itoa(pings)).append(l, nil)}
			pings++
			l.out <- chunk{b: text("echo").append(l, nil)}
		}
		e, err := l.next()
		switch {
		case err != nil:
			t.Fatal(err)
		case e.op == opPong:
			if e.data != strconv.Itoa(pongs) {
				t.Fatalf("pong %q, want %d", e.data, pongs)
			}
			pongs++
			continue
		case e.op != opText:
			t.Fatal(e)
		case e.data == "echo":
			echoes++
			continue
		}
		got++
		var who, n int
		var rest string
		if _, err := fmt.Sscanf(e.data, "%d %d %s", &who, &n, &rest); err != nil {
			t.Fatalf("%v: %v", e, err)
		}
		if n != next[who] || e.data != message(who, n) {
			t.Fatalf("message %d of %d is %d, want %d", n, who, n, next[who])
		}
		next[who]++
	}
	l.out <- chunk{b: closing(1000, "").append(l, nil)}
	for {
		e, err := l.next()
		switch {
		case err != nil:
			t.Fatal(err)
		case e.op == opClose && e.code == 1000:
			if pongs != pings {
				t.Errorf("%d pongs for %d pings", pongs, pings)
			}
			if err := ends(l); err != nil {
				t.Error(err)
			}
			return
		case e.op == opPong:
			pongs++
		}
	}
}

// message is the n-th of a sender.
func message(who, n int) string {
	size := []int{0, 100, 776, 3000, 20_000}[(who+n)%5]
	return fmt.Sprintf("%d %d x%s", who, n, pattern(size))
}

func (s *leatServer) senders() *subject {
	e := s.subject(echoEvents)
	e.sender = true
	return e
}

func senderClient(srv *leat.Server) *subject {
	return &subject{name: "Leat's client", dial: func(url string, how setup, ended chan<- outcome) {
		o := leat.DialOptions{SocketOptions: senderOptions(how), Server: srv}
		s, err := leat.Dial(context.Background(), url, &o)
		if err == nil {
			<-s.Done()
		}
	}}
}

// senderOptions are of a socket that has four senders and echoes.
func senderOptions(how setup) leat.SocketOptions {
	o := echoEvents.options(how, make(chan outcome, 1))
	o.Queue = 64 << 10
	o.Open = func(s *leat.Socket) {
		var all sync.WaitGroup
		for who := range senders {
			all.Go(func() {
				for n := range sent {
					if err := sendAs(s, who, message(who, n)); err != nil {
						return // the other end sees what is missing
					}
				}
			})
		}
	}
	o.Message = func(s *leat.Socket, m leat.Message) {
		_ = again(func() error { _, err := s.Write(s.Context(), m); return err })
	}
	return o
}

// sendAs sends in the manner of a sender.
func sendAs(s *leat.Socket, who int, data string) error {
	switch who {
	case 0: // queued
		return again(func() error { _, err := s.SendText(data); return err })
	case 1: // until the system has it
		return again(func() error { _, err := s.Write(s.Context(), leat.Text(data)); return err })
	case 2: // in pieces
		m := leat.Message{Type: leat.TextMessage}
		for {
			n := min(1000, len(data))
			m.Data, m.Last = []byte(data[:n]), n == len(data)
			if err := again(func() error { _, err := s.Write(s.Context(), m); return err }); err != nil || m.Last {
				return err
			}
			data, m.Continuation = data[n:], true
		}
	default: // as much as fits
		m := leat.Text(data)
		for {
			n, err := s.TrySend(m)
			switch {
			case errors.Is(err, leat.ErrMessageOpen), errors.Is(err, leat.ErrSlowReader):
			case err != nil:
				return err
			case n == len(m.Data):
				return nil
			}
			m = m.Rest(n)
			runtime.Gosched()
		}
	}
}

// again tries until the socket has room, and no message of another is open.
func again(f func() error) error {
	for {
		err := f()
		if !errors.Is(err, leat.ErrSlowReader) && !errors.Is(err, leat.ErrMessageOpen) {
			return err
		}
		runtime.Gosched()
	}
}
