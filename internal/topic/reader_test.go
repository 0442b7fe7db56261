package topic_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/topic"
)

// encoders are plain: a line for each message.
func encoders(mute bool) topic.Options {
	return topic.Options{
		Encoders: []func(*topic.Message) []byte{func(m *topic.Message) []byte {
			return fmt.Appendf(nil, "m %d %d %s %s %s\n", m.Seq, m.Count, m.Topic, m.Key, m.Data)
		}},
		Control: func(_ topic.Encoding, c *topic.Control) []byte {
			if mute {
				return nil
			}
			b, err := json.Marshal(c)
			if err != nil {
				panic(err)
			}
			return fmt.Appendf(nil, "c %s\n", b)
		},
		Beat: func(_ topic.Encoding, at topic.ID, moved bool) []byte {
			if moved {
				return fmt.Appendf(nil, `c {"Name":"position","ID":{"Epoch":%q,"Seq":%d}}`+"\n", at.Epoch, at.Seq)
			}
			return []byte(`c {"Name":"beat"}` + "\n")
		},
		Rule: func(string) *topic.Rule { return &topic.Rule{Count: 1000, Bytes: 1 << 20} },
	}
}

// A reader is a connection that takes as many bytes as it is allowed to.
type reader struct {
	t   *testing.T
	sub *topic.Sub

	mu      sync.Mutex
	room    int    // bytes that are taken at once
	got     []byte // what has been taken
	lines   []string
	read    int    // bytes of got that are in lines
	rest    []byte // of a unit that is cut
	offers  int
	dropped error
	news    *sync.Cond
}

func newReader(t *testing.T, room int) *reader {
	t.Helper()
	r := &reader{t: t, room: room}
	r.news = sync.NewCond(&r.mu)
	return r
}

func (r *reader) Offer(joined []byte, units [][]byte) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.news.Broadcast()
	r.offers++
	if len(units) > 1 && !bytes.Equal(joined, bytes.Join(units, nil)) || len(units) == 0 {
		r.t.Errorf("joined is %q, the units are %q", joined, units)
	}
	if len(r.rest) > 0 {
		return 0
	}
	for i, u := range units {
		n := min(r.room, len(u))
		r.got = append(r.got, u[:n]...)
		r.room -= n
		if n == 0 {
			return i
		}
		if n < len(u) {
			r.rest = u[n:]
			return i + 1
		}
	}
	return len(units)
}

func (r *reader) Drop(reason error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropped = reason
	r.news.Broadcast()
}

// allow makes room for n more bytes.
func (r *reader) allow(n int) {
	r.mu.Lock()
	take := min(n, len(r.rest))
	r.got = append(r.got, r.rest[:take]...)
	r.rest = r.rest[take:]
	r.room += n - take
	ready := len(r.rest) == 0 && r.room > 0
	r.news.Broadcast()
	r.mu.Unlock()
	if ready {
		r.sub.Ready()
	}
}

// wait waits until what has come fulfils a condition.
func (r *reader) wait(what string, is func(lines []string) bool) []string {
	r.t.Helper()
	late := false
	timer := time.AfterFunc(time.Minute, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		late = true
		r.news.Broadcast()
	})
	defer timer.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if lines := r.seen(); is(lines) {
			return lines
		}
		if late {
			r.t.Fatalf("%s: got %d lines, the last of them %.200q", what, len(r.lines), r.lines[max(0, len(r.lines)-20):])
		}
		r.news.Wait()
	}
}

// seen are the whole lines that have come. It is called with mu held.
func (r *reader) seen() []string {
	if end := bytes.LastIndexByte(r.got[r.read:], '\n'); end >= 0 {
		r.lines = append(r.lines, strings.Split(string(r.got[r.read:r.read+end]), "\n")...)
		r.read += end + 1
	}
	return r.lines
}

// A line is one that came.
type line struct {
	control *topic.Control
	seq     uint64
	count   int64
	topic   string
	key     string
	data    string
}

func parse(t *testing.T, text string) line {
	t.Helper()
	kind, rest, _ := strings.Cut(text, " ")
	if kind == "c" {
		var c topic.Control
		if err := json.Unmarshal([]byte(rest), &c); err != nil {
			t.Fatal(err)
		}
		return line{control: &c, seq: c.ID.Seq}
	}
	f := strings.SplitN(rest, " ", 5)
	seq, err := strconv.ParseUint(f[0], 10, 64)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	count, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return line{seq: seq, count: count, topic: f[2], key: f[3], data: f[4]}
}

// join subscribes r.
func (r *reader) join(h *topic.Hub, terms topic.Terms, from topic.Start) *topic.Control {
	r.t.Helper()
	sub, first := h.Subscribe(terms, from)
	r.sub = sub
	b, err := json.Marshal(first)
	if err != nil {
		r.t.Fatal(err)
	}
	sub.Join(r, r, fmt.Appendf(nil, "c %s\n", b))
	return first
}

func publish(t *testing.T, h *topic.Hub, name, key, data string) topic.Receipt {
	t.Helper()
	r, err := h.Publish([]topic.Entry{{Topic: name, Draft: topic.Draft{Kind: topic.Text, Data: []byte(data), Key: key}}}, "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func names(patterns ...string) topic.Terms { return topic.Terms{Patterns: patterns} }
