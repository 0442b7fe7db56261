package leat_test

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// A published message, as the tests remember it.
type published struct {
	topic, event, key, data string
	id                      string
}

// A library is a server with some messages, which grow.
type library struct {
	srv   *leat.Server
	url   string
	epoch string
	kept  []published
}

func (l *library) add(t *testing.T, p published, m leat.Message) {
	t.Helper()
	m.Event, m.Key = p.event, p.key
	p.id = publishTo(t, l.srv, p.topic, m).ID
	l.kept = append(l.kept, p)
}

func newLibrary(t *testing.T, mount string) *library {
	t.Helper()
	l := &library{}
	l.srv, l.url = topicMounts[mount](t, &leat.Config{})
	for i, p := range []published{
		{topic: "a.x", event: "up", key: "k1"},
		{topic: "a.x", key: "k2"},
		{topic: "a.y"},
		{topic: "a.x", event: "up", key: "k1"},
		{topic: "b"},
		{topic: "a.x"},
		{topic: "a.y", event: "up"},
	} {
		p.data = strconv.Itoa(i)
		l.add(t, p, leat.JSON(i))
	}
	l.epoch, _, _ = strings.Cut(l.kept[0].id, "-")
	return l
}

func TestWhatAReaderAsksForIsTheSameOverEveryTransport(t *testing.T) {
	topics := func(names ...string) func(*published) bool {
		return func(p *published) bool { return slices.Contains(names, p.topic) }
	}
	rows := []struct {
		query   string // with EPOCH where that goes
		from    func(*published) bool
		history string
		behind  int    // so many messages are not wanted by since; 0: all of the history
		first   string // the control that comes first
		reason  string
	}{
		{query: "a.x", from: topics("a.x")},
		{query: "a.x?history=none", from: topics("a.x")},
		{query: "a.x?history=0", from: topics("a.x")},
		{query: "a.x?history=all", from: topics("a.x"), history: "all"},
		{query: "a.x?history=2", from: topics("a.x"), history: "2"},
		{query: "a.x?history=1000", from: topics("a.x"), history: "all"},
		{query: "a.x?history=last", from: topics("a.x"), history: "last"},
		{query: "?topic=a.x&topic=a.y&history=all", from: topics("a.x", "a.y"), history: "all"},
		{query: "a.x?topic=a.y&topic=a.x&history=3", from: topics("a.x", "a.y"), history: "3"},
		{query: "a.*?history=all", from: topics("a.x", "a.y"), history: "all"},
		{query: "a.%3E?history=last", from: topics("a.x", "a.y"), history: "last"},
		{query: "%3E?history=all", from: topics("a.x", "a.y", "b"), history: "all"},
		{query: "a.x?topic=a.*&history=all", from: topics("a.x", "a.y"), history: "all"},
		{query: "a.x?history=all&event=up", from: func(p *published) bool { return p.topic == "a.x" && p.event == "up" }, history: "all"},
		{query: "a.x?history=all&event=", from: func(p *published) bool { return p.topic == "a.x" && p.event == "" }, history: "all"},
		{query: "a.x?history=all&event=&event=up", from: topics("a.x"), history: "all"},
		{query: "a.x?since=EPOCH-2", from: topics("a.x"), history: "all", behind: 2, first: "resumed"},
		{query: "a.*?since=EPOCH-0", from: topics("a.x", "a.y"), history: "all", first: "resumed"},
		{query: "a.*?since=EPOCH-3&history=all", from: topics("a.x", "a.y"), history: "all", behind: 3, first: "resumed"},
		{query: "a.x?since=nonsense", from: topics("a.x"), first: "reset", reason: "unknown"},
		{query: "a.x?since=zzzzzzzz-1", from: topics("a.x"), first: "reset", reason: "epoch"},
		{query: "a.x?since=EPOCH-4000000000", from: topics("a.x"), first: "reset", reason: "future"},
		{query: "a.x?since=zzzzzzzz-1&history=all", from: topics("a.x"), history: "all", first: "reset", reason: "epoch"},
	}
	for mount := range topicMounts {
		for _, over := range topicTransports {
			t.Run(mount+" "+over, func(t *testing.T) {
				t.Parallel()
				l := newLibrary(t, mount)
				for _, row := range rows {
					query := strings.ReplaceAll(row.query, "EPOCH", l.epoch)
					f := followTopic(t, over, l.url+query)
					if first := f.control(cmp.Or(row.first, "open")); first.Reason != row.reason || first.ID == "" {
						t.Fatalf("%s: %s", query, first.raw)
					}
					for _, want := range wanted(l.kept[row.behind:], row.from, row.history) {
						if got := f.next(); got.ID != want.id || string(got.Data) != want.data || got.Event != want.event {
							t.Fatalf("%s: %s, want %+v", query, got.raw, want)
						}
					}
					live := published{topic: "a.x", data: strconv.Itoa(len(l.kept))}
					if !row.from(&live) {
						live.event = "up"
					}
					l.add(t, live, leat.JSON(len(l.kept)))
					if got := f.next(); got.ID != l.kept[len(l.kept)-1].id {
						t.Fatalf("%s: %s, want what is published now", query, got.raw)
					}
					f.leave()
				}
			})
		}
	}
}

// wanted are the messages of a history.
func wanted(kept []published, from func(*published) bool, history string) (list []published) {
	latest := map[[2]string]int{}
	for i, p := range kept {
		latest[[2]string{p.topic, p.key}] = i
	}
	for i, p := range kept {
		if from(&p) && history != "" && (history != "last" || latest[[2]string{p.topic, p.key}] == i) {
			list = append(list, p)
		}
	}
	if n, err := strconv.Atoi(history); err == nil {
		list = list[max(0, len(list)-n):]
	}
	return list
}

func TestEveryAnswerSaysWhereItBegins(t *testing.T) {
	for mount := range topicMounts {
		l := newLibrary(t, mount)
		for _, over := range topicTransports {
			for _, query := range []string{
				"a.x", "a.x?history=all", "a.x?history=last", "a.*?history=2", "a.x?event=none&history=all",
				"a.x?since=" + l.epoch + "-2", "a.x?since=" + l.epoch + "-7", "a.x?since=other-2", "none",
			} {
				f := followTopic(t, over, l.url+query)
				if got, first := f.resp.Header.Get("Leat-Position"), f.next(); got != first.ID || got == "" {
					t.Errorf("%s, %s of %s: Leat-Position is %q, and the first record %s", mount, over, query, got, first.raw)
				}
				if vary := f.resp.Header.Values("Vary"); !slices.Contains(vary, "Accept") {
					t.Errorf("%s, %s: Vary: %q", mount, over, vary)
				}
				f.leave()
			}
		}
	}
}

func TestLastEventIDGoesBeforeSince(t *testing.T) {
	l := newLibrary(t, "route")
	for _, over := range topicTransports {
		f := followTopic(t, over, l.url+"a.x?since="+l.epoch+"-1", "Last-Event-ID: "+l.epoch+"-4")
		if c := f.control("resumed"); c.ID != l.epoch+"-4" {
			t.Errorf("%s: %s", over, c.raw)
		}
		f.message("5")
		f.leave()
	}
}

func TestTheFirstRecordNamesTheTerms(t *testing.T) {
	_, url := openTopics(t, leat.Config{Topics: []leat.TopicRule{
		{Match: "fast", MaxRate: 5, Heartbeat: 3 * time.Second}, {Match: "still", Heartbeat: leat.Never}, {Match: ">"},
	}, Timeouts: leat.Timeouts{Heartbeat: 40 * time.Second}})
	for _, over := range topicTransports {
		for query, want := range map[string]feedRecord{
			"a":                               {Topics: []string{"a"}, Heartbeat: 40},
			"a?topic=b.*&history=last":        {Topics: []string{"a", "b.*"}, Heartbeat: 40, History: "last"},
			"a?event=x&event=&maxRate=2.5":    {Topics: []string{"a"}, Heartbeat: 40, Events: []string{"x", ""}, MaxRate: 2.5},
			"fast":                            {Topics: []string{"fast"}, Heartbeat: 3, MaxRate: 5},
			"fast?maxRate=1":                  {Topics: []string{"fast"}, Heartbeat: 3, MaxRate: 1},
			"fast?maxRate=9":                  {Topics: []string{"fast"}, Heartbeat: 3, MaxRate: 5},
			"still":                           {Topics: []string{"still"}},
			"still?topic=fast&since=nonsense": {Control: "reset", Topics: []string{"still", "fast"}, Heartbeat: 3, MaxRate: 5},
		} {
			f := followTopic(t, over, url+query)
			got := f.control(cmp.Or(want.Control, "open"))
			if !slices.Equal(got.Topics, want.Topics) || got.Heartbeat != want.Heartbeat || got.History != want.History ||
				!slices.Equal(got.Events, want.Events) || got.MaxRate != want.MaxRate {
				t.Errorf("%s of %s: %s", over, query, got.raw)
			}
			f.leave()
		}
	}
}

func TestWhatIsNotUnderstoodIs400AndSaysWhy(t *testing.T) {
	_, url := openTopics(t, leat.Config{Limits: leat.Limits{TopicsPerReader: 3, Patterns: 2}})
	for query, want := range map[string]string{
		"":                                      "?topic=NAME",
		"a..b":                                  "a..b",
		"a%20b":                                 "a b",
		"%3E.a":                                 ">",
		strings.Repeat("a", 257):                "256",
		"a?topic=b&topic=c&topic=d":             "limits.topicsPerReader",
		"a.*?topic=b.*&topic=%3E":               "limits.patterns",
		"a?history=some":                        "history=some",
		"a?history=-1":                          "history=-1",
		"a?maxRate=0":                           "maxRate=0",
		"a?maxRate=NaN":                         "maxRate=NaN",
		"a?maxRate=fast":                        "maxRate=fast",
		"a?maxRate=2000":                        "from 0.001 to 1000",
		"a?maxRate=1e-9":                        "from 0.001 to 1000",
		"a?wait=long":                           "wait=long",
		"a?wait=-1s":                            "wait=-1s",
		"a?wait=":                               "wait=",
		"a?topic=%zz":                           "query",
		"a/b":                                   "",
		"a?since=x&history=9999999999999999999": "history=",
	} {
		code, _, text := status(t, http.MethodGet, url+query)
		if want == "" && code == http.StatusNotFound {
			continue
		}
		if code != http.StatusBadRequest || !strings.Contains(text, want) {
			t.Errorf("%s: %d %q, want 400 with %q", query, code, text, want)
		}
	}
}

func TestAcceptDecidesByItsWeights(t *testing.T) {
	for mount := range topicMounts {
		srv, url := topicMounts[mount](t, &leat.Config{})
		for accept, want := range map[string]string{
			"-": "application/x-ndjson", "": "application/x-ndjson", "*/*": "application/x-ndjson", "application/*": "application/x-ndjson",
			"application/x-ndjson": "application/x-ndjson", "Application/NDJSON": "application/x-ndjson",
			"text/event-stream": "text/event-stream", "text/*": "text/event-stream", "text/event-stream;charset=utf-8": "text/event-stream",
			"application/json": "application/json", "application/json, text/event-stream;q=0.9": "application/json",
			"application/json;q=0.5, text/event-stream;q=0.6": "text/event-stream",
			"*/*;q=0.1, text/event-stream":                    "text/event-stream",
			"application/x-ndjson;q=0, */*":                   "text/event-stream",
			"application/*;q=0, text/*;q=0.001":               "text/event-stream",
			"application/json, text/plain, */*":               "application/json",
			"text/event-stream, */*":                          "text/event-stream",
			"text/html,application/xml;q=0.9,*/*;q=0.8":       "application/x-ndjson",
			"text/html": "", "application/x-ndjson;q=0": "", "*/*;q=0": "", "image/*, text/html;q=0.3": "",
		} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				ctx, leave := context.WithCancel(t.Context())
				req, err := http.NewRequestWithContext(ctx, method, url+"a", nil)
				if err != nil {
					t.Fatal(err)
				}
				if accept != "-" {
					req.Header["Accept"] = []string{accept}
				}
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				code := http.StatusOK
				if want == "" {
					code = http.StatusNotAcceptable
				}
				if got := resp.Header.Get("Content-Type"); resp.StatusCode != code || want != "" && got != want || resp.Header.Get("Vary") != "Accept" {
					t.Errorf("%s, %s with Accept: %s: %d %s, Vary: %s", mount, method, accept, resp.StatusCode, got, resp.Header.Get("Vary"))
				}
				if method == http.MethodHead {
					if resp.Header.Get("Leat-Position") == "" && want != "" {
						t.Errorf("%s, HEAD with Accept: %s: no Leat-Position", mount, accept)
					}
					if text, err := io.ReadAll(resp.Body); len(text) > 0 || err != nil {
						t.Errorf("HEAD has %q, %v", text, err)
					}
				}
				leave()
				_ = resp.Body.Close()
			}
		}
		eventually(t, "all have left", func() bool { return srv.Stats().Streams == 0 && len(srv.Topic("a").Stats().Subscribers) == 0 })
	}
}
