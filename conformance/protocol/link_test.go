package protocol_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"time"
)

// patience is how long anything may take before a case fails.
const patience = 30 * time.Second

// A link is the raw peer's end of a connection, behind the opening handshake.
type link struct {
	conn    *net.TCPConn
	in      *bufio.Reader
	client  bool // the raw peer is the client
	resets  bool // a reset counts as an end
	anyText bool // what comes as text need not be UTF-8

	zip   *zipper   // what the raw peer compresses with; nil without an agreement
	unzip *unzipper // what it inflates with

	// What is read.
	under  event // the message under way
	latest event // the message before
	parts  [][]byte
	closed bool // the other side has sent its close
	keys   [][4]byte

	deadline time.Time

	// What is written. A goroutine writes it, so that no two ends wait for each
	// other to read.
	random  *rand.Rand
	out     chan chunk
	written chan struct{}
}

// A chunk is bytes to write, cut bytes at a time; 0: at once. With end it ends
// the raw peer's half of TCP instead.
type chunk struct {
	b   []byte
	cut int
	end bool
}

func newLink(conn net.Conn, in *bufio.Reader, client bool) *link {
	l := &link{
		conn: conn.(*net.TCPConn), in: in, client: client,
		random: rand.New(rand.NewPCG(1, 2)),
		out:    make(chan chunk, 1<<12), written: make(chan struct{}),
	}
	l.hurry(patience)
	go l.write()
	return l
}

// hurry gives the connection this long from now.
func (l *link) hurry(d time.Duration) {
	l.deadline = time.Now().Add(d)
	_ = l.conn.SetDeadline(l.deadline)
}

func (l *link) write() {
	defer close(l.written)
	failed := false
	for c := range l.out {
		if c.end && !failed {
			_ = l.conn.CloseWrite()
		}
		for len(c.b) > 0 && !failed {
			n := len(c.b)
			if c.cut > 0 {
				n = min(n, c.cut)
			}
			_, err := l.conn.Write(c.b[:n])
			failed = err != nil // the other side has had enough; what it says tells
			c.b = c.b[n:]
		}
	}
}

// close gives the connection up.
func (l *link) close() {
	_ = l.conn.Close()
	close(l.out)
	<-l.written
}

func (l *link) newKey() (k [4]byte) {
	for i := range k {
		k[i] = byte(l.random.Uint32())
	}
	return k
}

// A step is one thing that the raw peer does, or one that must come back.
type step func(l *link) error

// steps are steps, functions of their form, and steps again.
type steps []any

// send writes each piece by itself.
func send(pieces ...piece) step { return chopped(0, pieces...) }

// octets writes byte by byte.
func octets(pieces ...piece) step { return chopped(1, pieces...) }

// chopped writes n bytes at a time.
func chopped(n int, pieces ...piece) step {
	return func(l *link) error {
		for _, p := range pieces {
			l.out <- chunk{b: p.append(l, nil), cut: n}
		}
		return nil
	}
}

// together writes all of it at once.
func together(pieces ...piece) step {
	return func(l *link) error {
		var b []byte
		for _, p := range pieces {
			b = p.append(l, b)
		}
		l.out <- chunk{b: b}
		return nil
	}
}

// gets is what must come next, and nothing else.
func gets(want event) step {
	return func(l *link) error {
		got, err := l.next()
		if err != nil {
			return fmt.Errorf("want %v: %w", want, err)
		}
		if got.op != want.op || got.data != want.data && got.op != opClose || got.code != want.code {
			return fmt.Errorf("want %v, got %v", want, got)
		}
		if want.zipped && !got.zipped {
			return fmt.Errorf("%v is not compressed", got)
		}
		if want.frames > 0 && (got.frames != want.frames || got.most > want.most) {
			return fmt.Errorf("%v comes in %d frames of up to %d bytes; want %d of up to %d", got, got.frames, got.most, want.frames, want.most)
		}
		return nil
	}
}

func getsText(p string) step   { return gets(event{op: opText, data: p}) }
func getsBinary(p string) step { return gets(event{op: opBinary, data: p}) }
func getsPong(p string) step   { return gets(event{op: opPong, data: p}) }

// getsClose takes a close with this code, whatever the reason; 0: without one.
func getsClose(code int) step { return gets(event{op: opClose, code: code}) }

// ends is the end of TCP (RFC 6455, 7.1.1): a server ends it first, a client
// when its server has.
func ends(l *link) error {
	if !l.client {
		l.out <- chunk{end: true}
	}
	got, err := l.next()
	if l.resets && isReset(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("want %v: %w", event{}, err)
	}
	if got.op != 0 {
		return fmt.Errorf("want %v, got %v", event{}, got)
	}
	return nil
}

func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }

// closes is an orderly close that the raw peer begins, and that is answered by
// the same code; 0: by none.
func closes(code int, reason string) steps {
	p := closing(code, reason)
	if code == 0 {
		p = frame{b0: fin | opClose}
	}
	return steps{send(p), getsClose(code), ends}
}

// fails is what must happen after a violation: a close that tells it, and, once
// that is answered, the end of TCP. Nothing of what follows it counts.
func fails(code int) steps {
	return steps{getsClose(code), func(l *link) error {
		if code == 0 {
			return nil
		}
		return send(closing(code, ""))(l)
	}, ends}
}

// quiet is that nothing comes for a while.
func quiet(l *link) error {
	_ = l.conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	b, err := l.in.Peek(1)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("want silence, got %x (%v)", b, err)
	}
	return l.conn.SetReadDeadline(l.deadline)
}

// all are the steps one after the other.
func (s steps) all() (all []step) {
	for _, part := range s {
		switch part := part.(type) {
		case step:
			all = append(all, part)
		case func(*link) error:
			all = append(all, part)
		case steps:
			all = append(all, part.all()...)
		default:
			panic(fmt.Sprintf("%T is no step", part))
		}
	}
	return all
}
