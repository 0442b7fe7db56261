package leat

import (
	"crypto/tls"
	"net"
	"net/http"
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
