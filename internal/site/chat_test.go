package site_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// A line is any message of the chat's server.
type line struct {
	Type, Name, Key, Text, What, Why string
	ID, Time                         int64
	People                           int
	Here                             []string
	Kept                             []line
}

// A visitor is a client of the chat.
type visitor struct {
	t *testing.T
	*leat.Socket
}

func visit(t *testing.T, url string) *visitor {
	t.Helper()
	return &visitor{t, dial(t, url+"/ws/chat", nil)}
}

// enter joins by a name, and answers the welcome.
func enter(t *testing.T, url, name string) (*visitor, line) {
	t.Helper()
	v := visit(t, url)
	v.tell(map[string]string{"type": "join", "name": name})
	return v, v.hear("welcome")
}

func (v *visitor) tell(m any) {
	v.t.Helper()
	if _, err := v.SendJSON(m); err != nil {
		v.t.Fatal(err)
	}
}

func (v *visitor) say(text string) {
	v.t.Helper()
	v.tell(map[string]string{"type": "say", "text": text})
}

// hear reads to the next message of a type.
func (v *visitor) hear(kind string) line {
	v.t.Helper()
	for {
		l, err := v.read()
		if err != nil {
			v.t.Fatalf("waiting for %q: %v, closed with %d %q", kind, err, v.CloseStatus(), v.CloseReason())
		}
		if l.Type == kind {
			return l
		}
	}
}

func (v *visitor) read() (l line, err error) {
	m, err := v.Read(v.t.Context())
	if err != nil {
		return l, err
	}
	return l, json.Unmarshal(m.Data, &l)
}

// end reads to the end of the socket.
func (v *visitor) end() {
	for {
		if _, err := v.Read(v.t.Context()); err != nil {
			<-v.Done()
			return
		}
	}
}

func TestChatTellsWhoComesAndGoes(t *testing.T) {
	at := start(t, nil)
	ada, w := enter(t, at.url, "  Ada \t Lovelace ")
	if w.Name != "Ada Lovelace" || !slices.Equal(w.Here, []string{"Ada Lovelace"}) || w.Kept == nil || len(w.Kept) != 0 || len(w.Key) < 20 {
		t.Errorf("the first is welcomed by %+v", w)
	}
	grace, w := enter(t, at.url, "Grace")
	if !slices.Equal(w.Here, []string{"Ada Lovelace", "Grace"}) {
		t.Errorf("the second finds %v", w.Here)
	}
	if j := ada.hear("joined"); j.Name != "Grace" || j.People != 2 || time.Since(time.UnixMilli(j.Time)).Abs() > time.Minute {
		t.Errorf("the first hears %+v", j)
	}
	_ = grace.Close()
	if l := ada.hear("left"); l.Name != "Grace" || l.People != 1 {
		t.Errorf("the first hears %+v", l)
	}
	_, w = enter(t, at.url, "grace") // the name is free again
	if !slices.Equal(w.Here, []string{"Ada Lovelace", "grace"}) {
		t.Errorf("the third finds %v", w.Here)
	}
}

func TestChatIsHeardByAllInTheSameOrder(t *testing.T) {
	at := start(t, nil)
	const people, each = 20, 8
	room := make([]*visitor, people)
	for i := range room {
		room[i], _ = enter(t, at.url, fmt.Sprint("Guest ", i))
	}
	heard := make([][]int64, people)
	var all sync.WaitGroup
	for i, v := range room {
		all.Go(func() {
			for n := range each {
				if _, err := v.SendJSON(map[string]string{"type": "say", "text": fmt.Sprint(n)}); err != nil {
					t.Error(err)
				}
			}
			own := 0
			for len(heard[i]) < people*each {
				l, err := v.read()
				if err != nil {
					t.Error(err)
					return
				}
				if l.Type != "said" {
					continue
				}
				heard[i] = append(heard[i], l.ID)
				if l.Name == fmt.Sprint("Guest ", i) {
					if l.Text != fmt.Sprint(own) {
						t.Errorf("guest %d hears its %d. message as %q", i, own, l.Text)
					}
					own++
				}
			}
		})
	}
	all.Wait()
	for i, ids := range heard {
		if !slices.Equal(ids, heard[0]) {
			t.Errorf("guest %d hears another order", i)
		}
	}
	for i, id := range heard[0] {
		if id != heard[0][0]+int64(i) {
			t.Fatalf("message %d has the id %d after %d", i, id, heard[0][0])
		}
	}
}

func TestChatKeepsTheLastFiftyForNewcomers(t *testing.T) {
	at := start(t, nil)
	for i := range 7 {
		v, _ := enter(t, at.url, fmt.Sprint("Guest ", i))
		for n := range 9 {
			v.say(fmt.Sprintf("<b>%d</b>\n\u2028\U0001F44B", i*9+n))
			v.hear("said")
		}
	}
	_, w := enter(t, at.url, "Late")
	if len(w.Kept) != 50 {
		t.Fatalf("%d messages are kept", len(w.Kept))
	}
	for i, l := range w.Kept {
		if want := fmt.Sprintf("<b>%d</b>\n\u2028\U0001F44B", 13+i); l.Type != "said" || l.Text != want || l.Name != fmt.Sprint("Guest ", (13+i)/9) {
			t.Errorf("message %d is %+v", i, l)
		}
	}
}

func TestChatKeepsNoMoreThan64KiB(t *testing.T) {
	at := start(t, nil)
	for i := range 3 {
		v, _ := enter(t, at.url, fmt.Sprint("Guest ", i))
		for range 9 {
			v.say(strings.Repeat("\U0001F44B", 2000)) // 8 KB
			v.hear("said")
		}
	}
	if _, w := enter(t, at.url, "Late"); len(w.Kept) != 8 {
		t.Errorf("%d messages are kept", len(w.Kept))
	}
}

func TestChatSaysWhatIsWrongWithAMessage(t *testing.T) {
	at := start(t, nil)
	enter(t, at.url, "Ada")
	for i, c := range []struct{ send, what, why string }{
		{`hello`, "", `this is not what is understood here; write {"type":"join","name":"Ada"} or {"type":"say","text":"Hello"}`},
		{``, "", "this is not what is understood here"},
		{`[1]`, "", "this is not what is understood here"},
		{`{"type":7}`, "", "this is not what is understood here"},
		{strings.Repeat("[", 100_000), "", "this is not what is understood here"},
		{`{}`, "", `"" is no type of a message; write "join" or "say"`},
		{`{"type":"` + strings.Repeat("x", 100) + `"}`, "", `"` + strings.Repeat("x", 40) + `…" is no type`},
		{`{"type":"say","text":"hello"}`, "say", "you are not in the room; join first"},
		{`{"type":"join"}`, "join", "a name is missing"},
		{`{"type":"join","name":" \u00a0\n "}`, "join", "a name is missing"},
		{`{"type":"join","name":"ada"}`, "join", `"Ada" is here already; choose another name`},
		{`{"type":"join","name":"ADA","key":""}`, "join", `"Ada" is here already; choose another name`},
		{`{"type":"join","name":"` + strings.Repeat("x", 25) + `"}`, "join", "a name has at most 24 characters; this has 25"},
		{`{"type":"join","name":"` + strings.Repeat("x", 500_000) + `"}`, "join", "a name has at most 24 characters"},
		{`{"type":"join","name":"a\u0000b"}`, "join", "a name is made of characters that can be seen; U+0000 is none"},
		{`{"type":"join","name":"a\u202eb"}`, "join", "a name is made of characters that can be seen; U+202E is none"},
		{`{"type":"join","name":"Ad\u200ba"}`, "join", "a name is made of characters that can be seen; U+200B is none"},
	} {
		v := visit(t, at.url)
		if _, err := v.SendText(c.send); err != nil {
			t.Fatal(err)
		}
		if got := v.hear("refused"); got.What != c.what || !strings.HasPrefix(got.Why, c.why) {
			t.Errorf("%.60s: %q %q", c.send, got.What, got.Why)
		}
		v.tell(map[string]string{"type": "join", "name": fmt.Sprint("Guest ", i)}) // it lives on
		v.hear("welcome")
	}
}

func TestChatSaysWhatIsWrongWithAText(t *testing.T) {
	at := start(t, nil)
	v, _ := enter(t, at.url, "Ada")
	for _, c := range []struct{ text, why string }{
		{" \n\t ", "there is no text"},
		{strings.Repeat("水", 2001), "a text has at most 2000 characters; this has 2001"},
		{"bell\a", "a text has no control characters but tabs and line ends; U+0007 is one"},
		{"csi\u009b31m", "a text has no control characters but tabs and line ends; U+009B is one"},
	} {
		v.say(c.text)
		if got := v.hear("refused"); got.What != "say" || got.Why != c.why {
			t.Errorf("%.20q: %q %q", c.text, got.What, got.Why)
		}
	}
	v.say(" one\r\n\ttwo ")
	if got := v.hear("said"); got.Text != "one\n\ttwo" {
		t.Errorf("a good text is heard as %q", got.Text)
	}
	v.tell(map[string]string{"type": "join", "name": "Grace"})
	if got := v.hear("refused"); got.Why != `you are in already, as "Ada"` {
		t.Errorf("a second join gets %+v", got)
	}
	if _, err := v.SendBinary([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	if got := v.hear("refused"); got.Why != "this is a binary message; write JSON as text" {
		t.Errorf("a binary message gets %+v", got)
	}
}

func TestChatHasAFloodStop(t *testing.T) {
	at := start(t, nil)
	ada, _ := enter(t, at.url, "Ada")
	flood, _ := enter(t, at.url, "Flood")
	said := make(chan error, 1)
	go func() {
		for {
			if _, err := flood.Write(t.Context(), leat.Text(`{"type":"say","text":"again"}`)); err != nil {
				said <- err
				return
			}
		}
	}()
	if got := flood.hear("refused"); got.Why != "this is too fast: at most 10 messages at once, and one each 500ms" {
		t.Errorf("a flood gets %+v", got)
	}
	flood.end()
	<-said
	if flood.CloseStatus() != leat.ClosePolicy || flood.CloseReason() != "far too many messages" {
		t.Errorf("closed with %d %q", flood.CloseStatus(), flood.CloseReason())
	}
	if l := ada.hear("left"); l.Name != "Flood" {
		t.Errorf("%q left", l.Name)
	}
	ada.say("peace")
	ada.hear("said")
}

func TestWhoComesBackWithItsKeyTakesItsPlace(t *testing.T) {
	at := start(t, nil)
	ada, _ := enter(t, at.url, "Ada")
	before, w := enter(t, at.url, "Grace")
	ada.hear("joined")
	for range 2 { // each welcome has a key of its own
		again := visit(t, at.url)
		again.tell(map[string]string{"type": "join", "name": "grace", "key": w.Key})
		w = again.hear("welcome")
		if !slices.Equal(w.Here, []string{"Ada", "grace"}) {
			t.Errorf("here are %v", w.Here)
		}
		before.end()
		if before.CloseStatus() != 4001 || before.CloseReason() != "you are here by another connection" {
			t.Errorf("the old one is closed with %d %q", before.CloseStatus(), before.CloseReason())
		}
		before = again
	}
	before.say("here I am") // and nobody was told of coming or going
	if got, err := ada.read(); err != nil || got.Type != "said" || got.Name != "grace" {
		t.Errorf("the others hear %+v (%v)", got, err)
	}
}

func TestAFullChatLetsNobodyMoreIn(t *testing.T) {
	at := start(t, nil)
	first, _ := enter(t, at.url, "First")
	second, _ := enter(t, at.url, "Second")
	for i := range 248 {
		enter(t, at.url, fmt.Sprint("Guest ", i))
	}
	late := visit(t, at.url)
	late.tell(map[string]string{"type": "join", "name": "Late"})
	if got := late.hear("refused"); got.What != "join" || got.Why != "the room is full: 250 are here; try again later" {
		t.Errorf("the 251st gets %+v", got)
	}
	_ = first.Close()
	second.hear("left")
	late.tell(map[string]string{"type": "join", "name": "Late"})
	late.hear("welcome")
}

// A room of 50, of which one reads nothing: the others hear everything, and it
// has to go when limits.queue is full.
func TestAStoppedReaderSlowsNobodyInARoomOfFifty(t *testing.T) {
	at := start(t, func(c *leat.Config) { c.Limits.SendBuffer = 32 << 10 })
	const people = 50
	stopped, _ := enter(t, at.url, "Stopped")
	room := make([]*visitor, people-1)
	for i := range room {
		room[i], _ = enter(t, at.url, fmt.Sprint("Guest ", i))
	}
	text := strings.Repeat("水", 2000) // 6 KB
	gone := false
	for round := 0; !gone; round++ {
		if round == 9*len(room) {
			t.Fatal("the stopped reader is still there")
		}
		room[round%len(room)].say(text)
		for _, v := range room {
			for heard := false; !heard; {
				l, err := v.read()
				if err != nil {
					t.Fatalf("round %d: %v, closed with %d %q", round, err, v.CloseStatus(), v.CloseReason())
				}
				heard = l.Type == "said"
				gone = gone || l.Type == "left" && l.Name == "Stopped" && l.People == people-1
			}
		}
	}
	stopped.end()
	if stopped.CloseStatus() != leat.CloseTryAgain || stopped.CloseReason() != "you read too slowly (limits.queue)" {
		t.Errorf("the stopped reader is closed with %d %q (%v)", stopped.CloseStatus(), stopped.CloseReason(), stopped.Err())
	}
	// It may come again.
	_, w := enter(t, at.url, "Stopped")
	if len(w.Kept) == 0 {
		t.Error("and finds nothing of what was said")
	}
}

func TestChatHoldsToASmallMessageLimit(t *testing.T) {
	at := start(t, func(c *leat.Config) { c.Limits.MaxMessage = 1000; c.Limits.MaxPacket = 10 })
	ada, _ := enter(t, at.url, "Ada")
	for range 5 {
		ada.say(strings.Repeat("x", 300))
		ada.hear("said")
	}
	ada.say(strings.Repeat("x", 950)) // which with its name and time is more
	if got := ada.hear("refused"); got.Why != "the text is longer than messages may be here (limits.maxMessage)" {
		t.Errorf("a long text gets %+v", got)
	}
	if _, w := enter(t, at.url, "Grace"); len(w.Kept) != 2 { // the newer half of five
		t.Errorf("a newcomer gets %d messages", len(w.Kept))
	}
}

func TestEndOfTheServerClosesWebSocketsInGoodOrder(t *testing.T) {
	at := start(t, nil)
	ada, _ := enter(t, at.url, "Ada")
	grace, _ := enter(t, at.url, "Grace")
	echo := &visitor{t, dial(t, at.url+"/ws/echo", nil)}
	ended := make(chan error, 1)
	go func() { ended <- at.stop() }()
	for _, v := range []*visitor{ada, grace, echo} {
		for {
			_, err := v.Read(t.Context())
			if err == nil {
				continue
			}
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			break
		}
		<-v.Done()
		if v.CloseStatus() != leat.CloseGoingAway || v.CloseReason() != "the server stops" || !v.Orderly() {
			t.Errorf("closed with %d %q", v.CloseStatus(), v.CloseReason())
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
