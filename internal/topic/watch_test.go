package topic_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/leat-dev/leat/internal/topic"
)

// edges are what a watch is told. They are read when nothing moves any more.
type edges struct {
	told []bool
	busy atomic.Bool
	t    *testing.T
	hold chan struct{} // nil, or what each call waits for
}

func (e *edges) tell(read bool) {
	if e.busy.Swap(true) {
		e.t.Error("two calls at once")
	}
	e.told = append(e.told, read)
	if e.hold != nil {
		<-e.hold
	}
	e.busy.Store(false)
}

func (e *edges) want(when string, told ...bool) {
	e.t.Helper()
	synctest.Wait()
	if !slices.Equal(e.told, told) {
		e.t.Errorf("%s: told %v, want %v", when, e.told, told)
	}
}

func TestAWatchIsToldOfTheFirstReaderAndOfTheLast(t *testing.T) {
	for what, patterns := range map[string][]string{
		"by name":          {"room.a"},
		"by a star":        {"room.*"},
		"by an arrow":      {">"},
		"in several ways":  {"room.a", "room.a", "room.*", ">"},
		"beside others":    {"b", "room.a"},
		"by two wildcards": {"room.>", "*.a"},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := topic.NewHub(encoders(false))
				defer h.Close()
				e := &edges{t: t}
				h.Watch("room.a", e.tell)
				other, _ := h.Subscribe(names("b", "room", "room.a.x", "c.>"), topic.Start{})
				e.want("somebody reads others")
				first, _ := h.Subscribe(names(patterns...), topic.Start{})
				e.want("one reads", true)
				second, _ := h.Subscribe(names("*.*"), topic.Start{})
				third, _ := h.Subscribe(names(patterns...), topic.Start{})
				publish(t, h, "room.a", "", "x") // now there is one
				first.Leave()
				third.Leave()
				e.want("one still reads", true)
				second.Leave()
				e.want("nobody reads", true, false)
				third, _ = h.Subscribe(names(patterns...), topic.Start{})
				e.want("one comes back", true, false, true)
				third.Leave()
				other.Leave()
				e.want("all have left", true, false, true, false)
			})
		})
	}
}

func TestAWatchThatComesLateIsToldOfWhoReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := topic.NewHub(encoders(false))
		first, _ := h.Subscribe(names("a.*"), topic.Start{})
		one, two := &edges{t: t}, &edges{t: t}
		h.Watch("a.b", one.tell)
		h.Watch("a.b", two.tell)
		one.want("the first watch", true)
		two.want("the second watch", true)
		first.Leave()
		one.want("nobody reads", true, false)
		two.want("nobody reads", true, false)
		h.Close()
	})
}

func TestWhatChangesBackDuringACallIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := topic.NewHub(encoders(false))
		e := &edges{t: t, hold: make(chan struct{})}
		h.Watch("a", e.tell)
		s, _ := h.Subscribe(names("a"), topic.Start{})
		e.want("one reads", true)
		for range 100 {
			s.Leave()
			synctest.Wait()
			s, _ = h.Subscribe(names("a"), topic.Start{})
		}
		e.want("many come and go meanwhile", true)
		e.hold <- struct{}{}
		e.want("it changes nothing", true)
		s.Leave()
		e.want("nobody reads", true, false)
		s, _ = h.Subscribe(names("a"), topic.Start{})
		e.want("one comes during that call", true, false)
		e.hold <- struct{}{}
		e.want("it is told behind it", true, false, true)
		s.Leave()
		synctest.Wait()
		e.hold <- struct{}{}
		e.want("so is its leaving", true, false, true, false)
		e.hold <- struct{}{}
		h.Close()
	})
}

func TestWhoMayNotSeeATopicDoesNotReadIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := encoders(false)
		o.May = func(_ string, grant []string) bool { return len(grant) > 0 }
		h := topic.NewHub(o)
		defer h.Close()
		e := &edges{t: t}
		h.Watch("secret", e.tell)
		stranger, _ := h.Subscribe(names(">"), topic.Start{})
		e.want("a stranger reads everything")
		friend, _ := h.Subscribe(topic.Terms{Patterns: []string{">"}, Grant: []string{">"}}, topic.Start{})
		e.want("a friend does", true)
		friend.Leave()
		stranger.Leave()
		e.want("both have left", true, false)
	})
}

func TestNobodyReadsWhatIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := topic.NewHub(encoders(false))
		e := &edges{t: t}
		h.Watch("a", e.tell)
		h.Subscribe(names("a"), topic.Start{})
		e.want("one reads", true)
		h.Close()
		e.want("the hub is closed", true, false)
		h.Subscribe(names("a"), topic.Start{})
		e.want("one comes too late", true, false)
	})
}
