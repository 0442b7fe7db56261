package topic_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat/internal/topic"
)

const plenty = 1 << 30

func data(lines []string, t *testing.T) []string {
	t.Helper()
	var got []string
	for _, text := range lines {
		if l := parse(t, text); l.control == nil {
			got = append(got, l.topic+"="+l.data)
		}
	}
	return got
}

func TestAReaderGetsWhatIsPublishedFromThenOn(t *testing.T) {
	h := topic.NewHub(encoders(false))
	defer h.Close()
	publish(t, h, "a", "", "early")
	r := newReader(t, plenty)
	if c := r.join(h, names("a", "b.*"), topic.Start{}); c.Name != topic.Open || c.ID.Seq != 1 {
		t.Errorf("it begins with %+v", c)
	}
	for i, name := range []string{"a", "b.x", "c", "b.y.z", "b.y", "a"} {
		publish(t, h, name, "", fmt.Sprint(i))
	}
	lines := r.wait("five lines", func(l []string) bool { return len(l) >= 5 })
	if got := data(lines, t); !slices.Equal(got, []string{"a=0", "b.x=1", "b.y=4", "a=5"}) {
		t.Errorf("got %q", got)
	}
	if last := parse(t, lines[4]); last.seq != 7 || last.count != 3 {
		t.Errorf("the last is %+v", last)
	}
}

func TestANewReaderBeginsWithTheHistoryItAsksFor(t *testing.T) {
	for name, c := range map[string]struct {
		history topic.History
		want    string
	}{
		"none": {topic.History{}, ""},
		"two":  {topic.History{Last: 2}, "b=5 a=6"},
		"all":  {topic.History{Last: topic.All}, "a=1 b=2 a=3 a=4 b=5 a=6"},
		"last": {topic.History{Keys: true}, "a=3 b=5 a=6"},
	} {
		t.Run(name, func(t *testing.T) {
			h := topic.NewHub(encoders(false))
			defer h.Close()
			for i, m := range []string{"a x", "b ", "a y", "a x", "b ", "a x"} {
				where, key, _ := strings.Cut(m, " ")
				publish(t, h, where, key, fmt.Sprint(i+1))
			}
			kept, at := h.History(names("a", "b"), c.history)
			var snapshot []string
			for _, m := range kept {
				snapshot = append(snapshot, m.Topic+"="+string(m.Data))
			}
			if got := strings.Join(snapshot, " "); got != c.want || at.Seq != 6 {
				t.Errorf("kept is %q at %v", got, at)
			}
			r := newReader(t, plenty)
			r.join(h, names("a", "b"), topic.Start{History: c.history})
			publish(t, h, "a", "z", "7")
			lines := r.wait("the last", func(l []string) bool { return len(l) > 0 && strings.HasSuffix(l[len(l)-1], " 7") })
			if got := strings.Join(data(lines, t), " "); got != strings.TrimSpace(c.want+" a=7") {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestAReaderThatComesBackGoesOnBehindItsID(t *testing.T) {
	h := topic.NewHub(encoders(false))
	defer h.Close()
	var ids []topic.ID
	for i := range 10 {
		ids = append(ids, publish(t, h, []string{"a", "b"}[i%2], "", fmt.Sprint(i)).ID)
	}
	for i, id := range ids {
		r := newReader(t, plenty)
		c := r.join(h, names("a", "b"), topic.Start{Since: id.String()})
		if c.Name != topic.Resumed || c.ID != id {
			t.Errorf("%v: %+v", id, c)
		}
		lines := r.wait("the rest", func(l []string) bool { return len(l) >= 10-i })
		if got := data(lines, t); len(got) != 9-i || len(got) > 0 && !strings.HasSuffix(got[0], fmt.Sprint("=", i+1)) {
			t.Errorf("%v: got %q", id, got)
		}
		r.sub.Leave()
	}
	for since, reason := range map[string]string{"x-3": topic.ReasonEpoch, "what": topic.ReasonUnknown, topic.ID{Epoch: ids[0].Epoch, Seq: 11}.String(): topic.ReasonFuture} {
		_, c := h.Subscribe(names("a"), topic.Start{Since: since})
		if c.Name != topic.Reset || c.Reason != reason || c.From != since || c.ID.Seq != 10 {
			t.Errorf("%s: %+v", since, c)
		}
	}
}

func TestWhoComesBackTooLateIsToldHowMuchIsMissing(t *testing.T) {
	o := encoders(false)
	o.Rule = func(string) *topic.Rule { return &topic.Rule{Count: 100} }
	h := topic.NewHub(o)
	defer h.Close()
	var first topic.ID
	for i := range 250 {
		r := publish(t, h, "a", "", fmt.Sprint(i))
		if i == 9 {
			first = r.ID
		}
		publish(t, h, "b", "", "")
	}
	sub, c := h.Subscribe(names("a"), topic.Start{Since: first.String()})
	defer sub.Leave()
	if c.Name != topic.Gap || c.Missed["a"] != 140 || c.AtLeast || c.Reason != topic.ReasonHistory || c.From != first.String() || c.To.Seq != 299 || c.ID.Seq != 300 {
		t.Errorf("got %+v", c)
	}
}

func TestASlowReaderIsToldExactlyWhatItMissed(t *testing.T) {
	o := encoders(false)
	o.Rule = func(string) *topic.Rule { return &topic.Rule{Count: 100} }
	h := topic.NewHub(o)
	defer h.Close()
	r := newReader(t, 0)
	r.join(h, names("a"), topic.Start{})
	publish(t, h, "a", "", "first")
	r.allow(1 << 10)
	r.wait("the first", func(l []string) bool { return len(l) == 2 })
	r.mu.Lock()
	r.room = 3 // the next is cut
	r.mu.Unlock()
	publish(t, h, "a", "", "cut")
	r.wait("the cut", func([]string) bool { return len(r.rest) > 0 })
	rest(h)
	for i := range 300 {
		publish(t, h, "a", "", fmt.Sprint(i))
	}
	rest(h)
	r.allow(plenty)
	lines := r.wait("the rest", func(l []string) bool { return strings.HasSuffix(l[len(l)-1], " 299") })
	gap := parse(t, lines[3])
	if parse(t, lines[2]).data != "cut" || gap.control == nil || gap.control.Missed["a"] != 200 || gap.control.Reason != topic.ReasonSlow {
		t.Fatalf("got %q", lines[2:4])
	}
	if next := parse(t, lines[4]); next.data != "200" || next.count != 203 || gap.seq != next.seq-1 {
		t.Errorf("behind a gap to %d comes %+v", gap.seq, next)
	}
	(&story{map[string]int64{}}).follow(t, lines)
}

// rest has the pumps be done with all that there is to do: who falls behind in the
// first round is seen to in the second.
func rest(h *topic.Hub) {
	h.Flush()
	h.Flush()
}

func TestASlowReaderOfTheLatestGetsThoseThatWaitOnce(t *testing.T) {
	o := encoders(false)
	o.Rule = func(string) *topic.Rule { return &topic.Rule{Count: 100, Slow: topic.SlowLatest} }
	h := topic.NewHub(o)
	defer h.Close()
	r := newReader(t, 0)
	r.join(h, names("a"), topic.Start{})
	rest(h)
	for i := range 1000 {
		publish(t, h, "a", fmt.Sprint("k", i%3), fmt.Sprint(i))
	}
	rest(h)
	r.allow(plenty)
	lines := r.wait("the last", func(l []string) bool { return len(l) > 1 && strings.HasSuffix(l[len(l)-1], " 999") })
	if got := strings.Join(data(lines, t), " "); got != "a=997 a=998 a=999" || len(lines) != 4 {
		t.Errorf("got %q", lines)
	}
}

func TestASlowReaderIsDroppedWhereThePolicySaysSo(t *testing.T) {
	for _, mute := range []bool{false, true} {
		o := encoders(mute)
		slow, reason := topic.SlowEnd, topic.ErrSlow
		if mute {
			slow, reason = topic.SlowGap, topic.ErrBare
		}
		o.Rule = func(string) *topic.Rule { return &topic.Rule{Count: 100, Slow: slow} }
		h := topic.NewHub(o)
		r := newReader(t, 0)
		r.join(h, names("a"), topic.Start{})
		rest(h)
		for range 200 {
			publish(t, h, "a", "", "")
		}
		rest(h)
		r.allow(plenty)
		lines := r.wait("the end", func([]string) bool { return r.dropped != nil })
		if !errors.Is(r.dropped, reason) || mute == (len(lines) == 2) {
			t.Errorf("dropped by %v, got %q", r.dropped, lines)
		}
		r.sub.Leave()
		h.Close()
	}
}

func TestARateIsKeptWithTheLatestOfEachKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := topic.NewHub(encoders(false))
		r := newReader(t, plenty)
		terms := names("a")
		terms.MaxRate = 10
		r.join(h, terms, topic.Start{})
		synctest.Wait()
		for i := range 1000 { // two seconds
			publish(t, h, "a", fmt.Sprint("k", i%2), fmt.Sprint(i))
			time.Sleep(2 * time.Millisecond) //nolint:forbidigo // in a bubble
		}
		time.Sleep(time.Second) //nolint:forbidigo // in a bubble
		synctest.Wait()
		got := data(r.seen(), t)
		if n := len(got); n < 38 || n > 44 || got[n-1] != "a=999" || got[n-2] != "a=998" {
			t.Errorf("%d came: %q", n, got)
		}
		r.sub.Leave()
		h.Close()
		synctest.Wait()
	})
}

func TestAHeartbeatCarriesThePositionWhereItMovedUnseen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := topic.NewHub(encoders(false))
		r := newReader(t, plenty)
		terms := names("a")
		terms.Events, terms.Heartbeat = []string{"wanted"}, 10*time.Second
		r.join(h, terms, topic.Start{})
		for _, want := range []string{"", "beat", "position 1", "beat", "position 2"} {
			synctest.Wait()
			lines := r.all()
			switch last := parse(t, lines[len(lines)-1]); {
			case want == "" && len(lines) == 1:
			case last.control == nil || last.control.Name+" "+fmt.Sprint(last.seq) != want && last.control.Name != want:
				t.Errorf("%q is %q", want, lines[len(lines)-1])
			}
			if want == "beat" {
				publish(t, h, "a", "", "unwanted")
			}
			time.Sleep(10 * time.Second) //nolint:forbidigo // in a bubble
		}
		if n := len(r.all()); n < 5 || n > 7 {
			t.Errorf("%d lines: %q", n, r.lines)
		}
		r.sub.Leave()
		h.Close()
		synctest.Wait()
	})
}

func (r *reader) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen()
}

func TestASecondAttemptIsTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := topic.NewHub(encoders(false))
		defer h.Close()
		once := func() topic.Receipt {
			r, err := h.Publish([]topic.Entry{{Topic: "a"}}, "key")
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		first := once()
		time.Sleep(topic.OnceTime - time.Second) //nolint:forbidigo // in a bubble
		if again := once(); again != first {
			t.Errorf("%v, then %v", first, again)
		}
		time.Sleep(time.Second) //nolint:forbidigo // in a bubble
		if later := once(); later == first {
			t.Error("it is known for ever")
		}
	})
}

func TestTopicsAreBoundedAndVanishButTheirNumbersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := encoders(false)
		o.Topics = 2
		o.Rule = func(string) *topic.Rule { return &topic.Rule{Count: 10, Age: time.Minute} }
		h := topic.NewHub(o)
		defer h.Close()
		first := publish(t, h, "a", "", "")
		publish(t, h, "b", "", "")
		if _, err := h.Publish([]topic.Entry{{Topic: "a"}, {Topic: "c"}}, ""); !errors.Is(err, topic.ErrTopics) {
			t.Errorf("a third topic: %v", err)
		}
		if n := h.Counts(); n.Topics != 2 {
			t.Errorf("%d topics", n.Topics)
		}
		time.Sleep(2 * time.Minute) //nolint:forbidigo // in a bubble
		synctest.Wait()
		if n := h.Counts(); n.Topics != 0 || n.Bytes != 0 {
			t.Errorf("left are %+v", n)
		}
		_, c := h.Subscribe(names("b"), topic.Start{Since: first.ID.String()})
		if c.Name != topic.Gap || c.Missed["b"] != 1 || !c.AtLeast {
			t.Errorf("who comes back is told %+v", c)
		}
		if again := publish(t, h, "a", "", ""); again.Count != 2 || again.ID.Seq != 3 {
			t.Errorf("it goes on with %+v", again)
		}
	})
}

func TestAllTopicsTogetherAreBounded(t *testing.T) {
	o := encoders(false)
	o.Bytes = 100_000
	h := topic.NewHub(o)
	defer h.Close()
	for i := range 1000 {
		publish(t, h, fmt.Sprint("t", i%50), "", strings.Repeat("x", 1000))
	}
	if n := h.Counts(); n.Bytes > o.Bytes || n.Bytes < o.Bytes/2 {
		t.Errorf("%d bytes are kept", n.Bytes)
	}
}

func TestAnEncodingIsMadeOnceAndPublishingIsTheSameWork(t *testing.T) {
	const readers, messages = 1000, 100
	steps := map[int]int64{}
	for _, n := range []int{0, readers} {
		o := encoders(false)
		o.Pumps = 2
		h := topic.NewHub(o)
		all := make([]*reader, n)
		for i := range all {
			all[i] = newReader(t, plenty)
			if i%10 == 0 {
				all[i].room = 0 // it has stopped
			}
			all[i].join(h, names("a"), topic.Start{})
		}
		for i := range messages {
			publish(t, h, "a", "", fmt.Sprint(i))
		}
		for i, r := range all {
			if i%10 != 0 {
				r.wait("all", func(l []string) bool { return len(l) == messages+1 })
			}
		}
		c := h.Counts()
		steps[n] = c.Steps
		if n > 0 && c.Encodings != messages {
			t.Errorf("%d encodings of %d messages", c.Encodings, messages)
		}
		h.Close()
	}
	if most := steps[0] + 2*messages; steps[readers] > most {
		t.Errorf("%d steps without readers, %d with %d", steps[0], steps[readers], readers)
	}
}

var long = flag.Int("rounds", 8, "how many rounds the property of topics is tried for")

// A story is what one reader has seen, over all its connections.
type story struct {
	told map[string]int64 // by topic, the last count it knows about
}

// follow checks lines against what has been published: each message of the topics
// once and in order, or named as missed.
func (s *story) follow(t *testing.T, lines []string) (position string) {
	t.Helper()
	last := uint64(0)
	for _, text := range lines {
		l := parse(t, text)
		if c := l.control; c != nil {
			for name, n := range c.Missed {
				if lacks := c.Counts[name] - s.told[name]; lacks > n && !c.AtLeast || lacks < 0 {
					t.Errorf("%s: %d are missing of %d", name, n, lacks)
				}
				s.told[name] = c.Counts[name]
			}
			if c.Name != topic.Reset {
				position = c.ID.String()
			}
			last = max(last, c.ID.Seq)
			continue
		}
		if l.count != s.told[l.topic]+1 {
			t.Errorf("%s: %d comes behind %d", l.topic, l.count, s.told[l.topic])
			return position
		}
		if l.seq <= last {
			t.Errorf("%d comes behind %d", l.seq, last)
			return position
		}
		s.told[l.topic], last = l.count, l.seq
		position = topic.ID{Epoch: epoch, Seq: l.seq}.String()
	}
	return position
}

const epoch = "test"

func TestNothingIsLostSilently(t *testing.T) {
	for round := range *long {
		seed := rand.Uint64()
		if !t.Run(fmt.Sprint(round), func(t *testing.T) { tell(t, seed) }) {
			t.Fatalf("seed %d", seed)
		}
	}
}

// tell has readers stall, be cut at any byte, and come back, while a few topics are
// published to.
func tell(t *testing.T, seed uint64) {
	const readers, messages = 8, 3000
	o := encoders(false)
	o.Epoch = epoch
	o.Pumps = 2
	o.Rule = func(string) *topic.Rule { return &topic.Rule{Count: 100, Bytes: 40_000} }
	h := topic.NewHub(o)
	defer h.Close()
	topics := []string{"a", "b", "c.d"}
	var wg sync.WaitGroup
	over := make(chan struct{})
	for i := range readers {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		terms := [][]string{{"a"}, {"a", "b"}, {">"}, {"c.*", "b"}}[i%4]
		first := newReader(t, random.IntN(500))
		first.join(h, names(terms...), topic.Start{})
		wg.Go(func() {
			s := &story{map[string]int64{}}
			position := topic.ID{Epoch: epoch}.String()
			for r, done := first, false; !done; {
				for range random.IntN(20) {
					r.allow(random.IntN(2000))
				}
				select {
				case <-over:
					done = true
				default:
				}
				if done { // everything, to the end
					r.allow(plenty)
					r.wait("the end", func(l []string) bool { return len(l) > 0 && behind(h, r) })
				}
				r.sub.Leave()
				r.mu.Lock()
				lines := r.seen() // what is cut is not seen
				r.room, r.rest = 0, []byte("x")
				r.mu.Unlock()
				if at := s.follow(t, lines); at != "" {
					position = at
				}
				if !done {
					r = newReader(t, random.IntN(500))
					r.join(h, names(terms...), topic.Start{Since: position})
				}
			}
			for name, n := range s.told {
				if want := published(h, name); n != want {
					t.Errorf("%v: of %s %d of %d are accounted for", terms, name, n, want)
				}
			}
		})
	}
	random := rand.New(rand.NewPCG(seed, 99))
	for i := range messages {
		publish(t, h, topics[random.IntN(len(topics))], "", strings.Repeat("x", random.IntN(300))+fmt.Sprint(i))
		if random.IntN(50) == 0 {
			time.Sleep(time.Duration(random.IntN(2)) * time.Millisecond) //nolint:forbidigo // publishers pause
		}
	}
	close(over)
	wg.Wait()
}

func published(h *topic.Hub, name string) int64 { return h.Stats(names(name)).Published }

// behind says whether r has got everything. The lines are guarded by its caller.
func behind(h *topic.Hub, r *reader) bool {
	lines := r.seen()
	last := parse(r.t, lines[len(lines)-1])
	for _, p := range r.sub.Patterns() {
		kept, _ := h.History(names(p), topic.History{Last: 1})
		if len(kept) > 0 && kept[0].Seq > last.seq {
			return false
		}
	}
	return true
}
