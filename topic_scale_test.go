package leat_test

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

var topicReaders = flag.Int("topic-readers", 1000, "how many readers of one topic there are, a tenth of them stopped")

// TestMain is also the process of readers, whose memory and descriptors are not
// those of the server.
func TestMain(m *testing.M) {
	if what := os.Getenv("LEAT_TEST_AUDIENCE"); what != "" {
		if err := reads(what); err != nil {
			fmt.Fprintln(os.Stdout, "error:", err)
		}
		return
	}
	os.Exit(m.Run()) //nolint:forbidigo // this is its main
}

// An audience is the readers of one topic, who count what they get. Of ten of them
// one stops behind its first record.
type audience struct {
	url, kind string
	all       []*topicReader // else connections that are not read would be collected, and closed
	got       atomic.Int64   // messages, by those who go on
	open      atomic.Int64   // readers that have begun
}

// reads is what the process does: it has so many readers, and says when so many have
// begun, and on request when those who go on have so many messages each.
func reads(what string) error {
	f := strings.Split(what, " ")
	a := &audience{url: f[0], kind: strings.Join(f[2:], " ")}
	readers, err := strconv.Atoi(f[1])
	if err != nil {
		return err
	}
	failed := make(chan error, readers)
	begin := a.byWires
	if a.kind == "HTTP/2" {
		begin = a.byHTTP2
	}
	if err := begin(readers, failed); err != nil {
		return err
	}
	wait := func(is func() bool) error {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for !is() {
			select {
			case err := <-failed:
				return err
			case <-tick.C:
			}
		}
		return nil
	}
	for all := 0; all < readers; {
		all = min(all+1000, readers)
		if err := wait(func() bool { return a.open.Load() >= int64(all) }); err != nil {
			return err
		}
		fmt.Fprintln(os.Stdout, "open", all)
	}
	going := int64(readers - readers/10)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		each, err := strconv.ParseInt(in.Text(), 10, 64)
		if err != nil {
			return err
		}
		if err := wait(func() bool { return a.got.Load() >= going*each }); err != nil {
			return err
		}
		fmt.Fprintln(os.Stdout, "got", each)
	}
	return nil
}

// counts is what one of them does with a record: each count comes once, in order.
func (a *audience) counts(failed chan<- error) func(int64) {
	var last int64 = -1
	return func(n int64) {
		switch {
		case last < 0 && n == 0:
			a.open.Add(1)
			last = 0
		case n == 0: // a position
		case n != last+1:
			failed <- fmt.Errorf("behind %d comes %d", last, n)
			last = n
		default:
			last = n
			a.got.Add(1)
		}
	}
}

const crowdQuery = "/live/crowd?x"

// byWires begins readers with a connection each.
func (a *audience) byWires(readers int, failed chan<- error) error {
	for i := range readers {
		stops := i%10 == 9
		r, err := readsTopic(a.url, a.kind, crowdQuery, stops, nil)
		if err != nil {
			return err
		}
		r.counts = a.counts(failed)
		a.all = append(a.all, r)
		go func() {
			for !stops || r.frames == 0 {
				n, err := r.conn.Read(r.buf[:])
				if wrong := r.feed(r.buf[:n]); wrong != nil || err != nil {
					failed <- fmt.Errorf("%w, %w", wrong, err)
					return
				}
			}
		}()
	}
	return nil
}

// byHTTP2 begins readers of whom a hundred share a connection.
func (a *audience) byHTTP2(readers int, failed chan<- error) error {
	const each = 100
	for n := 0; n < readers; n += each {
		c, err := dialHTTP2(a.url)
		if err != nil {
			return err
		}
		for i := range min(each, readers-n) {
			s, err := c.ask(byNDJSON, crowdQuery)
			if err != nil {
				return err
			}
			s.counts, s.flows = a.counts(failed), i%10 != 9
			if err := s.allow(4 << 10); err != nil {
				return err
			}
		}
		go func() {
			for {
				if err := c.frame(); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return nil
}

// An elsewhere is such a process.
type elsewhere struct {
	ask   io.Writer
	lines chan string
}

// gathers starts it. It ends with the test.
func gathers(t *testing.T, url, kind string, readers int) *elsewhere {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), fmt.Sprintf("LEAT_TEST_AUDIENCE=%s %d %s", url, readers, kind))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	e := &elsewhere{in, make(chan string, 1)}
	go func() {
		defer close(e.lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			e.lines <- in.Text()
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		for range e.lines { // it has said everything
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the readers: %v", err)
		}
	})
	return e
}

// says waits for what it is to say next.
func (e *elsewhere) says(t *testing.T, want string) {
	t.Helper()
	if got := receive(t, want, e.lines); got != want {
		t.Fatalf("%q, not %q", got, want)
	}
}

// Of many readers of one topic one in ten stops to read. The others get every
// message, publishing is as much work as without readers, a message is encoded
// once, and memory does not grow.
func TestReadersThatStopKeepNobodyFromAnything(t *testing.T) {
	const messages, window = 160, 20
	without := stepsOf(t, messages)
	random := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // no secret
	for _, kind := range append(topicWires, "HTTP/2") {
		t.Run(kind, func(t *testing.T) {
			readers := *topicReaders
			srv, url := live(t, crowded())
			audience := gathers(t, url, kind, readers)
			for n := 0; n < readers; {
				n = min(n+1000, readers)
				audience.says(t, fmt.Sprint("open ", n))
			}
			haveRun(readers)
			settledHeap()
			most := runtime.NumGoroutine() + readers/10 + 10 // who has stopped may have one that waits for room
			settled := func() int64 {
				eventually(t, "nothing is written any more", func() bool { return runtime.NumGoroutine() <= most })
				return settledHeap()
			}
			var before, after int64
			began := time.Now()
			for i := range messages {
				if i == messages/2 { // those who have stopped are behind by now
					before = settled()
				}
				publishInto(t, srv, "crowd", noise(random, 1<<10))
				if (i+1)%window == 0 {
					if _, err := fmt.Fprintln(audience.ask, i+1); err != nil {
						t.Fatal(err)
					}
					audience.says(t, fmt.Sprint("got ", i+1))
				}
			}
			took := time.Since(began)
			after = settled()
			counts, stats := leat.CountsOf(srv), srv.Topic("crowd").Stats()
			t.Logf("%d readers, %d of them stopped, %d messages in %v: %d steps, %d without readers; %d encodings; the heap grew by %d KiB; the slowest is %d behind; %d bytes are pinned",
				readers, readers/10, messages, took.Round(time.Millisecond), counts.Steps, without, counts.Encodings, (after-before)>>10, stats.Lag, stats.Pinned)
			if most := without + int64(messages*runtime.GOMAXPROCS(0)); counts.Steps > most {
				t.Errorf("%d steps of publishing, %d without readers", counts.Steps, without)
			}
			if counts.Encodings != messages {
				t.Errorf("%d encodings of %d messages", counts.Encodings, messages)
			}
			if counts.Readers != int64(readers) {
				t.Errorf("%d readers of %d are there", counts.Readers, readers)
			}
			if stats.Lag < messages/4 {
				t.Errorf("nobody has stopped: the slowest is %d behind", stats.Lag)
			}
			if grown := after - before; grown > 1<<20+int64(readers)*64 {
				t.Errorf("the heap has grown by %d KiB", grown>>10)
			}
		})
	}
}

// haveRun has so many goroutines more run at once. The runtime keeps what it needs for
// as many as there ever were: those that write to readers over HTTP/2 come and go, and
// chance decides how many are there at a time.
func haveRun(n int) {
	var wg sync.WaitGroup
	stay := make(chan struct{})
	for range n {
		wg.Go(func() { <-stay })
	}
	close(stay)
	wg.Wait()
}

// crowded is a server whose topics keep 100 messages, and where readers may stop
// for long.
func crowded() *leat.Config {
	return &leat.Config{
		Limits:   leat.Limits{SendBuffer: 4 << 10, Connections: leat.Unlimited},
		Timeouts: leat.Timeouts{Write: leat.Never, Inactivity: leat.Never},
		Topics:   []leat.TopicRule{{Match: ">", Publish: "public", History: leat.History{Count: 100}}},
	}
}

func publishInto(t *testing.T, srv *leat.Server, topic, text string) {
	t.Helper()
	if _, err := srv.Topic(topic).Publish(t.Context(), leat.Text(text)); err != nil {
		t.Fatal(err)
	}
}

// noise is a text that is hard to compress.
func noise(random *rand.Rand, size int) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte('0' + random.IntN(64))
	}
	return strings.ReplaceAll(string(b), `\`, "x")
}

// stepsOf is what publishing does where there is no reader.
func stepsOf(t *testing.T, messages int) int64 {
	t.Helper()
	srv, err := leat.New(crowded())
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	for range messages {
		publishInto(t, srv, "crowd", "x")
	}
	return leat.CountsOf(srv).Steps
}

// settledHeap is what is in use when all that is not is gone.
func settledHeap() int64 {
	runtime.GC()
	runtime.GC() // pools are emptied by the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // it fits
}
