package topic_test

import (
	"context"
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
			for range 2000 {
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
	if n := h.Stats("a").Readers[0]; n != 1 {
		t.Errorf("%d readers of the topic are counted, 1 is there", n)
	}
}
