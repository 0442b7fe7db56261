package topic_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

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
