package leat_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

var topicReaders = flag.Int("topic-readers", 1000, "how many readers of one topic there are, a tenth of them stopped; 9000 fit into 20,000 descriptors")

// An audience is the readers of one topic, who count what they get.
type audience struct {
	t    *testing.T
	got  atomic.Int64 // messages, by those who go on
	open atomic.Int64 // readers that have begun
	gone sync.WaitGroup
}

// counts is what one of them does with a record: each count comes once, in order.
func (c *audience) counts() func(int64) {
	var last int64 = -1
	return func(n int64) {
		switch {
		case last < 0 && n == 0:
			c.open.Add(1)
			last = 0
		case n == 0: // a position
		case n != last+1:
			c.t.Errorf("behind %d comes %d", last, n)
			last = n
		default:
			last = n
			c.got.Add(1)
		}
	}
}

// byWire adds a reader on a connection of its own.
func (c *audience) byWire(url, kind string, stops bool) (leave func()) {
	r, err := readsTopic(url, kind, "/live/crowd?x", stops, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	begun := make(chan struct{})
	counts := c.counts()
	r.counts = func(n int64) {
		if counts(n); begun != nil {
			close(begun)
			begun = nil
		}
	}
	first := begun
	over := make(chan struct{})
	c.gone.Go(func() {
		for first != nil {
			if err := r.read(len(r.buf)); err != nil {
				select {
				case <-over:
				default:
					c.t.Errorf("%s: %v", kind, err)
				}
				return
			}
			if stops && begun == nil {
				<-over
				return
			}
		}
	})
	return func() {
		close(over)
		r.cut()
	}
}

// byHTTP2 adds a reader, by a client that others may share.
func (c *audience) byHTTP2(client *http.Client, url string, stops bool) (leave func()) {
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/live/crowd", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	w := topicWire{counts: c.counts()}
	c.gone.Go(func() {
		defer resp.Body.Close()
		in := bufio.NewReaderSize(resp.Body, 512)
		for {
			line, err := in.ReadBytes('\n')
			if err != nil {
				if ctx.Err() == nil {
					c.t.Errorf("HTTP/2: %v", err)
				}
				return
			}
			if len(line) > 1 {
				if err := w.count(line); err != nil {
					c.t.Error(err)
				}
			}
			if stops {
				<-ctx.Done()
				return
			}
		}
	})
	return cancel
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
			if kind == "HTTP/2" {
				readers /= 5 // each has a goroutine on both sides
			}
			srv, url := live(t, crowded())
			c := &audience{t: t}
			var leave []func()
			defer func() {
				for _, f := range leave {
					f()
				}
				c.gone.Wait()
			}()
			var client *http.Client
			for i := range readers {
				stops := i%10 == 9
				if kind != "HTTP/2" {
					leave = append(leave, c.byWire(url, kind, stops))
					continue
				}
				if i%100 == 0 {
					client = h2c(t)
					client.Transport.(*http.Transport).HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10}
				}
				leave = append(leave, c.byHTTP2(client, url, stops))
			}
			eventually(t, "all have begun", func() bool { return c.open.Load() == int64(readers) })
			going := int64(readers - readers/10)
			var before, after int64
			began := time.Now()
			for i := range messages {
				if i == messages/2 { // those who have stopped are behind by now
					before = settledHeap()
				}
				publishInto(t, srv, "crowd", noise(random, 1<<10))
				if (i+1)%window == 0 {
					want := going * int64(i+1)
					eventually(t, fmt.Sprintf("all that go on have %d messages", i+1), func() bool { return c.got.Load() >= want || t.Failed() })
				}
			}
			took := time.Since(began)
			after = settledHeap()
			counts, stats := leat.CountsOf(srv), srv.Topic("crowd").Stats()
			t.Logf("%d readers, %d of them stopped, %d messages in %v: %d steps, %d without readers; %d encodings; the heap grew by %d KiB; the slowest is %d behind; %d bytes are pinned",
				readers, readers/10, messages, took.Round(time.Millisecond), counts.Steps, without, counts.Encodings, (after-before)>>10, stats.Lag, stats.Pinned)
			if most := without + int64(messages*runtime.GOMAXPROCS(0)); counts.Steps > most {
				t.Errorf("%d steps of publishing, %d without readers", counts.Steps, without)
			}
			if counts.Encodings != messages {
				t.Errorf("%d encodings of %d messages", counts.Encodings, messages)
			}
			if stats.Lag < messages/4 {
				t.Errorf("nobody has stopped: the slowest is %d behind", stats.Lag)
			}
			each := int64(64)
			if kind == "HTTP/2" { // the other end's buffers are in the same heap
				each = 4 << 10
			}
			if grown := after - before; grown > 1<<20+int64(readers)*each {
				t.Errorf("the heap has grown by %d KiB", grown>>10)
			}
		})
	}
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
