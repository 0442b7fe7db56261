package topic_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat/internal/topic"
)

func TestWhoComesWhileOthersWaitGetsNothingTwice(t *testing.T) {
	for name, since := range map[string]bool{"new": false, "resumed": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := encoders(false)
				o.Pumps = 1
				h := topic.NewHub(o)
				terms := names("a")
				terms.MaxRate = 1
				waits := newReader(t, plenty)
				waits.join(h, terms, topic.Start{})
				synctest.Wait()
				publish(t, h, "a", "x", "0")
				synctest.Wait()
				var from topic.Start
				for i := range 3 { // these wait for their second
					id := publish(t, h, "a", fmt.Sprint("k", i), fmt.Sprint(i+1)).ID
					if since {
						from.Since = id.String()
					}
				}
				comes := newReader(t, plenty)
				comes.join(h, terms, from)
				synctest.Wait()
				publish(t, h, "a", "x", "4")
				time.Sleep(3 * time.Second) //nolint:forbidigo // in a bubble
				synctest.Wait()
				if got := data(comes.all(), t); !slices.Equal(got, []string{"a=4"}) {
					t.Errorf("who came behind 3 got %q", got)
				}
				if got := data(waits.all(), t); len(got) != 5 {
					t.Errorf("who waited got %q", got)
				}
				waits.sub.Leave()
				comes.sub.Leave()
				h.Close()
				synctest.Wait()
			})
		})
	}
}

func TestAGapBeginsWhereTheReaderIs(t *testing.T) {
	o := encoders(false)
	o.Pumps = 1
	o.Rule = func(string) *topic.Rule { return &topic.Rule{Count: 100} }
	h := topic.NewHub(o)
	defer h.Close()
	first := newReader(t, plenty)
	first.join(h, names("a"), topic.Start{})
	for range 5 {
		publish(t, h, "b", "", "")
	}
	r := newReader(t, 1<<10)
	at := r.join(h, names("a"), topic.Start{}).ID
	r.wait("the open", func(l []string) bool { return len(l) == 1 })
	until(t, "it does not join", func() bool { return h.Stats(names("a")).Lag == 0 })
	r.mu.Lock()
	r.room = 0
	r.mu.Unlock()
	for range 200 {
		publish(t, h, "a", "", "")
	}
	until(t, "it is not behind", func() bool { return h.Stats(names("a")).Lag > 0 })
	r.allow(plenty)
	lines := r.wait("the last", func(l []string) bool { return parse(t, l[len(l)-1]).count == 200 })
	gap := parse(t, lines[1]).control
	if from, ok := topic.ParseID(gap.From); !ok || from.Seq < at.Seq || gap.Missed["a"] != 100 {
		t.Errorf("a reader that began at %v is told %+v", at, gap)
	}
}
