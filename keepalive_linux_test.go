package leat_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/leat-dev/leat"
)

// The kernel's probes are turned off where a heartbeat or a ping does their work,
// and nowhere else.
func TestTheKernelDoesNotProbeConnectionsThatBeat(t *testing.T) {
	type key struct{}
	var held func(near net.Conn, w http.ResponseWriter, r *http.Request)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		held(r.Context().Value(key{}).(net.Conn), w, r)
	}))
	s.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, key{}, c) }
	s.Start()
	defer s.Close()
	hold := func(heartbeat time.Duration) (probes int) {
		done := make(chan int, 1)
		held = func(near net.Conn, w http.ResponseWriter, r *http.Request) {
			raw, err := near.(*net.TCPConn).SyscallConn()
			if err != nil {
				t.Error(err)
			}
			var again int // a descriptor of the same connection, which the hand-over leaves alone
			err = raw.Control(func(fd uintptr) { again, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
			if err != nil {
				t.Error(err)
			}
			defer syscall.Close(again)
			stream, err := leat.NDJSON(w, r, &leat.StreamOptions{Heartbeat: heartbeat})
			if err != nil {
				t.Error(err)
				return
			}
			stream.Hold()
			on, err := unix.GetsockoptInt(again, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
			if err != nil {
				t.Error(err)
			}
			done <- on
			go func() { _ = stream.Close() }() // the handler's own would do nothing
		}
		resp, err := http.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return <-done
	}
	if hold(time.Minute) != 0 {
		t.Error("it is probed beside its heartbeat")
	}
	if hold(leat.Never) == 0 {
		t.Error("nothing finds out that the peer has gone")
	}
}
