//go:build amd64 || arm64

package engine_test

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/engine"
)

// A busy handler works for a while on whatever comes, and sends it back.
type busy struct {
	handler
	work time.Duration
}

func (h *busy) Wrote(engine.Conn, int, int) {}
func (h *busy) Data(c engine.Conn, b []byte) {
	for began := time.Now(); time.Since(began) < h.work; {
		continue
	}
	_ = c.Send(b) // the peer sees what is missing
}

// Loops are as many as there is work for: one at first, another once that has
// something to do all the time, and one again behind that. No echo is lost.
func TestLoopsShareTheWorkByNeed(t *testing.T) {
	const conns = 40
	e := engine.NewLoops(2, nil)
	o := &engine.Options{Budget: 1 << 20}
	var far [conns]net.Conn
	var moved atomic.Bool // connections are
	done := make(chan error, conns)
	for i := range conns {
		near, f := pair(t)
		far[i] = f
		c := e.Adopt(near, nil, &busy{work: 20 * time.Microsecond}, o)
		c.SetAlarm(time.Now().Add(time.Hour)) // goes with it
		defer c.Abort(nil)
	}
	echo := func(f net.Conn, i int) error {
		b := []byte{byte(i), byte(i >> 8)}
		if _, err := f.Write(b); err != nil {
			return err
		}
		got := make([]byte, 2)
		if _, err := io.ReadFull(f, got); err != nil {
			return err
		}
		if got[0] != b[0] || got[1] != b[1] {
			return io.ErrUnexpectedEOF
		}
		return nil
	}
	late := time.Now().Add(20 * time.Second)
	for _, f := range far {
		go func() {
			var err error
			for i := 0; err == nil && !moved.Load() && time.Now().Before(late); i++ {
				err = echo(f, i)
			}
			done <- err
		}()
	}
	for e.Counts().Moved == 0 && time.Now().Before(late) {
		<-time.After(10 * time.Millisecond)
	}
	moved.Store(true)
	for range conns {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	gave := e.Counts().Moved
	if gave == 0 {
		t.Fatal("a loop that has too much to do gives nothing away")
	}
	for i := 0; e.Counts().Moved == gave; i++ { // a little work, now and then
		if err := echo(far[i%conns], i); err != nil {
			t.Fatal(err)
		}
		if <-time.After(2 * time.Millisecond); time.Now().After(late.Add(20 * time.Second)) {
			t.Fatal("loops that have little to do stay apart")
		}
	}
	for i, f := range far {
		if err := echo(f, i); err != nil {
			t.Fatal(err)
		}
	}
}
