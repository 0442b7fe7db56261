package topic_test

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat/internal/topic"
)

// minute keeps messages for a minute.
func minute() topic.Options {
	o := encoders(false)
	o.Pumps = 2
	o.Rule = func(string) *topic.Rule { return &topic.Rule{Count: 100, Age: time.Minute} }
	return o
}

// pass lets a time go by.
func pass(d time.Duration) {
	synctest.Wait()
	time.Sleep(d) //nolint:forbidigo // in a bubble
	synctest.Wait()
}

func TestATopicDoesNotVanishFromUnderASlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := topic.NewHub(minute())
		slow, fast := newReader(t, 0), newReader(t, plenty)
		slow.join(h, names("a.*"), topic.Start{})
		fast.join(h, names("a.*"), topic.Start{})
		for range 3 {
			publish(t, h, "a.x", "", "")
		}
		pass(5 * time.Minute)
		slow.allow(plenty)
		synctest.Wait()
		lines := slow.all()
		if gap := parse(t, lines[len(lines)-1]).control; gap == nil || gap.Missed["a.x"] != 3 || gap.AtLeast || gap.Counts["a.x"] != 3 {
			t.Errorf("the slow one is told %q", lines)
		}
		pass(5 * time.Minute)
		if n := h.Counts().Topics; n != 0 {
			t.Errorf("%d topics are left", n)
		}
		publish(t, h, "a.x", "", "later")
		synctest.Wait()
		for _, r := range []*reader{slow, fast} {
			lines := r.all()
			if last := parse(t, lines[len(lines)-1]); last.data != "later" || last.count != 4 {
				t.Errorf("then comes %+v", last)
			}
			r.sub.Leave()
		}
		h.Close()
		synctest.Wait()
	})
}

func TestWhoComesBackIsToldOfATopicThatHasBeenAway(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprint("restart ", restart), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := minute()
				o.Topics = 2
				h := topic.NewHub(o)
				at := publish(t, h, "a", "", "").ID
				publish(t, h, "b", "", "")
				publish(t, h, "b", "", "")
				pass(5 * time.Minute)
				if restart {
					var saved bytes.Buffer
					h.Close()
					if err := h.Save(&saved); err != nil {
						t.Fatal(err)
					}
					h = topic.NewHub(o)
					if err := h.Load(&saved); err != nil {
						t.Fatal(err)
					}
				}
				publish(t, h, "b", "", "again")
				publish(t, h, "c", "", "new") // the two that are gone take no place
				for _, patterns := range [][]string{{"b"}, {">"}, {"*", "b"}} {
					sub, c := h.Subscribe(names(patterns...), topic.Start{Since: at.String()})
					if c.Name != topic.Gap || c.Missed["b"] < 1 || c.Missed["b"] > 2 || !c.AtLeast || c.Counts["b"] != 2 || c.To.Seq != 3 {
						t.Errorf("%v: %+v", patterns, c)
					}
					sub.Leave()
				}
				h.Close()
				synctest.Wait()
			})
		})
	}
}

func TestASlowReaderOfTheLatestIsToldOfKeysThatItWillNotGet(t *testing.T) {
	for quiet, missed := range map[bool]int64{false: 0, true: 1} {
		o := encoders(false)
		o.Rule = func(string) *topic.Rule { return &topic.Rule{Count: 64, Slow: topic.SlowLatest} }
		h := topic.NewHub(o)
		r := newReader(t, 0)
		r.join(h, names("a"), topic.Start{})
		if quiet {
			publish(t, h, "a", "quiet", "")
		}
		for i := range 2000 {
			publish(t, h, "a", "loud", fmt.Sprint(i))
		}
		r.allow(plenty)
		lines := r.wait("the last", func(l []string) bool { return len(l) > 1 && parse(t, l[len(l)-1]).data == "1999" })
		switch gap := parse(t, lines[1]).control; {
		case !quiet && gap != nil, quiet && (gap == nil || gap.Missed["a"] != missed || len(lines) != 3):
			t.Errorf("quiet %v: %q", quiet, lines)
		}
		h.Close()
	}
}
