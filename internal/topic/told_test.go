package topic_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat/internal/topic"
)

func TestWhoIsDroppedForAllHaveBeenTooSlowIsToldFirst(t *testing.T) {
	o := encoders(false)
	o.Pumps = 1
	o.Rule = func(string) *topic.Rule { return &topic.Rule{Count: 100, Bytes: 1 << 20, Slow: topic.SlowEnd} }
	h := topic.NewHub(o)
	defer h.Close()
	r := newReader(t, 0)
	r.join(h, names("a"), topic.Start{})
	r.allow(1 << 10)
	r.wait("the open", func(l []string) bool { return len(l) == 1 })
	publish(t, h, "a", "", "")
	r.wait("the first", func(l []string) bool { return len(l) == 2 })
	r.mu.Lock()
	r.room = 0
	r.mu.Unlock()
	if _, err := h.Publish(make200("a"), ""); err != nil { // more than is kept, at once
		t.Fatal(err)
	}
	until(t, "it is not behind", func() bool { return h.Stats(names("a")).Lag > 0 })
	r.allow(plenty)
	lines := r.wait("the end", func([]string) bool { return r.dropped != nil })
	if gap := parse(t, lines[len(lines)-1]).control; gap == nil || gap.Missed["a"] != 100 || !errors.Is(r.dropped, topic.ErrSlow) {
		t.Errorf("it is told %q, and ends with %v", lines, r.dropped)
	}
	r.sub.Leave()
}

// make200 are messages of which 100 are kept, also of those that come at once.
func make200(name string) []topic.Entry {
	data := make([]byte, 41_700)
	entries := make([]topic.Entry, 200)
	for i := range entries {
		entries[i] = topic.Entry{Topic: name, Draft: topic.Draft{Data: data}}
	}
	return entries
}

func TestEachReaderHasItsOwnHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := encoders(false)
		o.Pumps = 1
		h := topic.NewHub(o)
		var all []*reader
		for _, every := range []time.Duration{time.Hour, time.Second} {
			r := newReader(t, plenty)
			terms := names("a")
			terms.Heartbeat = every
			r.join(h, terms, topic.Start{})
			pass(time.Minute / 2)
			all = append(all, r)
		}
		if n := len(all[1].all()); n < 25 {
			t.Errorf("%d lines in 30 seconds: %q", n, all[1].lines)
		}
		for _, r := range all {
			r.sub.Leave()
		}
		h.Close()
		synctest.Wait()
	})
}

func TestThePositionOfAReaderOfAQuietTopicDoesNotGrowOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := topic.NewHub(encoders(false))
		r := newReader(t, plenty)
		terms := names("quiet")
		terms.Heartbeat = 10 * time.Second
		r.join(h, terms, topic.Start{})
		for range 50 {
			publish(t, h, "busy", "", "")
		}
		pass(15 * time.Second)
		lines := r.all()
		if last := parse(t, lines[len(lines)-1]).control; last.Name != topic.Position || last.ID.Seq != 50 {
			t.Errorf("it is told %q", lines)
		}
		publish(t, h, "quiet", "", "now")
		synctest.Wait()
		lines = r.all()
		if last := parse(t, lines[len(lines)-1]); last.data != "now" || last.count != 1 {
			t.Errorf("then comes %q", lines)
		}
		r.sub.Leave()
		h.Close()
		synctest.Wait()
	})
}

func TestAttemptsToPublishTakeLittleSpace(t *testing.T) {
	h := topic.NewHub(encoders(false))
	defer h.Close()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const attempts = 200
	long := func(i int) string { return strings.Repeat("k", 1<<16) + fmt.Sprint(i) }
	entry := []topic.Entry{{Topic: "a"}}
	var last topic.Receipt
	for i := range attempts {
		last, _ = h.Publish(entry, long(i))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := int64(after.HeapAlloc) - int64(before.HeapAlloc); n > 4<<20 { //nolint:gosec // far from the most
		t.Errorf("%d attempts take %d bytes", attempts, n)
	}
	if again, err := h.Publish(entry, long(attempts-1)); again != last || err != nil {
		t.Errorf("%v, and again %v, %v", last, again, err)
	}
}

func TestAReaderOfTheLatestIsToldOnceOfWhatItMissed(t *testing.T) {
	o := encoders(false)
	o.Pumps = 1
	o.Rule = func(name string) *topic.Rule { return &topic.Rule{Count: 100, Slow: topic.SlowLatest} }
	h := topic.NewHub(o)
	defer h.Close()
	r := newReader(t, 0)
	r.join(h, names("a", "b"), topic.Start{})
	publish(t, h, "b", "first", "") // it is kept, so the first gap ends before it
	for i := range 150 {
		publish(t, h, "a", fmt.Sprint(i), "")
	}
	r.wait("an offer", func([]string) bool { return r.offers > 0 })
	for gap := false; !gap; runtime.Gosched() { // and nothing behind it
		r.mu.Lock()
		gap = len(r.seen()) > 1
		idle := r.room == 0
		r.mu.Unlock()
		if !gap && idle {
			r.allow(1)
		}
	}
	for i := range 100 {
		publish(t, h, "a", fmt.Sprint(150+i), "")
	}
	r.allow(plenty)
	lines := r.wait("the last", func(l []string) bool { return parse(t, l[len(l)-1]).count == 250 })
	missed, told := int64(0), []int64{}
	got := 0
	for _, text := range lines {
		l := parse(t, text)
		if l.control != nil {
			missed += l.control.Missed["a"]
			told = append(told, l.control.Missed["a"])
		} else if l.topic == "a" {
			got++
		}
	}
	if missed+int64(got) != 250 {
		t.Errorf("%d came and %d are missing, of 250: %v", got, missed, told)
	}
}

func TestWhoComesBehindThoseThatWereDroppedMissesNothing(t *testing.T) {
	o := encoders(false)
	o.Pumps = 1
	o.Rule = func(string) *topic.Rule { return &topic.Rule{Count: 100, Bytes: 1 << 20, Slow: topic.SlowEnd} }
	h := topic.NewHub(o)
	defer h.Close()
	first, second := newReader(t, plenty), newReader(t, plenty)
	first.join(h, names("a", "b"), topic.Start{})
	first.wait("the open", func(l []string) bool { return len(l) == 1 })
	publish(t, h, "b", "", "")
	first.wait("a message", func(l []string) bool { return len(l) == 2 })
	if _, err := h.Publish(append(make200("a"), make200("b")[:50]...), ""); err != nil {
		t.Fatal(err)
	}
	first.wait("the end", func([]string) bool { return first.dropped != nil })
	second.join(h, names("a", "b"), topic.Start{})
	for i := range 200 {
		for _, name := range []string{"a", "b"} {
			publish(t, h, name, "", "")
		}
		lines := second.wait("what is published", func(l []string) bool { return len(l) >= 2*i+3 || second.dropped != nil })
		if l := parse(t, lines[2*i+2]); second.dropped != nil || l.topic != "b" || l.count != int64(52+i) {
			t.Fatalf("round %d: it gets %q, and ends with %v", i, lines[2*i+1:], second.dropped)
		}
	}
	first.sub.Leave()
	second.sub.Leave()
}
