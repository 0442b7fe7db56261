package leat_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/leat-dev/leat"
)

// kernelBytes is what the kernel keeps for all TCP connections of this
// machine.
func kernelBytes(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var inuse, orphan, tw, alloc, mem int64
		if n, _ := fmt.Sscanf(line, "TCP: inuse %d orphan %d tw %d alloc %d mem %d", &inuse, &orphan, &tw, &alloc, &mem); n == 5 {
			return mem * int64(os.Getpagesize())
		}
	}
	t.Fatalf("no TCP line in %q", text)
	return 0
}

func heapBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// What a stopped reader costs is limits.queue here and limits.sendBuffer in the
// kernel, in both styles, however much is sent to it. Without the second bound
// the kernel alone takes 4 MiB for each.
func TestStoppedReadersCostTheirBoundsAndNoMore(t *testing.T) {
	const (
		readers    = 40
		queue      = 32 << 10
		sendBuffer = 16 << 10
		// The kernel counts whole buffers, and the reader's own side as well.
		kernelEach = 512 << 10
		// Here each has its connection and its request besides.
		heapEach = 2*queue + 64<<10
	)
	record := strings.Repeat("x", 8000)
	for style, run := range map[string]func(*leat.Stream, *atomic.Int64){
		"event": func(s *leat.Stream, full *atomic.Int64) {
			refused := 0
			s.Every(time.Millisecond, func() error {
				for {
					if err := s.Send(record); err != nil {
						if refused++; refused == 100 && errors.Is(err, leat.ErrSlowReader) {
							full.Add(1)
						}
						return err
					}
				}
			})
		},
		"blocking": func(s *leat.Stream, full *atomic.Int64) {
			defer s.Close()
			for {
				sent := time.AfterFunc(time.Second, func() { full.Add(1) })
				err := s.Send(record)
				sent.Stop()
				if err != nil {
					return
				}
			}
		},
	} {
		t.Run(style, func(t *testing.T) {
			var full atomic.Int64
			c := &leat.Config{Limits: leat.Limits{Queue: queue, SendBuffer: sendBuffer}}
			_, url := stream(t, c, nil, func(s *leat.Stream) { run(s, &full) })
			kernel, heap := kernelBytes(t), heapBytes()
			for range readers {
				reach(t, url, request).in = bufio.NewReaderSize(nil, 16) // it will not be read
			}
			eventually(t, "all readers full", func() bool { return full.Load() >= readers })
			// Others on this machine use memory too, but not for long.
			eventually(t, "the kernel's share within its bound", func() bool {
				return kernelBytes(t)-kernel < readers*kernelEach
			})
			eventually(t, "our share within its bound", func() bool { return heapBytes()-heap < readers*heapEach })
			t.Logf("each: %d KiB in the kernel, %d KiB here", (kernelBytes(t)-kernel)/readers>>10, (heapBytes()-heap)/readers>>10)
		})
	}
}

// vanish has the kernel drop whatever comes for this socket, as a network does
// that has lost the reader: no FIN, no RST, no acknowledgement.
func (s *socket) vanish() {
	s.t.Helper()
	raw, err := s.SyscallConn()
	if err != nil {
		s.t.Fatal(err)
	}
	drop := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	program := unix.SockFprog{Len: uint16(len(drop)), Filter: &drop[0]}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)
	})
	if err := errors.Join(err, set); err != nil {
		s.t.Fatal(err)
	}
}

// A reader that has vanished without a word is noticed by what it does not
// acknowledge, however little is sent to it.
func TestVanishedReaderEndsByTheWriteTimeout(t *testing.T) {
	for style, run := range map[string]func(*leat.Stream){
		"event": func(s *leat.Stream) {
			s.Every(50*time.Millisecond, func() error { return s.Send("x") })
		},
		"event, heartbeats only": func(s *leat.Stream) {
			_ = s.Send("x")
			s.Hold()
		},
		"blocking": func(s *leat.Stream) {
			defer s.Close()
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for s.Send("x") == nil {
				<-tick.C
			}
		},
	} {
		t.Run(style, func(t *testing.T) {
			o := &leat.StreamOptions{Write: time.Second, Heartbeat: 300 * time.Millisecond}
			reason := make(chan (<-chan error), 1)
			srv, url := stream(t, nil, o, func(s *leat.Stream) {
				reason <- ended(t, s)
				run(s)
			})
			c := reach(t, url, request)
			if _, err := io.ReadFull(c.response().Body, make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
			c.vanish()
			if err := receive(t, "OnClose", receive(t, "the stream", reason)); !errors.Is(err, leat.ErrStalled) {
				t.Errorf("reason: %v", err)
			}
			eventually(t, "connection given back", func() bool { return srv.Stats().Connections == 0 })
		})
	}
}
