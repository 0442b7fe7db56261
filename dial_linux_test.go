package leat

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestKernelIsBoundedBelowTLSToo(t *testing.T) {
	server, pool := certificate(t)
	o := &DialOptions{TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	p := newPeer(t, secure(server, func(c net.Conn) { echo(c, "") }))
	direct, _, _ := opened(t, p.url("wss"), o)
	o.Proxy = by(t, newPeer(t, secure(server, tunnel(p.Addr(), make(chan *http.Request, 1)))), "https", "")
	inner, _, _ := opened(t, "wss://example.com", o)
	for name, c := range map[string]struct{ top, bottom net.Conn }{
		"wss":                        {direct, direct.(*tls.Conn).NetConn()},
		"wss through an https proxy": {inner, inner.(*tls.Conn).NetConn().(*tls.Conn).NetConn()},
	} {
		limitKernel(c.top, 16<<10, 7*time.Second)
		raw, err := c.bottom.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		err = raw.Control(func(fd uintptr) {
			for option, want := range map[int]int{unix.TCP_NOTSENT_LOWAT: 16 << 10, unix.TCP_USER_TIMEOUT: 7000} {
				if got, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, option); err != nil || got != want {
					t.Errorf("%s: option %d is %d (%v), want %d", name, option, got, err, want)
				}
			}
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// A server whose queue of connections is full answers nothing at all. net/http
// would go on trying after the context's end.
func TestContextEndsAConnectionThatDoesNotComeAbout(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(at.(*unix.SockaddrInet4).Port))
	for range 10 { // until nothing more is taken
		c, err := net.DialTimeout("tcp", addr, 200*time.Millisecond)
		if err != nil {
			break
		}
		defer c.Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if e := refused(t, ctx, "ws://"+addr, nil); !errors.Is(e, context.DeadlineExceeded) {
		t.Error(e)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(bound); ; <-tick.C {
		stacks := make([]byte, 1<<20)
		if stacks = stacks[:runtime.Stack(stacks, true)]; !bytes.Contains(stacks, []byte("(*dialer).open")) {
			return
		}
		if time.Now().After(end) {
			t.Fatal("it is still being tried")
		}
	}
}
