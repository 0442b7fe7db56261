package topic_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/topic"
)

// What is kept for those who read already, and the keys of what is published here.
const (
	cutKept = 64
	cutKeys = 5
)

// A cutStage is a hub with one reader that has stopped.
type cutStage struct {
	*reader
	h    *topic.Hub
	said int // messages
}

func newCutStage(t *testing.T, slow topic.Slow) *cutStage {
	t.Helper()
	o := encoders(false)
	o.Pumps, o.Epoch = 1, epoch
	o.Rule = func(string) *topic.Rule { return &topic.Rule{Count: 1, Slow: slow} }
	s := &cutStage{reader: newReader(t, plenty), h: topic.NewHub(o)}
	s.join(s.h, names("a"), topic.Start{})
	s.says(1)
	s.wait("a message", func(l []string) bool { return len(l) == 2 })
	s.h.Flush() // it is up to date
	s.mu.Lock()
	s.room, s.got, s.read, s.lines = 0, nil, 0, nil
	s.mu.Unlock()
	return s
}

func (s *cutStage) close() {
	s.sub.Leave()
	s.h.Close()
}

// says publishes n messages at once, and has them be offered.
func (s *cutStage) says(n int) {
	s.t.Helper()
	entries := make([]topic.Entry, n)
	for i := range entries {
		s.said++
		entries[i] = topic.Entry{Topic: "a", Draft: topic.Draft{Key: fmt.Sprint("k", s.said%cutKeys), Data: []byte(strings.Repeat("x", s.said%4))}}
	}
	if _, err := s.h.Publish(entries, ""); err != nil {
		s.t.Fatal(err)
	}
	s.h.Flush()
}

// later publishes n messages one by one: those that come at once are kept for a while.
func (s *cutStage) later(n int) {
	s.t.Helper()
	for range n {
		s.says(1)
	}
}

// line is message n as it goes out.
func (s *cutStage) line(n int) string {
	return fmt.Sprintf("m %d %d a k%d %s\n", n, n, n%cutKeys, strings.Repeat("x", n%4))
}

func (s *cutStage) messages(from, to int) (all []string) {
	for n := from; n <= to; n++ {
		all = append(all, s.line(n))
	}
	return all
}

// gap is the record of what is missing behind one message and up to another.
func (s *cutStage) gap(from, to int) string {
	at := func(n int) string { return fmt.Sprintf(`{"Epoch":%q,"Seq":%d}`, epoch, n) }
	return fmt.Sprintf(`c {"Name":"gap","ID":%s,"From":"%s-%d","To":%s,"Missed":{"a":%d},"Counts":{"a":%d},"AtLeast":false,"Reason":"slow","Terms":null}`+"\n",
		at(to), epoch, from, at(to), to-from, to)
}

// begun are how many units have begun within so many bytes.
func begun(units []string, bytes int) (n int) {
	for at := 0; n < len(units) && at < bytes; n++ {
		at += len(units[n])
	}
	return n
}

// ends waits for all that comes, and compares.
func (s *cutStage) ends(what string, slow topic.Slow, want []string) {
	s.t.Helper()
	s.allow(plenty)
	if slow == topic.SlowEnd {
		s.wait(what, func([]string) bool { return s.dropped != nil })
		if !errors.Is(s.dropped, topic.ErrSlow) {
			s.t.Fatalf("%s: it ends with %v", what, s.dropped)
		}
	}
	s.wait(what, func(l []string) bool { return len(l) >= len(want) })
	if slow != topic.SlowEnd { // and then nothing but what is new
		s.says(1)
		want = append(want, s.line(s.said))
		s.wait(what, func(l []string) bool { return len(l) >= len(want) })
	}
	s.h.Flush()
	if got := strings.Join(s.all(), "\n") + "\n"; got != strings.Join(want, "") {
		s.t.Fatalf("%s: what came is %q, want %q", what, got, want)
	}
}

var slows = map[string]topic.Slow{"gap": topic.SlowGap, "latest": topic.SlowLatest, "disconnect": topic.SlowEnd}

// A reader that is up to date is cut at each byte of three messages that come at
// once, and then those behind are gone. What had begun comes as a whole, and of the
// others what the policy says.
func TestADeliveryMayBeCutAtEachOfItsBytes(t *testing.T) {
	const first, then = 3, 70
	for name, slow := range slows {
		t.Run(name, func(t *testing.T) {
			for room, total := 0, 1; room < total; room++ {
				s := newCutStage(t, slow)
				units := s.messages(2, 1+first)
				total = len(strings.Join(units, ""))
				s.room = room
				s.says(first)
				s.later(then)
				if got := strings.Join(units, "")[:room]; string(s.got) != got {
					t.Fatalf("with room for %d it has %q, want %q", room, s.got, got)
				}
				n := begun(units, room)
				want := slices.Clone(units[:n])
				switch slow {
				case topic.SlowGap:
					want = append(append(want, s.gap(1+n, s.said-cutKept)), s.messages(s.said-cutKept+1, s.said)...)
				case topic.SlowLatest:
					want = append(want, s.messages(s.said-cutKeys+1, s.said)...)
				default:
					want = append(want, s.gap(1+n, s.said-cutKept))
				}
				s.ends(fmt.Sprintf("room for %d", room), slow, want)
				s.close()
			}
		})
	}
}

// A reader that catches up is cut at each byte of what it gets then, its gap
// included, and falls behind what is kept again.
func TestWhatAReaderCatchesUpWithMayBeCutAtEachOfItsBytes(t *testing.T) {
	const first, then = 70, 80
	for name, slow := range slows {
		t.Run(name, func(t *testing.T) {
			for room, total := 1, 2; room < total; room++ {
				s := newCutStage(t, slow)
				s.later(first)
				lost := s.said - cutKept
				var units []string
				switch slow {
				case topic.SlowGap:
					units = append([]string{s.gap(1, lost)}, s.messages(lost+1, s.said)...)
				case topic.SlowLatest:
					units = s.messages(s.said-cutKeys+1, s.said)
				default:
					units = []string{s.gap(1, lost)}
				}
				all := strings.Join(units, "")
				total = len(all)
				s.allow(room)
				s.wait("what fits", func([]string) bool { return len(s.got) == room })
				s.h.Flush() // it is behind by now
				was := s.said
				s.later(then)
				if string(s.got) != all[:room] {
					t.Fatalf("with room for %d it has %q, want %q", room, s.got, all[:room])
				}
				n := begun(units, room)
				want := slices.Clone(units[:n])
				switch slow {
				case topic.SlowGap:
					at := lost + n - 1 // the first is the gap
					want = append(append(want, s.gap(at, s.said-cutKept)), s.messages(s.said-cutKept+1, s.said)...)
				case topic.SlowLatest:
					want = append(want, s.messages(s.said-cutKeys+1, s.said)...)
				default:
				}
				s.ends(fmt.Sprintf("room for %d, behind %d", room, was), slow, want)
				s.close()
			}
		})
	}
}
