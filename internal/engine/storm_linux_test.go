//go:build amd64 || arm64

package engine_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/buffer"
	"github.com/leat-dev/leat/internal/engine"
)

var churn = flag.Duration("churn", time.Second, "how long each of the storms lasts")

// A storm has connections do whatever can be done, all at once.
type storm struct {
	t       *testing.T
	e       engine.Engine
	pairing sync.Mutex
	tcp, un net.Listener
	kinds   []*engine.Options // of connections: those with the last of them take their time
}

func newStorm(t *testing.T, e engine.Engine) *storm {
	t.Helper()
	s := &storm{t: t, e: e}
	var err, errUnix error
	s.tcp, err = net.Listen("tcp", "127.0.0.1:0")
	s.un, errUnix = net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err := errors.Join(err, errUnix); err != nil {
		t.Fatal(err)
	}
	s.kinds = []*engine.Options{
		{Budget: 64 << 10, Stall: 20 * time.Millisecond, Unit: swellLen},
		{Budget: 100 << 10, Most: 1 << 20, Stall: time.Second, Unit: swellLen},
		{Budget: 1 << 20, Most: 2 << 20, Unit: swellLen},
	}
	return s
}

func (s *storm) pair(l net.Listener) (near, far net.Conn) {
	s.pairing.Lock()
	defer s.pairing.Unlock()
	accepted := make(chan net.Conn)
	go func() {
		c, err := l.Accept()
		if err != nil {
			s.t.Error(err)
		}
		accepted <- c
	}()
	far, err := net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		s.t.Error(err)
	}
	return <-accepted, far
}

// TestWhateverIsDoneAnEngineKeepsItsPromises is a storm; -churn says how long.
func TestWhateverIsDoneAnEngineKeepsItsPromises(t *testing.T) {
	before := descriptors(t)
	for name, e := range map[string]engine.Engine{
		"one loop": engine.NewLoops(1, nil), "three loops": engine.NewLoops(3, nil), "goroutines": engine.Goroutines{},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStorm(t, e)
			heap := uint64(0)
			for began, rounds := time.Now(), 0; rounds < 2 || time.Since(began) < *churn; rounds++ {
				s.blow()
				if heap == 0 {
					heap = inUse()
				} else if now := inUse(); now > heap+4<<20 {
					t.Errorf("%d bytes are held after round %d, %d after the first", now, rounds, heap)
				}
			}
			_, _ = s.tcp.Close(), s.un.Close() // nothing waits there
			nothingLeft(t, before)
		})
	}
}

// inUse is the memory in use when all is done.
func inUse() uint64 {
	runtime.GC()
	runtime.GC() // what pools hold goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// blow has many connections live and end.
func (s *storm) blow() {
	const workers, each = 24, 10
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				s.live()
			}
		})
	}
	wg.Wait()
}

// live is the life of one connection.
func (s *storm) live() {
	l := s.tcp
	if rand.IntN(4) == 0 {
		l = s.un
	}
	near, far := s.pair(l)
	if c, ok := near.(*net.TCPConn); ok && rand.IntN(2) == 0 {
		_ = c.SetWriteBuffer(4 << 10) // much is cut then
	}
	k := rand.IntN(len(s.kinds))
	w := &wave{t: s.t, slow: k == len(s.kinds)-1, closed: make(chan error, 1)}
	pending := pattern(0, rand.IntN(2)*rand.IntN(5000))
	c := s.e.Adopt(near, pending, w, s.kinds[k])
	var wg sync.WaitGroup
	wg.Go(func() { w.peer(far, len(pending)) })
	for range 2 {
		wg.Go(func() {
			for range rand.IntN(30) {
				w.meddle(c)
				pause()
			}
		})
	}
	wg.Wait()
	if rand.IntN(2) == 0 {
		c.End(nil, errStorm)
		pause()
	}
	c.Abort(errStorm)
	select {
	case <-w.closed:
	case <-time.After(3 * patience):
		s.t.Errorf("Closed did not come: %d Endings", w.endings.Load())
	}
	w.meddle(c) // too late
}

var errStorm = errors.New("the storm is over")

func pause() {
	switch rand.IntN(4) {
	case 0:
		<-time.After(time.Duration(rand.IntN(2000)) * time.Microsecond)
	case 1:
		runtime.Gosched()
	}
}

// pattern is so many bytes of what a peer says, from a place on.
func pattern(at, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte((at + i) % 251)
	}
	return b
}

// A wave is one connection's handler.
type wave struct {
	t    *testing.T
	slow bool

	sending sync.Mutex
	sent    uint32 // units
	bytes   atomic.Int64
	told    atomic.Int64
	at      int // of what the peer says

	alone, signals, endings, closes atomic.Int32
	closed                          chan error
}

// A unit of these tests is its length, its kind and its number, and then its kind
// over and over.
func swell(kind byte, number uint32, size int) []byte {
	b := make([]byte, max(size, swellHead))
	for i := range b {
		b[i] = kind
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	binary.BigEndian.PutUint32(b[5:], number)
	return b
}

const swellHead = 9

func swellLen(b []byte) int { return int(binary.BigEndian.Uint32(b)) }

// meddle does something to c.
func (w *wave) meddle(c engine.Conn) {
	switch rand.IntN(18) {
	case 0, 1, 2, 3, 4:
		w.send(c)
	case 5:
		c.Call(func(c engine.Conn) {
			defer w.enter(&w.alone, true)()
			w.act(c)
		})
	case 6, 7:
		c.Urge()
	case 8:
		c.Flush()
	case 9:
		if n := c.Room(); n < 0 {
			w.t.Errorf("room for %d", n)
		}
	case 10:
		c.Fits(rand.IntN(2 << 20))
	case 11, 12:
		c.SetAlarm(time.Now().Add(time.Duration(rand.IntN(20)-5) * time.Millisecond))
	case 13:
		c.SetAlarm(time.Now().Add(time.Hour << rand.IntN(20)))
	case 14:
		if rand.IntN(20) == 0 {
			c.End(swell('z', 0, 100), errStorm)
		}
	case 15:
		if rand.IntN(60) == 0 {
			c.Abort(errStorm)
		}
	case 16, 17:
		w.offer(c)
	}
}

// offer offers units that are numbered on from those that were sent.
func (w *wave) offer(c engine.Conn) {
	if !w.sending.TryLock() { // as in send
		return
	}
	defer w.sending.Unlock()
	var units [][]byte
	for i := range 1 + rand.IntN(5) {
		units = append(units, swell('s', w.sent+uint32(i), swellHead+rand.IntN(1<<rand.IntN(16))))
	}
	joined := bytes.Join(units, nil)
	w.bytes.Add(int64(len(joined))) // the rest may be told of first
	taken := c.Offer(joined, units)
	w.sent += uint32(taken)
	w.bytes.Add(-int64(len(bytes.Join(units[taken:], nil))))
}

// send sends a unit in one of the ways.
func (w *wave) send(c engine.Conn) {
	if !w.sending.TryLock() { // it may be ours: Wrote comes from within
		return
	}
	defer w.sending.Unlock()
	size := swellHead + rand.IntN(1<<rand.IntN(18))
	u := swell('s', w.sent, size)
	var err error
	flush := false
	w.bytes.Add(int64(size)) // Wrote may come first
	switch rand.IntN(4) {
	case 0:
		err = c.Send(u)
	case 1:
		head := engine.Head{N: swellHead}
		copy(head.B[:], u[:swellHead])
		err = c.SendBehind(head, u[swellHead:])
	case 2:
		i := rand.IntN(size)
		err = c.SendParts([][]byte{u[:i], u[i:]})
	case 3:
		b := buffer.Get(size)
		b.B = append(b.B, u...)
		flush = rand.IntN(2) == 0
		if err = c.Give(b, flush); err != nil {
			b.Free()
		}
	}
	if err != nil {
		w.bytes.Add(-int64(size))
		return
	}
	w.sent++
	if flush {
		c.Flush()
	}
}

// act is what a callback does that may block.
func (w *wave) act(c engine.Conn) {
	for range rand.IntN(4) {
		w.meddle(c)
	}
	switch n := rand.IntN(400); {
	case n == 0:
		panic("oh")
	case n == 1:
		runtime.Goexit()
	case w.slow && n < 20:
		<-time.After(time.Duration(rand.IntN(40)) * time.Millisecond)
	case w.slow:
		<-time.After(time.Duration(rand.IntN(2000)) * time.Microsecond)
	}
}

// enter notes that a callback runs, and answers what notes its end.
func (w *wave) enter(count *atomic.Int32, alone bool) func() {
	if n := count.Add(1); alone && n != 1 {
		w.t.Error("callbacks overlap")
	}
	if w.closes.Load() != 0 {
		w.t.Error("a callback after Closed")
	}
	return func() { count.Add(-1) }
}

func (w *wave) Into() []byte {
	defer w.enter(&w.alone, true)()
	if rand.IntN(2) == 0 {
		return nil
	}
	return make([]byte, rand.IntN(10_000))
}

func (w *wave) Data(c engine.Conn, b []byte) {
	defer w.enter(&w.alone, true)()
	for i, got := range b {
		if want := byte((w.at + i) % 251); got != want {
			w.t.Errorf("byte %d is %d", w.at+i, got)
			c.Abort(errStorm)
			break
		}
	}
	w.at += len(b)
	w.act(c)
}

func (w *wave) Hangup(c engine.Conn) {
	defer w.enter(&w.signals, false)()
	switch w.meddle(c); rand.IntN(3) {
	case 0:
		c.End(swell('z', 0, 10), errStorm)
	case 1:
		c.Abort(errStorm)
	}
}

func (w *wave) Wrote(c engine.Conn, n, left int) {
	defer w.enter(&w.signals, false)()
	if told, sent := w.told.Add(int64(n)), w.bytes.Load(); told > sent || n < 0 || left < 0 || n == 0 && left > 0 {
		w.t.Errorf("%d told of %d, %d now and %d left", told, sent, n, left)
	}
	w.meddle(c)
}

func (w *wave) Alarm(c engine.Conn) {
	defer w.enter(&w.signals, false)()
	w.meddle(c)
}

func (w *wave) Ahead(_ engine.Conn, dst []byte) []byte {
	defer w.enter(&w.signals, false)()
	if rand.IntN(4) == 0 {
		return dst
	}
	return append(dst, swell('!', 0, rand.IntN(3000))...)
}

func (w *wave) Ending(c engine.Conn, _ error) {
	defer w.enter(&w.signals, false)()
	if w.endings.Add(1) != 1 {
		w.t.Error("Ending came again")
	}
	if err := c.Send(nil); !errors.Is(err, engine.ErrClosed) {
		w.t.Errorf("Send while it ends: %v", err)
	}
	w.meddle(c)
}

func (w *wave) Closed(c engine.Conn, reason error) {
	if w.alone.Load() != 0 || w.signals.Load() != 0 {
		w.t.Error("Closed while another callback runs")
	}
	if w.endings.Load() != 1 || w.closes.Add(1) != 1 {
		w.t.Errorf("Closed came %d times, Ending %d times", w.closes.Load(), w.endings.Load())
	}
	w.meddle(c)
	select {
	case w.closed <- reason:
	default:
	}
	if rand.IntN(50) == 0 {
		runtime.Goexit()
	}
}

// peer is the other end: it reads or not, says something or not, and goes away in
// one of the ways.
func (w *wave) peer(far net.Conn, at int) {
	var reader sync.WaitGroup
	if rand.IntN(4) > 0 {
		reader.Go(func() { w.listen(far) })
	}
	_ = far.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)) // it may not be read
	for range rand.IntN(10) {
		n, err := far.Write(pattern(at, rand.IntN(1<<rand.IntN(18))))
		if at += n; err != nil {
			break
		}
		pause()
	}
	pause()
	switch rand.IntN(4) {
	case 0:
		if half, ok := far.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite() // it may be closed already
		}
		<-time.After(5 * time.Millisecond)
	case 1:
		if tcp, ok := far.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // so that Close resets
		}
	case 2:
		<-time.After(time.Duration(rand.IntN(50)) * time.Millisecond) // silent
	}
	_ = far.Close() // whoever has ended it
	reader.Wait()
}

// listen checks that units come whole and in order.
func (w *wave) listen(far io.Reader) {
	next := uint32(0)
	for last := false; ; {
		head := make([]byte, swellHead)
		if _, err := io.ReadFull(far, head); err != nil {
			return // it has ended, maybe in the middle
		}
		size, kind := swellLen(head), head[4]
		if size < swellHead || size > 2<<20 || kind != 's' && kind != '!' && kind != 'z' {
			w.t.Errorf("not a unit: %q, behind %d", head, next)
			return
		}
		body := make([]byte, size-swellHead)
		if _, err := io.ReadFull(far, body); err != nil {
			return // as above
		}
		for _, b := range body {
			if b != kind {
				w.t.Errorf("a unit of %q with another inside", kind)
				return
			}
		}
		number := binary.BigEndian.Uint32(head[5:])
		switch {
		case kind == 's' && (number != next || last):
			w.t.Errorf("unit %d in the place of %d", number, next)
		case kind == 's':
			next++
		case kind == 'z':
			if last = true; next != w.all() {
				w.t.Errorf("an orderly end behind %d units of %d", next, w.all())
			}
		}
	}
}

// all is how many units have been sent.
func (w *wave) all() uint32 {
	w.sending.Lock()
	defer w.sending.Unlock()
	return w.sent
}
