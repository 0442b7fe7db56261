package leat_test

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/leat-dev/leat"
)

// queues are the bytes that the system has taken from the server for each of its
// peers, by the ports of both, and they have not read.
func queues(t *testing.T) map[[2]int]int64 {
	t.Helper()
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	waiting := map[[2]int]int64{}
	for in := bufio.NewScanner(f); in.Scan(); {
		if !strings.Contains(in.Text(), " 01 ") { // it is not established
			continue
		}
		var n, near, far, nearPort, farPort, state int
		var out, in_ int64
		if _, err := fmt.Sscanf(in.Text(), "%d: %x:%x %x:%x %x %x:%x", &n, &near, &nearPort, &far, &farPort, &state, &out, &in_); err == nil {
			waiting[[2]int{nearPort, farPort}] += in_
			waiting[[2]int{farPort, nearPort}] += out
		}
	}
	return waiting
}

// A cutting is where readers of a policy have been cut.
type cutting struct {
	policy string
	seen   map[int64]map[int64]bool // by the lengths of frames, the offsets
	whole  int64                    // such a length, of which there is each offset
	room   int64                    // bytes that the system takes; 0: nobody knows
	filler int64                    // how long a frame is that fills it
	last   cut
}

// A cut is where the system took no more.
type cut struct {
	pad            int // bytes that were added ahead of it
	offset, length int64
}

// pads are those of the next readers: each moves another byte of one frame to where
// the system stops, if that takes as much as it did.
func (c *cutting) pads() (pads []int) {
	const more = 10 // since frames are not as long as others to the byte
	switch {
	case c.whole > 0:
		return nil
	case c.last.length == 0:
		return []int{0}
	}
	from := int64(c.last.pad) + c.last.offset - c.last.length - more
	for from < 0 {
		from += c.last.length
	}
	for i := range c.last.length + 2*more {
		pads = append(pads, int(from+i))
	}
	return pads
}

// notes notes where the system took no more.
func (c *cutting) notes(at cut) {
	if c.seen[at.length] == nil {
		c.seen[at.length] = map[int64]bool{}
	}
	if c.seen[at.length][at.offset] = true; int64(len(c.seen[at.length])) == at.length {
		c.whole = at.length
	}
	c.last = at
}

// Readers stop at each byte of a frame, by each policy, with the smallest buffers
// that there are: with -topics 10s or more again and again. Whatever becomes of them
// then, no frame and no chunk is torn.
func TestAFrameMayBeCutAtAnyOfItsBytes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("the seed is %d", seed)
	for _, network := range []string{"unix", "tcp"} {
		for _, kind := range topicWires {
			t.Run(network+", "+kind, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, uint64(len(kind)))) //nolint:gosec // no secret
				c := cutTopics()
				if network == "unix" {
					c.Listen = []string{"unix://" + filepath.Join(t.TempDir(), "s")}
				}
				srv, url := live(t, c)
				newLedger().publishAll(t, srv, slices.Repeat([]posted{{"others", 0}}, 10_000)) // ids have five digits from now on
				var all []*cutting
				rounds, readers := 0, 0
				for began, again := time.Now(), true; again && !t.Failed(); again = *topicsFor >= 10*time.Second && time.Since(began) < *topicsFor {
					all = nil
					for _, policy := range []string{"gap", "latest", "disconnect"} {
						all = append(all, &cutting{policy: policy, seen: map[int64]map[int64]bool{}})
					}
					for end, n := time.Now().Add(2*patience), 1; n > 0 && !t.Failed(); rounds++ {
						if time.Now().After(end) {
							t.Fatalf("in %d rounds not each byte was reached: %v", rounds, all)
						}
						n = cutsOf(t, srv, url, kind, rounds, all, random)
						readers += n
					}
				}
				t.Logf("%d readers, in %d rounds; the last frames had %d, %d and %d bytes", readers, rounds, all[0].whole, all[1].whole, all[2].whole)
			})
		}
	}
}

// A halted is a reader that has stopped.
type halted struct {
	*topicReader
	*cutting
	s       *story
	err     error
	pad     int
	own     string // the topic with what moves the others
	shared  string // those are of
	begin   int64  // bytes that it had read by then
	stop    int64  // with those that the system had for it
	waiting []topicRecord
}

// cutsOf has readers stop, in a round of its own, and go on. It answers how many.
func cutsOf(t *testing.T, srv *leat.Server, url, kind string, round int, cuttings []*cutting, random *rand.Rand) int {
	t.Helper()
	book := newLedger()
	var all []*halted
	var shared []string
	for _, c := range cuttings {
		pads := c.pads()
		for i, pad := range pads {
			r := &halted{cutting: c, pad: pad, stop: math.MaxInt64, shared: fmt.Sprintf("%s.%03d", c.policy, round)}
			r.own = fmt.Sprintf("own.%s.%03d", r.shared, i)
			r.s = &story{ledger: book, policy: c.policy, topics: []string{r.own, r.shared}}
			r.s.comes()
			var err error
			r.topicReader, err = readsTopic(url, kind, r.s.target(""), true, r.takes)
			if err != nil {
				t.Fatal(err)
			}
			defer r.cut()
			r.marks = true
			r.until(t, "a record", func() bool { return r.s.begun })
			all = append(all, r)
		}
		if len(pads) > 0 {
			shared = append(shared, all[len(all)-1].shared)
		}
	}
	if len(all) == 0 {
		return 0
	}
	size := 0
	if kind == byDeflated {
		size = 256 // shorter ones are not compressed
	}
	publish := func(n int, before ...posted) {
		for _, topic := range shared {
			before = append(before, slices.Repeat([]posted{{topic, size}}, n)...)
		}
		book.publishAll(t, srv, before)
		leat.OfferAll(srv)
	}
	publish(1)
	for _, r := range all { // who has that is up to date
		r.until(t, "a message", func() bool { return r.s.messages > 0 })
		r.begin = r.at + int64(len(r.rest))
	}
	leat.OfferAll(srv)
	var first []posted
	for _, r := range all {
		first = append(first, r.moves()...)
	}
	publish(cutFirst, first...)
	before := rest(t, all)
	for range cutThen { // what is published at once would be kept for a while
		publish(1)
	}
	after := rest(t, all)
	book.ends()
	var wg sync.WaitGroup
	for i, r := range all {
		if before[i] == after[i] && before[i] >= 0 {
			r.stop = r.begin + before[i]
		}
		seed := random.Uint64()
		wg.Go(func() { r.err = errors.Join(r.err, r.goesOn(rand.New(rand.NewPCG(seed, 0)))) }) //nolint:gosec // no secret
	}
	wg.Wait()
	publish(1)
	for _, r := range all {
		if r.err == nil && r.policy != "disconnect" {
			last := book.upTo(r.shared, math.MaxInt64-1)
			r.until(t, "what is published last", func() bool { return r.s.told[r.shared] == last || r.err != nil })
		}
		if r.err == nil && r.stop < math.MaxInt64 {
			r.err = r.note()
		}
		if r.err != nil {
			t.Errorf("%s, with a pad of %d, of which the system took %d: %v", r.shared, r.pad, r.stop-r.begin, r.err)
		}
	}
	return len(all)
}

// takes takes a record.
func (r *halted) takes(m topicRecord) {
	if r.err = errors.Join(r.err, r.s.takes(m)); r.topicReader != nil && r.at >= r.stop {
		r.waiting = append(r.waiting, m)
	}
}

// moves are messages that come before those of which one is to be cut: they fill most
// of the room, and are as long as the pad says.
func (r *halted) moves() (list []posted) {
	const some, length, movers = 200, 130, 3
	least := 30 // so that their lengths have as many digits, whatever is added
	if r.kind == bySSE {
		least = 100
	}
	n := some
	if r.room > 0 {
		n = int(max(0, r.room-1000) / r.filler)
	}
	for i := range n + movers {
		size := length
		if i >= n {
			size = least + (r.pad+i-n)/movers
		}
		list = append(list, posted{r.own, size})
	}
	return list
}

// note notes where the reader was cut, and looks at what had waited for it.
func (r *halted) note() error {
	i, exact := slices.BinarySearch(r.starts, r.stop)
	was := i - 1                                                        // the last frame that had begun
	ahead := 2 + len(r.moves())                                         // the first that may be cut: before come a control, a message, and those that move it
	if was < ahead || was > ahead+cutFirst-2 || was+2 > len(r.starts) { // the room is not what it was
		r.room, r.filler = r.stop-r.begin, r.starts[3]-r.starts[2]
		return nil
	}
	c := cut{r.pad, 0, r.starts[was+1] - r.starts[was]}
	switch {
	case !exact:
		c.offset = r.stop - r.starts[was]
	case os.Getenv("LEAT_ENGINE") == "goroutine": // it waits for room with the next one
		r.waiting = r.waiting[1:]
	}
	r.notes(c)
	return waited(r.policy, r.waiting)
}

// goesOn reads until the reader has everything, or what it takes is wrong.
func (r *halted) goesOn(random *rand.Rand) error {
	if c, ok := r.conn.(*net.TCPConn); ok {
		_ = c.SetReadBuffer(1 << 18) // else it takes its time
	}
	for end := time.Now().Add(patience); !r.s.ends() && r.err == nil; {
		if time.Now().After(end) {
			return fmt.Errorf("it never has everything, but %v", r.s.told)
		}
		if err := r.read(1 + random.IntN(3000)); err != nil || r.over {
			if _, torn := errors.AsType[*tornError](err); torn {
				return err
			}
			return r.s.ended(r.topicReader, err)
		}
	}
	return nil
}

// rest answers what the system has for each reader, when it takes no more; -1: it
// cannot be told.
func rest(t *testing.T, all []*halted) []int64 {
	t.Helper()
	waiting := make([]int64, len(all))
	if _, unix := all[0].conn.(*net.UnixConn); unix { // it is at rest when it has been offered everything
		for i, r := range all {
			waiting[i] = unread(t, r.conn.(*net.UnixConn))
		}
		return waiting
	}
	// What is taken and not acknowledged is seen at both ends for a while; who does
	// not come to rest is let off.
	const stable = 15
	same := make([]int, len(all))
	tries := 0
	eventually(t, "the system has taken what it can", func() bool {
		now := queues(t)
		resting := 0
		for i, r := range all {
			n := now[[2]int{r.conn.LocalAddr().(*net.TCPAddr).Port, r.conn.RemoteAddr().(*net.TCPAddr).Port}]
			if same[i]++; waiting[i] != n {
				waiting[i], same[i] = n, 0
			}
			if same[i] >= stable {
				resting++
			}
		}
		tries++
		return resting == len(all) || tries == 10*stable
	})
	for i := range all {
		if same[i] < stable {
			waiting[i] = -1
		}
	}
	return waiting
}

// unread is how many bytes have come that have not been read.
func unread(t *testing.T, c *net.UnixConn) int64 {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if e := raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
	return int64(n)
}

// A reader that has stopped costs its cursor and what it has a part of: not what is
// published meanwhile.
func TestReadersThatStopHoldNoMoreThanTheRestOfAFrame(t *testing.T) {
	const readers, messages, size = 500, 1000, 64 << 10
	const each = 2 << 10 // bytes of the heap for a reader's place
	for _, kind := range topicWires {
		t.Run(kind, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // no secret
			c := crowded()
			c.Limits.SendBuffer, c.Limits.TopicMemory = 1, 64<<20
			c.Topics[0].History = leat.History{Bytes: 1 << 20}
			srv, url := live(t, c)
			for range readers {
				r, err := readsTopic(url, kind, "/live/a?x", true, func(topicRecord) {})
				if err != nil {
					t.Fatal(err)
				}
				defer r.cut()
				r.until(t, "a record", func() bool { return r.frames > 0 })
			}
			before := settledHeap()
			text := noise(random, size)
			for i := range messages {
				publishInto(t, srv, "a", fmt.Sprint(i, text))
			}
			eventually(t, "all are behind, with a part of a frame", func() bool {
				stats := srv.Topic("a").Stats()
				return stats.Lag >= messages/2 && stats.Pinned > 0
			})
			after := settledHeap()
			stats, counts := srv.Topic("a").Stats(), leat.CountsOf(srv)
			t.Logf("%d readers have stopped: the heap grew by %d KiB; %d KiB are kept, %d KiB pinned", readers, (after-before)>>10, stats.Bytes>>10, stats.Pinned>>10)
			if stats.Pinned == 0 || stats.Pinned > readers*size*2 || counts.Bytes != stats.Bytes+stats.Pinned || counts.Bytes > c.Limits.TopicMemory {
				t.Errorf("%+v, %+v", stats, counts)
			}
			if most := stats.Bytes + stats.Pinned + readers*each + 1<<20; after-before > most {
				t.Errorf("the heap grew by %d KiB, %d KiB are accounted for", (after-before)>>10, most>>10)
			}
		})
	}
}
