package topic_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/topic"
)

// until waits for what the hub does by itself.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for late := time.Now().Add(20 * time.Second); !is(); runtime.Gosched() {
		if time.Now().After(late) {
			t.Fatal(what)
		}
	}
}

func TestWhatSlowReadersHoldAPartOfIsCountedOnce(t *testing.T) {
	const size, readers = 1000, 20
	for name, alone := range map[string]bool{"all is taken, and the last is cut": true, "nothing is taken behind the cut": false} {
		t.Run(name, func(t *testing.T) {
			o := encoders(false)
			o.Pumps = 1
			o.Rule = func(string) *topic.Rule { return &topic.Rule{Bytes: 5 * size} }
			h := topic.NewHub(o)
			defer h.Close()
			all := make([]*reader, readers)
			for i := range all {
				all[i] = newReader(t, 1<<10)
				all[i].join(h, names("a"), topic.Start{})
				all[i].wait("the open", func(l []string) bool { return len(l) == 1 })
			}
			until(t, "not all readers are there", func() bool { return h.Counts().Readers == readers })
			for _, r := range all {
				r.mu.Lock()
				r.room = size / 2
				r.mu.Unlock()
			}
			first := []topic.Entry{{Topic: "a", Draft: topic.Draft{Data: bytes.Repeat([]byte("x"), size)}}}
			if !alone {
				first = append(first, topic.Entry{Topic: "a"})
			}
			if _, err := h.Publish(first, ""); err != nil {
				t.Fatal(err)
			}
			for _, r := range all {
				r.wait("a part of it", func([]string) bool { return len(r.rest) > 0 })
			}
			for i := range 20 { // and nothing of these
				publish(t, h, "a", "", strings.Repeat("y", size)+fmt.Sprint(i))
			}
			held := int64(len(all[0].rest) + size/2)
			until(t, "nobody is slow", func() bool { return h.Stats(names("a")).Lag > 0 })
			if s := h.Stats(names("a")); s.Pinned != held {
				t.Errorf("%d bytes are held, %d are counted", held, s.Pinned)
			}
			if s, c := h.Stats(names("a")), h.Counts(); c.Bytes != s.Bytes+held {
				t.Errorf("%d bytes are kept and %d held; %d count", s.Bytes, held, c.Bytes)
			}
			for _, r := range all {
				r.allow(plenty)
				r.wait("the rest", func(l []string) bool { return strings.HasSuffix(l[len(l)-1], "y19") })
				r.sub.Ready() // what it had of the last, too
			}
			until(t, "nothing is held, and something is counted", func() bool { return h.Stats(names("a")).Pinned == 0 })
			for _, r := range all {
				r.sub.Leave()
			}
			until(t, "they do not leave", func() bool { return h.Counts().Readers == 0 })
			if s, c := h.Stats(names("a")), h.Counts(); c.Bytes != s.Bytes {
				t.Errorf("%d bytes are kept, %d count", s.Bytes, c.Bytes)
			}
		})
	}
}

func TestWhatMessagesAreEncodedAsIsWithinTheBounds(t *testing.T) {
	const size, messages = 1000, 100
	for name, o := range map[string]topic.Options{"of all": {Bytes: 50 * size}, "of a topic": {}} {
		t.Run(name, func(t *testing.T) {
			plain := encoders(false)
			plain.Bytes, plain.Pumps = o.Bytes, 1
			rule := &topic.Rule{Count: messages}
			if o.Bytes == 0 {
				rule.Bytes = 50 * size
			}
			plain.Rule = func(string) *topic.Rule { return rule }
			h := topic.NewHub(plain)
			defer h.Close()
			for range messages / 2 {
				publish(t, h, "a", "", strings.Repeat("x", size/2))
			}
			r := newReader(t, plenty)
			r.join(h, names("a"), topic.Start{History: topic.History{Last: topic.All}})
			until(t, "nothing is encoded", func() bool { return h.Counts().Encodings > 0 })
			r.wait("all", func(l []string) bool { return len(l) > messages/2 })
			if n := h.Counts().Bytes; n > 50*size+size {
				t.Errorf("%d bytes count", n)
			}
		})
	}
}

func TestTwoWhoNeedAnEncodingMakeItOnce(t *testing.T) {
	const pumps, messages = 4, 50
	o := encoders(false)
	o.Pumps = pumps
	var made atomic.Int64
	plain := o.Encoders[0]
	var once sync.Map
	o.Encoders[0] = func(m *topic.Message) []byte {
		made.Add(1)
		if _, again := once.LoadOrStore(m.Seq, true); !again {
			for range 100 { // so that others come meanwhile
				runtime.Gosched()
			}
		}
		return plain(m)
	}
	h := topic.NewHub(o)
	defer h.Close()
	all := make([]*reader, 64*pumps)
	for i := range all {
		all[i] = newReader(t, plenty)
		all[i].join(h, names("a"), topic.Start{})
	}
	for i := range messages {
		publish(t, h, "a", "", fmt.Sprint(i))
	}
	for _, r := range all {
		r.wait("all", func(l []string) bool { return len(l) == messages+1 })
	}
	if n := made.Load(); n != messages {
		t.Errorf("%d encodings of %d messages", n, messages)
	}
}
