package topic_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat/internal/topic"
)

// What is published at once reaches who reads already, though less is kept for
// others: nobody is slow because of it.
func TestABatchLargerThanWhatIsKeptReachesWhoReads(t *testing.T) {
	const size = 3000
	for name, rule := range map[string]topic.Rule{
		"none is kept": {Age: time.Second}, "few are kept": {Count: 100, Bytes: 1 << 10, Slow: topic.SlowEnd}, "latest": {Count: 100, Slow: topic.SlowLatest},
	} {
		t.Run(name, func(t *testing.T) {
			o := encoders(false)
			o.Pumps = 1
			o.Rule = func(string) *topic.Rule { return &rule }
			h := topic.NewHub(o)
			defer h.Close()
			r := newReader(t, plenty)
			r.join(h, names("a"), topic.Start{})
			r.wait("the open", func(l []string) bool { return len(l) == 1 })
			for round := 1; round <= 4; round++ {
				for part := range 2 { // before anybody may have looked
					var batch []topic.Entry
					for i := range size {
						batch = append(batch, topic.Entry{Topic: "a", Draft: topic.Draft{Key: fmt.Sprint(part, i), Data: []byte("1")}})
					}
					if _, err := h.Publish(batch, ""); err != nil {
						t.Fatal(err)
					}
				}
				lines := r.wait("all", func(l []string) bool { return len(l) > 2*size*round || r.dropped != nil })
				for i, text := range lines[1:] {
					if l := parse(t, text); l.control != nil || l.count != int64(i+1) {
						t.Fatalf("line %d is %q", i+1, text)
					}
				}
				if r.dropped != nil {
					t.Fatal(r.dropped)
				}
			}
			r.sub.Leave()
		})
	}
}

// It is not kept for long, nor for nobody, nor without bound.
func TestABatchIsKeptForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := encoders(false)
		o.Rule = func(string) *topic.Rule { return &topic.Rule{Count: 100, Bytes: 1 << 20} }
		h := topic.NewHub(o)
		batch := func(n, size int) []topic.Entry {
			var entries []topic.Entry
			for range n {
				entries = append(entries, topic.Entry{Topic: "a", Draft: topic.Draft{Data: make([]byte, size)}})
			}
			return entries
		}
		publishes := func(entries []topic.Entry) (kept int, bytes int64) {
			if _, err := h.Publish(entries, ""); err != nil {
				t.Fatal(err)
			}
			_, at := h.History(names("a"), topic.History{})
			sub, c := h.Subscribe(names("a"), topic.Start{Since: topic.ID{Epoch: at.Epoch, Seq: at.Seq - uint64(len(entries))}.String()})
			sub.Leave()
			return len(entries) - int(c.Missed["a"]), h.Stats(names("a")).Bytes
		}
		if n, _ := publishes(batch(500, 10)); n != 100 {
			t.Errorf("of 500 that nobody reads %d are kept", n)
		}
		r := newReader(t, 0)
		r.join(h, names("a"), topic.Start{})
		synctest.Wait()
		if n, _ := publishes(batch(500, 10)); n != 500 {
			t.Errorf("of 500 that somebody reads %d are kept", n)
		}
		if n, bytes := publishes(batch(500, 20<<10)); n >= 500 || n <= 100 || bytes > 4<<20 {
			t.Errorf("of 500 of 20 KiB %d are kept, %d bytes", n, bytes)
		}
		pass(6 * time.Second)
		if bytes := h.Stats(names("a")).Bytes; bytes > 1<<20 {
			t.Errorf("%d bytes are left of them", bytes)
		}
		if n, _ := publishes(batch(500, 10)); n != 500 {
			t.Errorf("of 500 that somebody reads %d are kept", n)
		}
		for range 2 { // one by one
			publish(t, h, "a", "", "")
		}
		if bytes := h.Stats(names("a")).Bytes; bytes > 100*400 {
			t.Errorf("%d bytes are left of them", bytes)
		}
		r.sub.Leave()
		h.Close()
		synctest.Wait()
	})
}
