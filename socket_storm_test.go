package leat_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// meddle does anything that a program may do with a socket, at any time.
func meddle(s *leat.Socket) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(10))*time.Millisecond)
	defer cancel()
	text := strings.Repeat("storm ", rand.IntN(20_000))
	switch rand.IntN(20) {
	case 0:
		_ = s.Close()
	case 1:
		_ = s.CloseWith(4000, "storm")
	case 2:
		_, _ = s.Write(ctx, leat.Text(text))
	case 3:
		_, _ = s.TrySend(leat.Text(text))
	case 4:
		_ = s.Ping([]byte("storm"))
	case 5:
		s.SetPreserveFrames(rand.IntN(2) == 0)
	case 6:
		s.ExtendTimeout(time.Duration(rand.IntN(2000)-1000) * time.Millisecond)
	case 7:
		s.UpdateDeadline()
	case 8:
		_, _ = s.Send(leat.Message{Type: leat.TextMessage, Data: []byte("piece")})
	case 9, 10, 11:
		_, _ = s.Send(leat.Message{Continuation: true, Last: true, Data: []byte("piece")})
	case 12:
		_, _ = s.SendJSON([]string{text})
	case 13:
		if rand.IntN(10) == 0 {
			panic("storm")
		}
	case 14:
		if rand.IntN(10) == 0 {
			runtime.Goexit()
		}
	default:
		_, _ = s.SendText(text)
	}
}

// stormy are options, by chance, whose callbacks meddle, and hold the socket to
// what it promises of them.
func stormy(t *testing.T, ends *sync.WaitGroup) leat.SocketOptions {
	var opened, closed atomic.Bool
	var inside atomic.Int32
	enter := func(what string) func() {
		if inside.Add(1) != 1 {
			t.Errorf("%s overlaps", what)
		}
		if what != "Open" && !opened.Load() {
			t.Errorf("%s before Open", what)
		}
		if closed.Load() {
			t.Errorf("%s behind Close", what)
		}
		return func() { inside.Add(-1) }
	}
	heard := func(what string) func(*leat.Socket, []byte) {
		return func(s *leat.Socket, data []byte) {
			defer enter(what)()
			before := string(data)
			meddle(s)
			if before != string(data) {
				t.Errorf("the data of a %s changed under it", what)
			}
		}
	}
	message := heard("Message")
	return leat.SocketOptions{
		Open: func(s *leat.Socket) {
			defer enter("Open")()
			if opened.Swap(true) {
				t.Error("Open came twice")
			}
			ends.Add(1)
			meddle(s)
		},
		Message:  func(s *leat.Socket, m leat.Message) { message(s, m.Data) },
		Writable: func(s *leat.Socket) { heard("Writable")(s, nil) },
		Ping:     heard("Ping"),
		Pong:     heard("Pong"),
		Close: func(s *leat.Socket, code int, reason string, err error) {
			defer enter("Close")()
			defer ends.Done()
			closed.Store(true)
			if err != nil && strings.Contains(err.Error(), "websocket: ") {
				t.Errorf("the peer's fault: %d %q %v", code, reason, err)
			}
			meddle(s)
		},
		ContextTakeover: rand.IntN(2) == 0,
		DeflateMin:      pick(-1, 0, 1, 1000),
		Queue:           pick[int64](0, 1, 1000, 50_000),
		MaxFrame:        pick[int64](0, 1, 125, 126, 65535),
		MaxPacket:       pick[int64](0, 1000, 65536),
		PingEvery:       pick(0, 50*time.Millisecond),
		Inactivity:      pick(0, 100*time.Millisecond),
		Request:         pick(0, 300*time.Millisecond),
		Write:           2 * time.Second,
	}
}

func pick[T any](values ...T) T { return values[rand.IntN(len(values))] }

// Whatever the callbacks and others do, and whenever the server stops: Open
// comes first, Close last and once, nothing overlaps, nobody sends what is
// against the protocol, and everything ends.
func TestWhateverIsDoneASocketKeepsItsPromises(t *testing.T) {
	for round := range 4 {
		var ends, clients sync.WaitGroup
		srv, url, ran, stop := manualFunc(t, func(w http.ResponseWriter, r *http.Request) {
			o := stormy(t, &ends)
			_, _ = leat.Upgrade(w, r, &o)
		})
		for range 16 {
			clients.Go(func() {
				o := &leat.DialOptions{SocketOptions: stormy(t, &ends)}
				s, err := leat.Dial(t.Context(), "ws"+strings.TrimPrefix(url, "http"), o)
				if err != nil {
					return // the server stops
				}
				for range rand.IntN(30) {
					var one sync.WaitGroup
					one.Add(1)
					go func() { // which may not return
						defer func() { _ = recover() }()
						defer one.Done()
						meddle(s)
					}()
					one.Wait()
				}
				_ = s.CloseWith(4001, "done")
				within(t, s.Done())
			})
		}
		switch round {
		case 0:
			stop()
		case 1:
			_ = srv.Close()
		}
		clients.Wait()
		stop()
		within(t, ran)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if err := srv.Shutdown(ctx); err != nil { // it waits for its sockets
			t.Error(err)
		}
		cancel()
		ends.Wait()
	}
}
