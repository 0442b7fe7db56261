package leat_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// What is published to readers that are to be cut: at once, of which they get a part,
// and then more than is kept.
const (
	cutFirst = 16
	cutThen  = 100
	cutKept  = 64
	cutKeys  = 20
)

// A posted is a message of some size, and where it is published.
type posted struct {
	topic string
	size  int
}

// publishAll publishes messages as one request does, and notes them. They have a few
// keys in turn.
func (l *ledger) publishAll(t *testing.T, srv *leat.Server, all []posted) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var topics []string
	var messages []leat.Message
	counts := map[string]int64{}
	for _, p := range all {
		counts[p.topic]++
		n := int64(len(l.of[p.topic])) + counts[p.topic]
		m := leat.JSON(struct {
			N   int64
			Pad string
		}{n, strings.Repeat("abcdefgh", p.size/8+1)[:p.size]})
		m.Key = fmt.Sprintf("k%02d", n%cutKeys)
		topics, messages = append(topics, p.topic), append(messages, m)
	}
	r, err := leat.PublishAll(srv, topics, messages)
	if err != nil {
		t.Fatal(err)
	}
	for i, topic := range topics {
		l.of[topic] = append(l.of[topic], noted{seqOf(r.ID) - int64(len(topics)-1-i), "", messages[i].Key})
	}
}

// waited looks at what came behind the frame that was cut: what was published last,
// and of the others what the policy says.
func waited(policy string, waiting []topicRecord) error {
	var gaps, messages int
	keys := map[string]int{}
	for _, m := range waiting {
		if m.Control != "" {
			gaps++
			continue
		}
		messages++
		keys[m.Key]++
	}
	switch policy {
	case "gap": // it is told once, and gets what is kept
		if gaps != 1 || messages != cutKept+1 {
			return fmt.Errorf("%d messages and %d controls came", messages, gaps)
		}
	case "latest": // one of each key had waited
		if last := waiting[len(waiting)-1]; gaps != 0 || messages != cutKeys+1 || len(keys) != cutKeys || keys[last.Key] != 2 {
			return fmt.Errorf("%d messages and %d controls came, by the keys %v", messages, gaps, keys)
		}
	default: // it is told
		if gaps != 1 || messages != 0 {
			return fmt.Errorf("%d messages and %d controls came", messages, gaps)
		}
	}
	return nil
}

// cutTopics are topics of each policy, which keep few messages.
func cutTopics() *leat.Config {
	history := leat.History{Count: cutKept}
	return &leat.Config{
		Limits:   leat.Limits{SendBuffer: 1, Requests: leat.Unlimited, Topics: leat.Unlimited, TopicsPerAddress: leat.Unlimited},
		Timeouts: leat.Timeouts{Write: leat.Never},
		Topics: []leat.TopicRule{
			{Match: "latest.*", Slow: "latest", History: history},
			{Match: "disconnect.*", Slow: "disconnect", History: history},
			{Match: "gap.*", History: history},
		},
	}
}

// A sipper is a reader that takes as much as it likes.
type sipper interface {
	wire() *topicWire
	sip(n int) error // n bytes, and no more
	sup() error      // some of what comes
	cut()
}

// A pipeReader reads by a connection that is none of the system's: what it does not
// read waits in the server.
type pipeReader struct{ topicReader }

func (r *pipeReader) wire() *topicWire { return &r.topicWire }
func (r *pipeReader) sup() error       { return r.read(len(r.buf)) }

func (r *pipeReader) sip(n int) error {
	b := make([]byte, n)
	if err := r.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := io.ReadFull(r.conn, b); err != nil {
		return err
	}
	return r.feed(b)
}

// pipes is a listener for such connections.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, open := <-p
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// pipe is a connection to the server.
func (p pipes) pipe() net.Conn {
	near, far := net.Pipe()
	p <- far
	return near
}

// servedByPipes serves topics by connections that are none of the system's.
func servedByPipes(t *testing.T, c *leat.Config) (*leat.Server, pipes) {
	t.Helper()
	c.Logger = slog.New(slog.DiscardHandler)
	srv, err := leat.New(c)
	if err != nil {
		t.Fatal(err)
	}
	p := make(pipes)
	hs := &http.Server{Handler: srv.Topics("/live/"), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	over := make(chan error, 1)
	go func() { over <- hs.Serve(p) }()
	t.Cleanup(func() {
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		close(p)
		<-over
		_ = hs.Close() // its listener is closed
		if err := srv.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return srv, p
}

// Readers stop at each byte of three messages that come at once, by each policy:
// those over HTTP/2 by its windows, and those over connections that are wrapped in
// something by reading no more. No frame, chunk or record is torn.
func TestAReaderMayStopAtAnyByte(t *testing.T) {
	type way struct {
		kind string
		over string
	}
	ways := []way{{byNDJSON, "HTTP/2"}, {bySSE, "HTTP/2"}}
	for _, kind := range topicWires {
		ways = append(ways, way{kind, "a pipe"})
	}
	for _, w := range ways {
		t.Run(w.kind+" over "+w.over, func(t *testing.T) {
			var srv *leat.Server
			var ask func(target string) (sipper, error)
			if w.over == "HTTP/2" {
				var url string
				srv, url = live(t, cutTopics())
				c, err := dialHTTP2(url)
				if err != nil {
					t.Fatal(err)
				}
				defer c.conn.Close()
				ask = func(target string) (sipper, error) { return c.ask(w.kind, target) }
			} else {
				var p pipes
				srv, p = servedByPipes(t, cutTopics())
				ask = func(target string) (sipper, error) {
					r := &pipeReader{topicReader{topicWire: topicWire{kind: w.kind}, conn: p.pipe()}}
					_, err := io.WriteString(r.conn, r.asks(target))
					return r, err
				}
			}
			for _, policy := range []string{"gap", "latest", "disconnect"} {
				at, sure := int64(0), 0
				for length := int64(1); at < length; at++ {
					var err error
					if length, err = stopsAt(t, srv, ask, policy, w.kind, at, &sure); err != nil {
						t.Fatalf("%s, stopped behind %d bytes: %v", policy, at, err)
					}
				}
				t.Logf("%s: %d bytes", policy, at)
			}
		})
	}
}

// stopsAt has a reader stop behind so many bytes of what it gets, and go on. It
// answers how many there were. Sure is how much comes before for sure.
func stopsAt(t *testing.T, srv *leat.Server, ask func(string) (sipper, error), policy, kind string, at int64, sure *int) (length int64, err error) {
	t.Helper()
	first := int64(3)
	if underRace { // one takes long enough
		first = 1
	}
	size := 0
	if kind == byDeflated {
		size = 256 // shorter ones are not compressed
	}
	book := newLedger()
	topic := fmt.Sprintf("%s.%04d", policy, at)
	s := &story{ledger: book, policy: policy, topics: []string{topic}}
	s.comes()
	publish := func(n int64, size int) {
		book.publishAll(t, srv, slices.Repeat([]posted{{topic, size}}, int(n)))
		leat.OfferAll(srv)
	}
	r, err := ask(s.target(""))
	if err != nil {
		return 0, err
	}
	defer r.cut()
	other, err := ask(s.target("")) // it does not stop
	if err != nil {
		return 0, err
	}
	defer other.cut()
	w, ow := r.wire(), other.wire()
	w.marks, ow.marks = true, true
	var wrong error
	var waiting []topicRecord
	w.took = func(m topicRecord) {
		wrong = errors.Join(wrong, s.takes(m))
		if m.Count > 1+first || m.Control == "gap" {
			waiting = append(waiting, m)
		}
	}
	seen := int64(-1)
	ow.took = func(m topicRecord) { seen = m.Count }
	takes := func(r sipper, so func() bool) error {
		for !so() && wrong == nil && !r.wire().over {
			if err := r.sup(); err != nil {
				return errors.Join(wrong, err)
			}
		}
		return wrong
	}
	err = r.sip(*sure)
	n := *sure
	for ; err == nil && !s.begun; n++ {
		err = r.sip(1)
	}
	if err != nil {
		return 0, err
	}
	*sure = max(0, n-4)
	if err := takes(other, func() bool { return seen == 0 }); err != nil {
		return 0, err
	}
	publish(1, 0) // who has it reads the topic: a WebSocket hears that it is open before
	for s.messages == 0 {
		if err := errors.Join(r.sip(1), wrong); err != nil {
			return 0, err
		}
	}
	if err := takes(other, func() bool { return seen == 1 }); err != nil {
		return 0, err
	}
	publish(first, size)
	// Where the record before was still being written, it catches up with that.
	for end := time.Now().Add(patience); srv.Topic(topic).Stats().Lag > 0; runtime.Gosched() {
		if time.Now().After(end) {
			return 0, errors.New("it never has been offered that")
		}
	}
	if err := takes(other, func() bool { return seen == 1+first }); err != nil {
		return 0, err
	}
	if length = ow.at - ow.starts[2]; at >= length { // since frames are not as long as others to the byte
		return length, nil
	}
	if err := r.sip(int(at)); err != nil {
		return 0, err
	}
	for range cutThen { // what is published at once would be kept for a while
		book.publishAll(t, srv, []posted{{topic, 0}})
	}
	leat.OfferAll(srv)
	book.ends()
	if err := takes(r, s.ends); err != nil {
		return 0, err
	}
	if policy != "disconnect" {
		publish(1, 0)
		if err := takes(r, func() bool { return s.told[topic] == 1+first+cutThen+1 }); err != nil {
			return 0, err
		}
	}
	if w.over != (policy == "disconnect") || w.code != 0 && w.code != 1013 {
		return 0, fmt.Errorf("it has ended: %v, with the code %d", w.over, w.code)
	}
	return length, waited(policy, waiting)
}

// The answer to a long poll is cut at each of its bytes, and asked for again, behind
// what has come before it: nothing is missing, and what is not kept any more is told.
func TestAnAnswerToALongPollMayBeCutAtAnyByte(t *testing.T) {
	const first = 3
	for _, policy := range []string{"gap", "latest", "disconnect"} {
		t.Run(policy, func(t *testing.T) {
			srv, p := servedByPipes(t, cutTopics())
			topic := policy + ".a"
			s := &story{ledger: newLedger(), policy: policy, topics: []string{topic}}
			ask := func() net.Conn {
				c := p.pipe()
				if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(c, "GET "+s.target("&wait=30s")+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				return c
			}
			publish := func(n int) { s.publishAll(t, srv, slices.Repeat([]posted{{topic, 0}}, n)) }
			publish(1)
			length, gaps := int64(1), 0
			for at := int64(-1); at < length; at++ { // the first is not cut
				early := at%2 == 0
				if early && at >= 0 {
					publish(first)
				}
				if at >= 0 {
					c := ask()
					if !early {
						waiting(t, srv, topic, 1)
						publish(first)
					}
					if n, err := io.CopyN(io.Discard, c, at); err != nil {
						t.Fatalf("%d of %d bytes came: %v", n, at, err)
					}
					_ = c.Close()
				}
				lost := at%4 >= 2
				if lost {
					for range cutThen { // what is published at once would be kept for a while
						publish(1)
					}
				}
				c := ask()
				if at < 0 {
					waiting(t, srv, topic, 1)
					publish(first)
				}
				answer, err := io.ReadAll(c)
				if err != nil {
					t.Fatal(err)
				}
				if !lost {
					length = int64(len(answer))
				}
				was := s.gaps
				if err := s.answered(answer); err != nil {
					t.Fatalf("cut behind %d bytes: %v", at, err)
				}
				if told := s.gaps > was; told != (lost && policy != "latest") || s.told[topic] != s.upTo(topic, math.MaxInt64-1) {
					t.Fatalf("cut behind %d bytes: it knows of %d messages, with gaps: %v", at, s.told[topic], told)
				}
				gaps = s.gaps
			}
			t.Logf("%d bytes; %d gaps, %d messages", length, gaps, s.messages)
		})
	}
}

// answered takes the answer to a long poll.
func (s *story) answered(answer []byte) error {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %.200q: %w", resp.Status, body, err)
	}
	s.comes()
	for line := range bytes.Lines(body) {
		if err := s.line(line); err != nil {
			return err
		}
	}
	if at := resp.Header.Get("Leat-Position"); at != s.position {
		return fmt.Errorf("it ends at %q, and the header says %q", s.position, at)
	}
	return nil
}
