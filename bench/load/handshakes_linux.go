package load

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"time"
)

// A Handshakes is a storm of connections that open a WebSocket, beside
// connections for one plain request each.
type Handshakes struct {
	URL   string // of the WebSocket; "": none
	Plain string // of the plain request, which is answered by Plain; "": none
	Count int    // of WebSockets in all
	Open  int    // most that are open at once
	PID   int    // of the server's process
}

// A HandshakesResult is what connections have cost; their messages are none.
type HandshakesResult struct {
	Get     Result `json:"get"`     // connecting, a plain request, the server's end
	Upgrade Result `json:"upgrade"` // connecting and upgrading, while none ends
	Storm   Result `json:"storm"`   // connecting, upgrading, and the client's end
}

// atOnce is how many connections are about to open at once: no listen queue
// overflows by it.
const atOnce = 64

// firstFew are not measured.
const firstFew = 100

// Run puts the load on the server. A connection that is refused fails the run.
func (s *Handshakes) Run() (r HandshakesResult, err error) {
	if s.Open < 1 || s.Count <= s.Open {
		return r, errors.New("want connections that are open, and more in all")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if s.Plain != "" {
		if _, err = s.get(firstFew); err != nil {
			return r, err
		}
		if r.Get, err = s.get(s.Open); err != nil {
			return r, err
		}
	}
	if s.URL == "" {
		return r, nil
	}
	return r, s.storm(&r)
}

// get makes n plain requests.
func (s *Handshakes) get(n int) (Result, error) {
	t, err := parseTarget(s.Plain, "http")
	if err != nil {
		return Result{}, err
	}
	h := &getter{}
	if h.loop, err = newLoop(t, h, getRequest(&t, "Connection: close")); err != nil {
		return Result{}, err
	}
	defer h.loop.close()
	begin := markNow(s.PID)
	for h.done < n {
		for len(h.loop.conns) < n && len(h.loop.conns)-h.done < atOnce {
			if err := h.loop.dial(); err != nil {
				return Result{}, err
			}
		}
		done := h.done
		if ok, err := h.loop.pollUntil(patience, func() bool { return h.done > done }); err != nil || !ok {
			return Result{}, errors.Join(err, fmt.Errorf("%d of %d plain requests are answered", h.done, n))
		}
	}
	return spent(begin, markNow(s.PID), int64(n)), nil
}

// storm opens all WebSockets. When as many are open as may be, the oldest goes
// for each that comes.
func (s *Handshakes) storm(r *HandshakesResult) error {
	h, err := newEchoer(&Echo{URL: s.URL, Size: headLen, Depth: 1, Fragments: 1})
	if err != nil {
		return err
	}
	l := h.loop
	defer l.close()
	if err := l.connect(firstFew); err != nil {
		return err
	}
	for _, c := range l.conns {
		l.drop(c)
	}
	if err := l.pollFor(50 * time.Millisecond); err != nil {
		return err
	}
	begin := markNow(s.PID)
	if err := l.connect(firstFew + s.Open); err != nil {
		return err
	}
	r.Upgrade = spent(begin, markNow(s.PID), int64(s.Open))
	begin = markNow(s.PID)
	all := firstFew + s.Count
	for gone := firstFew; len(l.conns) < all || l.opening > 0; {
		for len(l.conns) < all && l.opening < atOnce {
			if err := l.dial(); err != nil {
				return err
			}
		}
		was := l.opening
		if ok, err := l.pollUntil(patience, func() bool { return l.opening < was }); err != nil || !ok {
			return errors.Join(err, fmt.Errorf("%d of %d WebSockets have opened", len(l.conns)-l.opening-firstFew, s.Count))
		}
		for ; len(l.conns)-l.opening-gone > s.Open && l.conns[gone].open; gone++ {
			l.drop(l.conns[gone])
		}
	}
	r.Storm = spent(begin, markNow(s.PID), int64(s.Count-s.Open))
	return nil
}

// A getter is the handler of a loop of plain requests, one a connection.
type getter struct {
	loop *loop
	done int
}

func (h *getter) opened(_ *conn, head []byte) error {
	return wantOK(head, map[string]string{"content-length": strconv.Itoa(len(Plain))})
}

func (h *getter) read(c *conn, b []byte) error {
	c.gathered = append(c.gathered, b...)
	if len(c.gathered) > len(Plain) || string(c.gathered) != Plain[:len(c.gathered)] {
		return fmt.Errorf("the answer is %.80q, want %q", c.gathered, Plain)
	}
	return nil
}

func (h *getter) ended(c *conn) error {
	if string(c.gathered) != Plain {
		return fmt.Errorf("the answer is %q, want %q", c.gathered, Plain)
	}
	c.gathered = nil
	h.done++
	return nil
}
