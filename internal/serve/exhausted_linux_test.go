package serve

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/metrics"
)

// clients are sockets that have their descriptors before there are none left.
func clients(t *testing.T, n int) []int {
	t.Helper()
	fds := make([]int, n)
	for i := range fds {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Close(fd) })
		tv := syscall.NsecToTimeval(int64(20 * time.Second))
		if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &tv); err != nil {
			t.Fatal(err)
		}
		fds[i] = fd
	}
	return fds
}

// ask makes a request on a socket and answers what comes to its end.
func ask(t *testing.T, fd int, to *net.TCPAddr) string {
	t.Helper()
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}); err != nil {
		t.Fatal(err)
	}
	if _, err := syscall.Write(fd, []byte("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	var b [4096]byte
	for {
		n, err := syscall.Read(fd, b[:])
		if errors.Is(err, syscall.EINTR) { // a socket with a timeout is not read on by itself
			continue
		}
		if err != nil {
			t.Fatalf("after %q: %v", got.String(), err)
		}
		if n == 0 {
			return got.String()
		}
		got.Write(b[:n])
	}
}

// openFiles counts this process's descriptors.
func openFiles(t *testing.T) uint64 {
	t.Helper()
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return uint64(len(dir))
}

func TestWithoutADescriptorLeftConnectionsAreRefusedAndThenTakenAgain(t *testing.T) {
	const refused = 20
	var log bytes.Buffer
	counters := &metrics.Counters{}
	l, err := Listen(t.Context(), "tcp", "127.0.0.1:0", ListenOptions{
		Connections: &Gate{}, Counters: counters, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "served") }))
	_ = s.Listener.Close() // in favour of ours
	s.Listener = l
	s.Start()
	defer s.Close()
	to := l.Addr().(*net.TCPAddr)
	fds := clients(t, refused+2)
	open := openFiles(t)
	if got := ask(t, fds[0], to); !strings.Contains(got, "served") {
		t.Fatalf("%q", got)
	}
	for late := time.Now().Add(20 * time.Second); openFiles(t) > open && time.Now().Before(late); {
		runtime.Gosched() // its descriptor is free a little later
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = openFiles(t) + 50
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	var taken []*os.File
	give := func() {
		for _, f := range taken {
			_ = f.Close() // it holds nothing
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	}
	defer give()
	for { // once: later the spare is free at times, and would be taken
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		taken = append(taken, f)
	}
	told := 0
	for _, fd := range fds[1 : refused+1] {
		switch got := ask(t, fd, to); {
		case strings.HasPrefix(got, "HTTP/1.1 503 ") && strings.Contains(got, "no descriptor is left"):
			told++
		case !strings.Contains(got, "served"): // by the descriptor of one before, which has ended late
			t.Fatalf("%q", got)
		}
	}
	if told < refused/2 {
		t.Errorf("%d of %d are told", told, refused)
	}
	give()
	if got := ask(t, fds[refused+1], to); !strings.Contains(got, "served") {
		t.Errorf("%q", got)
	}
	if n := counters.Refused.Load(); n != int64(told) {
		t.Errorf("%d are counted as refused, %d are told", n, told)
	}
	if !strings.Contains(log.String(), "too many open files") {
		t.Errorf("the log says %q", log.String())
	}
}
