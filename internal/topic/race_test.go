package topic_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/leat-dev/leat/internal/topic"
)

func TestAReaderLeavesOnceHoweverItIsCalledMeanwhile(t *testing.T) {
	o := encoders(false)
	o.Pumps = 1
	h := topic.NewHub(o)
	defer h.Close()
	stays := newReader(t, plenty)
	stays.join(h, names("a"), topic.Start{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				h.Poll(context.Background(), names("a"), topic.Start{}, 0)
				sub, _ := h.Subscribe(names("a"), topic.Start{})
				r := newReader(t, plenty)
				r.sub = sub
				var both sync.WaitGroup
				both.Go(func() { sub.Join(r, r, []byte("c {}\n")) })
				both.Go(func() { sub.Tell([]byte("c {}\n")) })
				sub.Leave()
				both.Wait()
			}
		})
	}
	wg.Wait()
	for h.Counts().Readers > 1 {
		runtime.Gosched()
	}
	publish(t, h, "a", "", "to who stays")
	stays.wait("what comes to who stays", func(l []string) bool { return len(l) == 2 })
	if n := h.Counts().Readers; n != 1 {
		t.Errorf("%d readers are counted, 1 is there", n)
	}
	if n := h.Stats(names("a")).Readers[0]; n != 1 {
		t.Errorf("%d readers of the topic are counted, 1 is there", n)
	}
}

func TestWhatIsPublishedDuringARoundIsNotPassedOver(t *testing.T) {
	for round, readers := range []int{1, 70, 1, 1, 1, 1} {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			const messages = 20_000
			o := encoders(false)
			o.Pumps = 2
			o.Rule = func(string) *topic.Rule { return &topic.Rule{Count: 4 * messages} }
			h := topic.NewHub(o)
			defer h.Close()
			r := newReader(t, plenty)
			r.join(h, names("a", "b", "c", "d"), topic.Start{})
			for range readers - 1 {
				other := newReader(t, plenty)
				other.join(h, names("a", "b", "c", "d"), topic.Start{})
			}
			var wg sync.WaitGroup
			for _, name := range []string{"a", "b", "c", "d"} {
				wg.Go(func() {
					for range messages / 4 {
						publish(t, h, name, "", "")
						runtime.Gosched()
					}
				})
			}
			wg.Wait()
			publish(t, h, "a", "", "last")
			lines := r.wait("the last", func(l []string) bool { return parse(t, l[len(l)-1]).data == "last" })
			if len(lines) != messages+2 {
				t.Errorf("%d of %d messages came", len(lines)-2, messages)
			}
		})
	}
}
