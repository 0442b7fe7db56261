package leat_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// queues are the bytes that the system has taken from the server for each of its
// peers, by their ports, and they have not read.
func queues(t *testing.T) map[int]int64 {
	t.Helper()
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	waiting := map[int]int64{}
	for in := bufio.NewScanner(f); in.Scan(); {
		if !strings.Contains(in.Text(), " 01 ") { // it is not established
			continue
		}
		var n, near, far, nearPort, farPort, state int
		var out, in_ int64
		if _, err := fmt.Sscanf(in.Text(), "%d: %x:%x %x:%x %x %x:%x", &n, &near, &nearPort, &far, &farPort, &state, &out, &in_); err == nil {
			waiting[nearPort] += in_
			waiting[farPort] += out
		}
	}
	return waiting
}

// Readers stop where a frame is cut, with the smallest buffers that there are: with
// -topics 10s or more at nearly each of its bytes. Whatever becomes of them then, no
// frame and no chunk is torn.
func TestAFrameMayBeCutAtAnyOfItsBytes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("the seed is %d", seed)
	for _, kind := range topicWires {
		t.Run(kind, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, uint64(len(kind)))) //nolint:gosec // no secret
			pad := 0
			if kind == byDeflated {
				pad = 256 // shorter ones are not compressed
			}
			history := leat.History{Count: 100}
			srv, url := live(t, &leat.Config{
				Limits: leat.Limits{SendBuffer: 1},
				Topics: []leat.TopicRule{
					{Match: "latest.*", Slow: "latest", History: history},
					{Match: "disconnect.*", Slow: "disconnect", History: history},
					{Match: ">", History: history},
				},
			})
			offsets := map[int64]bool{}
			least := int64(1 << 20)
			tried := func() (n int64) {
				for i := range least {
					if offsets[i] {
						n++
					}
				}
				return n
			}
			long, rounds := *topicsFor >= 10*time.Second, 0
			for end := time.Now().Add(2 * patience); rounds < 2 || long && 100*tried() < 95*least; rounds++ {
				if long && time.Now().After(end) {
					t.Fatalf("%d of %d offsets were tried", tried(), least)
				}
				for offset, length := range cutsOf(t, srv, url, kind, rounds, pad, random) {
					offsets[offset] = true
					least = min(least, length)
				}
				if t.Failed() {
					return
				}
			}
			t.Logf("%d of %d offsets, in %d rounds", tried(), least, rounds)
			if tried() < 10 {
				t.Error("that proves nothing")
			}
		})
	}
}

// cutsOf has readers stop and go on. It answers where in its frame each had stopped,
// and how long that was.
func cutsOf(t *testing.T, srv *leat.Server, url, kind string, round, pad int, random *rand.Rand) map[int64]int64 {
	t.Helper()
	const each, before, behind, stable = 40, 60, 400, 15
	book := newLedger()
	type stopped struct {
		*topicReader
		s     *story
		err   error
		port  int
		count int64 // bytes that it has read
	}
	var all []*stopped
	policies := []string{"gap", "latest", "disconnect"}
	publish := func(n, size int) {
		for i := range n {
			for _, policy := range policies {
				book.publish(t, srv, fmt.Sprint(policy, ".", round), fmt.Sprint("k", i%3), pad+random.IntN(size))
			}
		}
	}
	publish(before, 200)
	for _, policy := range policies {
		for range each {
			one := &stopped{s: &story{ledger: book, policy: policy, topics: []string{fmt.Sprint(policy, ".", round)}}}
			one.s.comes()
			q := one.s.target(fmt.Sprint("&history=", random.IntN(before)))
			r, err := readsTopic(url, kind, q, true, func(r topicRecord) {
				one.err = errors.Join(one.err, one.s.takes(r))
			})
			if err != nil {
				t.Fatal(err)
			}
			defer r.cut()
			r.marks = true
			one.topicReader, one.port = r, r.conn.LocalAddr().(*net.TCPAddr).Port
			r.until(t, "a record", func() bool { return r.frames > 0 })
			one.count = r.at + int64(len(r.rest))
			all = append(all, one)
		}
	}
	publish(behind, 1)
	book.ends()
	// What is taken by the system and not acknowledged is seen at both ends for a
	// while; who does not come to rest is let off.
	last, same := map[int]int64{}, map[int]int{}
	tries := 0
	eventually(t, "the system has taken what it can", func() bool {
		rest := 0
		for port, n := range queues(t) {
			if same[port]++; last[port] != n {
				last[port], same[port] = n, 0
			}
		}
		for _, r := range all {
			if same[r.port] >= stable {
				rest++
			}
		}
		tries++
		return rest == len(all) || tries == 4*stable
	})
	var wg sync.WaitGroup
	for _, r := range all {
		seed := random.Uint64()
		wg.Go(func() { r.err = errors.Join(r.err, r.goesOn(r.s, rand.New(rand.NewPCG(seed, 0)), &r.err)) }) //nolint:gosec // no secret
	}
	wg.Wait()
	cuts := map[int64]int64{}
	for _, r := range all {
		if r.err != nil {
			t.Errorf("%s: %v", r.s.policy, r.err)
		}
		stop := r.count + last[r.port]
		i, exact := slices.BinarySearch(r.starts, stop)
		if same[r.port] < stable {
			continue
		}
		if exact {
			cuts[0] = 1 << 20
		} else if i > 1 && i < len(r.starts) {
			cuts[stop-r.starts[i-1]] = r.starts[i] - r.starts[i-1]
		}
	}
	return cuts
}

// goesOn reads until the reader has everything, or what it takes is wrong.
func (r *topicReader) goesOn(s *story, random *rand.Rand, wrong *error) error {
	_ = r.conn.SetReadBuffer(1 << 18) // else it takes its time
	for end := time.Now().Add(patience); !s.ends() && *wrong == nil; {
		if time.Now().After(end) {
			return fmt.Errorf("it never has everything, but %v", s.told)
		}
		err := r.read(1 + random.IntN(3000))
		if _, torn := errors.AsType[*tornError](err); torn {
			return err
		}
		switch {
		case err == nil && !r.over:
		case s.policy == "disconnect": // who stops for long does not even get the end
			return nil
		default:
			return s.ended(r, err)
		}
	}
	return nil
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
			eventually(t, "all are behind", func() bool { return srv.Topic("a").Stats().Lag >= messages/2 })
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
