package leat_test

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/leat-dev/leat"
)

func TestASocketWhoseServerIsBusyIsNotTakenAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leat.sock")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for range 10 { // until the queue of those that nobody accepts is full
		c, err := net.Dial("unix", path)
		if err != nil {
			break
		}
		defer c.Close()
	}
	srv, err := leat.New(&leat.Config{Listen: []string{"unix://" + path}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	if err := srv.Listen(); err == nil {
		t.Error("two servers listen on one socket")
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}
