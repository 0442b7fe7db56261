package serve

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/leat-dev/leat/internal/metrics"
)

// A spare is a descriptor that is held for the time when there is no other: who
// comes then is told so, and not left waiting for as long as that lasts.
type spare struct {
	mu   sync.Mutex
	file *os.File
	over bool // the listener has been closed

	said time.Time // when the log was last told; the accepting goroutine's
}

// hold takes the descriptor, if there is one. It answers whether it is held.
func (s *spare) hold() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil && !s.over {
		s.file, _ = os.Open(os.DevNull) // it may have to wait
	}
	return s.file != nil
}

// release gives the descriptor up. It answers whether it was held.
func (s *spare) release() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return false
	}
	_ = s.file.Close() // it holds nothing
	s.file = nil
	return true
}

// end gives the descriptor up for good.
func (s *spare) end() {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.release()
}

// exhausted says whether err is that no descriptor is left, to this process or at
// all.
func exhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// pauseTime is how long nothing is accepted when even the spare is gone, and how
// long one is waited for with it.
const pauseTime = 50 * time.Millisecond

// noDescriptor is the whole answer to a connection that there is no descriptor
// for.
const noDescriptor = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 66\r\n\r\n" +
	"no descriptor is left for one more connection (raise `ulimit -n`)\n"

// acceptLast accepts one connection by the spare descriptor. It answers it where
// there is another again, and else nil: who came has been told, or nobody did.
func (l *listener) acceptLast(why error) net.Conn {
	defer l.spare.hold()
	if now := time.Now(); now.Sub(l.spare.said) > time.Second {
		l.spare.said = now
		l.o.Log.LogAttrs(context.Background(), slog.LevelWarn, metrics.LogAccept, slog.String("error", why.Error()))
	}
	if !l.spare.release() {
		<-time.After(pauseTime)
		return nil
	}
	c, err := l.acceptNow()
	if err != nil {
		return nil
	}
	if l.spare.hold() {
		return c
	}
	l.o.Counters.Refused.Add(1)
	_ = c.SetDeadline(time.Now().Add(pauseTime)) // it is owed no more than a try
	_, _ = c.Write([]byte(noDescriptor))
	_ = closeWrite(c)
	var drop [4096]byte
	_, _ = c.Read(drop[:]) // what was asked, lest the close loses the answer
	_ = c.Close()
	return nil
}

// acceptNow accepts one that comes soon. Without a descriptor Accept fails even
// while nobody comes.
func (l *listener) acceptNow() (net.Conn, error) {
	if d, ok := l.Listener.(interface{ SetDeadline(t time.Time) error }); ok {
		_ = d.SetDeadline(time.Now().Add(pauseTime)) // a listener of TCP or unix takes it
		defer func() { _ = d.SetDeadline(time.Time{}) }()
	}
	return l.Listener.Accept()
}

// Close ends the listener.
func (l *listener) Close() error {
	l.spare.end()
	return l.Listener.Close()
}
