package site_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// An answer is what POST /api/chat answers.
type answer struct {
	line
	Position string
	status   int
	header   http.Header
}

// post sends a body to the chat.
func post(t *testing.T, url, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/chat", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	a := answer{status: resp.StatusCode, header: resp.Header}
	if resp.Header.Get("Content-Type") == "application/json" {
		if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// wish is post of a message of the chat, which has to be answered by a status.
func wish(t *testing.T, url string, status int, m map[string]string) answer {
	t.Helper()
	body, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	a := post(t, url, string(body))
	if a.status != status {
		t.Fatalf("%v is answered by %d %q, not by %d", m, a.status, a.Why, status)
	}
	return a
}

func joinBy(t *testing.T, url, name string) answer {
	t.Helper()
	return wish(t, url, http.StatusOK, map[string]string{"type": "join", "name": name})
}

// A reading is the chat's topic as an EventSource reads it.
type reading struct {
	t    *testing.T
	url  string
	last string // id of the last event
	next func() (leat.Event, error, bool)
	stop func()
}

// readFrom reads on from a position of the topic.
func readFrom(t *testing.T, url, position string) *reading {
	t.Helper()
	r := &reading{t: t, url: url + "/live/chat.room?since=" + position, last: position}
	r.open()
	return r
}

// open connects, again with the last id, and checks that nothing is missing.
func (r *reading) open() {
	r.t.Helper()
	resp := ask(r.t, r.url, "Accept", "text/event-stream", "Last-Event-ID", r.last)
	next, done := iter.Pull2(leat.ReadEvents(resp.Body))
	r.next = next
	r.stop = func() { done(); _ = resp.Body.Close() }
	if e, err, _ := next(); err != nil || e.Name != "leat.resumed" {
		r.t.Fatalf("after %s comes %q %s (%v)", r.last, e.Name, e.Text(), err)
	}
}

// hear reads to the next thing that happens in the room.
func (r *reading) hear() line {
	r.t.Helper()
	e, err, ok := r.next()
	if err != nil || !ok {
		r.t.Fatalf("behind %s: %v", r.last, err)
	}
	var l line
	if err := json.Unmarshal([]byte(e.Text()), &l); err != nil || l.Type != e.Name {
		r.t.Fatalf("the event %q is %s (%v)", e.Name, e.Text(), err)
	}
	r.last = e.ID
	return l
}

// Guests come at any moment by either door, those of the one cut their stream now and
// then, and all talk at once: everybody hears the same in the same order, with
// nothing missing and nothing twice.
func TestBothDoorsOfTheChatHearTheSameInOneOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const guests, each = 24, 9
	at := start(t, func(c *leat.Config) {
		c.Topics[0].History.Count = 1000         // so that who is cut off misses nothing, however slow it is
		c.Logger = slog.New(slog.DiscardHandler) // these are more requests than a logbook has pages
	})
	witness, _ := enter(t, at.url, "Witness")
	heard := make([][]line, guests)
	var all sync.WaitGroup
	for i := range guests {
		byPost, cuts := random.IntN(2) == 0 && i < 20, rand.New(rand.NewPCG(seed, uint64(i+1)))
		all.Go(func() {
			defer func() {
				if t.Failed() { // nobody waits for what is not said
					_ = witness.Close()
				}
			}()
			name := fmt.Sprint("Guest ", i)
			var hear func() line
			var say func(text string)
			if byPost {
				w := joinBy(t, at.url, name)
				heard[i] = w.Kept
				r := readFrom(t, at.url, w.Position)
				defer func() { r.stop() }()
				say = func(text string) {
					wish(t, at.url, http.StatusOK, map[string]string{"type": "say", "key": w.Key, "text": text})
				}
				hear = func() line {
					if cuts.IntN(20) == 0 {
						r.stop()
						r.open()
					}
					return r.hear()
				}
			} else {
				v, w := enter(t, at.url, name)
				heard[i], say = w.Kept, v.say
				hear = func() line {
					l, err := v.read()
					if err != nil {
						t.Fatal(err)
					}
					return l
				}
			}
			for n := range each {
				say(fmt.Sprint(n))
			}
			for {
				if l := hear(); l.Type == "said" {
					if heard[i] = append(heard[i], l); l.Text == "the end" {
						return
					}
				}
			}
		})
	}
	var told []line
	for len(told) < guests*each {
		told = append(told, witness.hear("said"))
	}
	witness.say("the end")
	told = append(told, witness.hear("said"))
	all.Wait()
	for i, l := range told {
		if l.ID != told[0].ID+int64(i) {
			t.Fatalf("message %d has the id %d after %d", i, l.ID, told[0].ID)
		}
	}
	same := func(a, b line) bool { return a.ID == b.ID && a.Name == b.Name && a.Text == b.Text && a.Time == b.Time }
	for i, h := range heard {
		if len(h) < each+1 || len(h) > len(told) || !slices.EqualFunc(h, told[len(told)-len(h):], same) {
			t.Errorf("guest %d hears something else: %d messages of %d", i, len(h), len(told))
		}
	}
}

func TestChatByPostAnswersWithAStatus(t *testing.T) {
	at := start(t, nil)
	enter(t, at.url, "Ada")
	grace := joinBy(t, at.url, " Grace  Hopper ")
	if grace.Type != "welcome" || grace.Name != "Grace Hopper" || !slices.Equal(grace.Here, []string{"Ada", "Grace Hopper"}) || grace.Kept == nil || len(grace.Key) < 20 || grace.Position == "" {
		t.Errorf("the welcome is %+v", grace)
	}
	with := func(rest string) string { return `{"key":"` + grace.Key + `",` + rest + `}` }
	for _, c := range []struct {
		body   string
		status int
		what   string
		why    string
	}{
		{`hello`, 400, "", `this is not what is understood here; write {"type":"join","name":"Ada"} or {"type":"say","key":"…","text":"Hello"}`},
		{``, 400, "", "this is not what is understood here"},
		{`{"type":7}`, 400, "", "this is not what is understood here"},
		{`{}`, 400, "", `"" is no type of a message; write "join", "say", "here" or "leave"`},
		{`{"type":"` + strings.Repeat("x", 100) + `"}`, 400, "", `"` + strings.Repeat("x", 40) + `…" is no type`},
		{strings.Repeat("[", 16<<10+1), 413, "", "this is too much; a request has at most 16384 bytes"},
		{`{"type":"join"}`, 400, "join", "a name is missing"},
		{`{"type":"join","name":"a\u202eb"}`, 400, "join", "a name is made of characters that can be seen; U+202E is none"},
		{`{"type":"join","name":"ada"}`, 409, "join", `"Ada" is here already; choose another name`},
		{`{"type":"join","name":"grace hopper","key":"x"}`, 409, "join", `"Grace Hopper" is here already; choose another name`},
		{`{"type":"say","text":"hello"}`, 403, "say", "this is the key of nobody who is here by POST; join first"},
		{`{"type":"say","text":"hello","key":"x"}`, 403, "say", "this is the key of nobody who is here by POST; join first"},
		{`{"type":"here"}`, 403, "here", "this is the key of nobody who is here by POST; join first"},
		{`{"type":"leave","key":"x"}`, 204, "", ""},
		{with(`"type":"here"`), 204, "", ""},
		{with(`"type":"say","text":" \n"`), 400, "say", "there is no text"},
		{with(`"type":"say","text":"bell\u0007"`), 400, "say", "a text has no control characters but tabs and line ends; U+0007 is one"},
		{with(`"type":"say","text":"` + strings.Repeat("水", 2001) + `"`), 400, "say", "a text has at most 2000 characters; this has 2001"},
		{with(`"type":"say","text":"` + strings.Repeat(`\u6c34`, 2000) + `"`), 200, "", ""},
	} {
		a := post(t, at.url, c.body)
		refused := ""
		if c.why != "" {
			refused = "refused"
		}
		if a.status != c.status || a.Type != refused || a.What != c.what || !strings.HasPrefix(a.Why, c.why) {
			t.Errorf("%.60s: %d %q %q", c.body, a.status, a.What, a.Why)
		}
	}
	for media, status := range map[string]int{"text/plain": 415, "image/png": 415, "none": 415, "application/x-www-form-urlencoded": 204, "application/json; charset=utf-8": 204} {
		if a := post(t, at.url, with(`"type":"here"`), "Content-Type", media); a.status != status {
			t.Errorf("%s: %d %q", media, a.status, a.Why)
		}
	}
	if resp := ask(t, at.url+"/api/chat"); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a GET is answered by %d", resp.StatusCode)
	}
	if a := post(t, at.url, with(`"type":"here"`), "Origin", "http://elsewhere.example"); a.status != http.StatusForbidden {
		t.Errorf("a page of another origin gets %d", a.status)
	}
}

func TestAnswerByPostNamesTheMessage(t *testing.T) {
	at := start(t, nil)
	ada, _ := enter(t, at.url, "Ada")
	w := joinBy(t, at.url, "Grace")
	if j := ada.hear("joined"); j.Name != "Grace" || j.People != 2 {
		t.Errorf("the other door hears %+v", j)
	}
	a := wish(t, at.url, http.StatusOK, map[string]string{"type": "say", "key": w.Key, "text": "<b>hello</b>"})
	if l := ada.hear("said"); l.ID != a.ID || l.Name != "Grace" || l.Text != "<b>hello</b>" {
		t.Errorf("message %d is heard as %+v", a.ID, l)
	}
	for range 2 { // it does no harm to leave twice
		wish(t, at.url, http.StatusNoContent, map[string]string{"type": "leave", "key": w.Key})
	}
	if l := ada.hear("left"); l.Name != "Grace" || l.People != 1 {
		t.Errorf("the other door hears %+v", l)
	}
	ada.say("alone")
	if l, err := ada.read(); err != nil || l.Type != "said" {
		t.Errorf("after that it hears %+v (%v)", l, err)
	}
	wish(t, at.url, http.StatusForbidden, map[string]string{"type": "say", "key": w.Key, "text": "hello"})
}

func TestAKeyOfOneDoorOpensTheOther(t *testing.T) {
	at := start(t, nil)
	ada, _ := enter(t, at.url, "Ada")
	socket, w := enter(t, at.url, "Grace")
	ada.hear("joined")
	wish(t, at.url, http.StatusForbidden, map[string]string{"type": "say", "key": w.Key, "text": "by both at once"})
	moved := wish(t, at.url, http.StatusOK, map[string]string{"type": "join", "name": "Grace", "key": w.Key})
	socket.end()
	if socket.CloseStatus() != 4001 || socket.CloseReason() != "you are here by another connection" {
		t.Errorf("the WebSocket is closed with %d %q", socket.CloseStatus(), socket.CloseReason())
	}
	back := visit(t, at.url)
	back.tell(map[string]string{"type": "join", "name": "Grace", "key": moved.Key})
	if w := back.hear("welcome"); !slices.Equal(w.Here, []string{"Ada", "Grace"}) {
		t.Errorf("here are %v", w.Here)
	}
	wish(t, at.url, http.StatusForbidden, map[string]string{"type": "here", "key": moved.Key})
	back.say("here I am") // and nobody was told of coming or going
	if l, err := ada.read(); err != nil || l.Type != "said" {
		t.Errorf("the others hear %+v (%v)", l, err)
	}
}

func TestChatByPostHasAFloodStop(t *testing.T) {
	at := start(t, nil)
	ada, _ := enter(t, at.url, "Ada")
	w := joinBy(t, at.url, "Flood")
	said, refused := 0, answer{}
	for i := 0; ; i++ {
		if i == 1000 {
			t.Fatal("the flood is still there")
		}
		a := post(t, at.url, `{"type":"say","text":"again","key":"`+w.Key+`"}`)
		if a.status == http.StatusForbidden {
			break
		}
		switch a.status {
		case http.StatusOK:
			said++
		case http.StatusTooManyRequests:
			refused = a
		default:
			t.Fatalf("a flood gets %d %q", a.status, a.Why)
		}
	}
	if said < 10 || refused.Why != "this is too fast: at most 10 messages at once, and one each 500ms" {
		t.Errorf("after %d messages: %q", said, refused.Why)
	}
	// It had as many beyond the bound as may be, each of half a second.
	if after := refused.header.Get("Retry-After"); after != "26" {
		t.Errorf("Retry-After: %s", after)
	}
	if l := ada.hear("left"); l.Name != "Flood" {
		t.Errorf("%q left", l.Name)
	}
}

func TestAnAddressHoldsTwentyPlacesByPost(t *testing.T) {
	at := start(t, nil)
	guests := make([]answer, 20)
	for i := range guests {
		guests[i] = joinBy(t, at.url, fmt.Sprint("Guest ", i))
	}
	late := map[string]string{"type": "join", "name": "Late"}
	if a := wish(t, at.url, http.StatusTooManyRequests, late); a.What != "join" || a.Why != "20 are here from your address by POST, as many as may be; come by WebSocket" {
		t.Errorf("one more gets %+v", a)
	}
	enter(t, at.url, "By WebSocket")
	wish(t, at.url, http.StatusNoContent, map[string]string{"type": "leave", "key": guests[7].Key})
	// Who is refused holds no place.
	wish(t, at.url, http.StatusConflict, map[string]string{"type": "join", "name": "Guest 3"})
	wish(t, at.url, http.StatusOK, late)
	wish(t, at.url, http.StatusTooManyRequests, map[string]string{"type": "join", "name": "Later"})
}

func TestChatByPostHoldsToASmallMessageLimit(t *testing.T) {
	at := start(t, func(c *leat.Config) { c.Limits.MaxMessage = 1000; c.Limits.MaxPacket = 10 })
	ada, _ := enter(t, at.url, "Ada")
	w := joinBy(t, at.url, "Grace")
	a := wish(t, at.url, http.StatusRequestEntityTooLarge, map[string]string{"type": "say", "key": w.Key, "text": strings.Repeat("x", 950)})
	if a.Why != "the text is longer than messages may be here (limits.maxMessage)" {
		t.Errorf("a long text gets %+v", a)
	}
	a = wish(t, at.url, http.StatusOK, map[string]string{"type": "say", "key": w.Key, "text": "short"})
	if l := ada.hear("said"); l.ID != a.ID || l.Text != "short" {
		t.Errorf("the other hears %+v", l)
	}
}

func TestNobodyElsePublishesToTheChatsTopic(t *testing.T) {
	at := start(t, nil)
	resp, err := http.Post(at.url+"/live/chat.room", "application/json", strings.NewReader(`{"type":"said","name":"Ada"}`)) //nolint:noctx // it is answered at once
	if err != nil {
		t.Fatal(err)
	}
	if text := body(t, resp); resp.StatusCode != http.StatusForbidden {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

// The lines of curl in the document work as they stand there.
func TestChatByPostAsTheDocumentHasIt(t *testing.T) {
	for _, program := range []string{"sh", "curl", "sed"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v; make deps installs it", err)
		}
	}
	page, err := os.ReadFile("../../docs/actions.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## /api/chat\n")
	_, block, _ := strings.Cut(section, "```sh\n")
	block, _, _ = strings.Cut(block, "\n```")
	at := start(t, nil)
	lines := strings.Split(strings.ReplaceAll(block, "localhost:4000", strings.TrimPrefix(at.url, "http://")), "\n")
	if len(lines) != 3 {
		t.Fatalf("the document has %q", lines)
	}
	said, err := exec.CommandContext(t.Context(), "sh", "-c", lines[0]+"\n"+lines[1]).CombinedOutput()
	if err != nil || !strings.Contains(string(said), `{"id":`) {
		t.Fatalf("%s (%v)", said, err)
	}
	read := exec.CommandContext(t.Context(), "sh", "-c", "exec "+lines[2])
	out, err := read.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := read.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(30*time.Second, func() { _ = read.Process.Kill() })
	defer late.Stop()
	var names []string
	for e, err := range leat.ReadEvents(out) {
		if err != nil {
			t.Fatal(err)
		}
		if names = append(names, e.Name); e.Name == "said" {
			break
		}
	}
	_ = read.Process.Kill()
	_ = read.Wait()
	if !slices.Equal(names, []string{"leat.open", "joined", "said"}) {
		t.Errorf("the third line reads %v", names)
	}
}
