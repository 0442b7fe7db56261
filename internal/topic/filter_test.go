package topic_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat/internal/topic"
)

// named publishes a message with an event name.
func named(t *testing.T, h *topic.Hub, event, key, data string) {
	t.Helper()
	if _, err := h.Publish([]topic.Entry{{Topic: "a", Draft: topic.Draft{Kind: topic.Text, Event: event, Key: key, Data: []byte(data)}}}, ""); err != nil {
		t.Fatal(err)
	}
}

func TestTheLatestIsThatOfTheEventsThatAreWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := encoders(false)
		o.Rule = func(string) *topic.Rule { return &topic.Rule{Count: 1000, Slow: topic.SlowLatest} }
		h := topic.NewHub(o)
		terms := names("a")
		terms.Events = []string{"wanted"}
		rated := names("a")
		rated.Events, rated.MaxRate = terms.Events, 1
		slow, last, slowly := newReader(t, 0), newReader(t, plenty), newReader(t, plenty)
		slow.join(h, terms, topic.Start{})
		slowly.join(h, rated, topic.Start{})
		named(t, h, "wanted", "k", "first")
		synctest.Wait()
		for i := range 3 {
			named(t, h, "wanted", "k", fmt.Sprint(i))
			named(t, h, "other", "k", "")
		}
		last.join(h, terms, topic.Start{History: topic.History{Keys: true}})
		slow.allow(plenty)
		pass(5e9)
		for what, got := range map[string][]string{"slow": data(slow.all(), t), "last": data(last.all(), t)} {
			if !slices.Equal(got, []string{"a=2"}) {
				t.Errorf("%s: %q", what, got)
			}
		}
		if got := data(slowly.all(), t); !slices.Equal(got, []string{"a=first", "a=2"}) {
			t.Errorf("with a rate: %q", got)
		}
		for _, r := range []*reader{slow, last, slowly} {
			r.sub.Leave()
		}
		h.Close()
		synctest.Wait()
	})
}

// What is dropped behind a reader is told as far as it had been asked for.
func TestWhatWasAskedAwayIsNoGap(t *testing.T) {
	const behind = 400 // 100 of them are kept
	for slow, name := range map[topic.Slow]string{topic.SlowGap: "gap", topic.SlowLatest: "latest", topic.SlowEnd: "disconnect"} {
		for _, lost := range []int{0, 3} {
			for _, how := range []string{"stops", "comes back"} {
				t.Run(fmt.Sprint(name, ", ", lost, " are missing, ", how), func(t *testing.T) {
					o := encoders(false)
					o.Pumps = 1
					o.Rule = func(string) *topic.Rule { return &topic.Rule{Count: 100, Slow: slow} }
					h := topic.NewHub(o)
					defer h.Close()
					terms := names("a")
					terms.Events = []string{"wanted"}
					r := newReader(t, 0)
					var from topic.Start
					if how == "comes back" {
						from.Since = publish(t, h, "b", "", "").ID.String()
					} else {
						r.join(h, terms, from)
						h.Flush()
					}
					for i := range behind {
						event := "other"
						if i < lost {
							event = "wanted"
						}
						named(t, h, event, fmt.Sprint("k", i), "")
					}
					named(t, h, "wanted", "k", "last")
					if how == "comes back" {
						r.join(h, terms, from)
					}
					h.Flush()
					r.allow(plenty)
					lines := r.wait("the end", func(l []string) bool {
						return r.dropped != nil || len(l) > 1 && parse(t, l[len(l)-1]).data == "last"
					})
					var missed int64
					for _, text := range lines {
						if c := parse(t, text).control; c != nil && c.Name == topic.Gap {
							missed += c.Missed["a"]
							if c.AtLeast || len(c.Missed) == 0 {
								t.Errorf("it is told %q", text)
							}
						}
					}
					if ends := slow == topic.SlowEnd && lost > 0 && how == "stops"; missed != int64(lost) || (r.dropped != nil) != ends {
						t.Errorf("%d are named as missing, it ends with %v, behind %q", missed, r.dropped, lines)
					}
					r.sub.Leave()
				})
			}
		}
	}
}

// A long poll with a rate, asked again and again, gets what a stream with it gets.
func TestARateHoldsForLongPollsOneAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := topic.NewHub(encoders(false))
		terms := names("a")
		terms.MaxRate = 10
		over := make(chan struct{})
		go func() {
			defer close(over)
			for i := range 1000 { // two seconds
				named(t, h, "", "k", fmt.Sprint(i))
				time.Sleep(2 * time.Millisecond) //nolint:forbidigo // in a bubble
			}
		}()
		var got []string
		at := publish(t, h, "b", "", "").ID
		for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
			p := h.Poll(t.Context(), terms, topic.Start{Since: at.String()}, time.Second)
			for _, m := range p.Messages {
				got = append(got, string(m.Data))
			}
			at = p.At
			time.Sleep(5 * time.Millisecond) //nolint:forbidigo // the way there and back
		}
		<-over
		if n := len(got); n < 17 || n > 22 || got[n-1] != "999" {
			t.Errorf("%d came: %q", n, got)
		}
		h.Close()
		synctest.Wait()
	})
}
