package leat_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// array reads a JSON array of records.
func array(t *testing.T, text string) (list []feedRecord) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return list
}

// lines reads NDJSON as array does.
func lines(t *testing.T, text string) []feedRecord {
	t.Helper()
	return array(t, "["+strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", ",")+"]")
}

// data are the data of records, and the names of controls.
func data(list []feedRecord) string {
	var words []string
	for _, r := range list {
		if words = append(words, string(r.Data)); r.Control != "" {
			words[len(words)-1] = r.Control
		}
	}
	return strings.Join(words, " ")
}

func TestAnArrayIsWhatIsKept(t *testing.T) {
	for mount := range topicMounts {
		l := newLibrary(t, mount)
		for query, want := range map[string]string{
			"a.x": "0 1 3 5", "a.x?history=all": "0 1 3 5", "a.x?history=none": "", "a.x?history=2": "3 5", "a.x?history=last": "1 3 5",
			"a.*": "0 1 2 3 5 6", "%3E?event=up": "0 3 6", "a.y?topic=b": "2 4 6", "a.x?bare": "0 1 3 5", "silent": "",
			"a.x?since=" + l.epoch + "-4": "resumed 5", "a.x?since=" + l.epoch + "-7": "resumed",
			"a.x?since=other-4": "reset 0 1 3 5", "a.x?since=other-4&history=1": "reset 5", "a.x?since=other-4&history=none": "reset",
			"a.x?bare&since=" + l.epoch + "-4": "5",
		} {
			code, header, text := ask(t, http.MethodGet, l.url+query, "", "Accept", "application/json")
			if code != http.StatusOK || header.Get("Content-Type") != "application/json" {
				t.Fatalf("%s, %s: %d %v %s", mount, query, code, header, text)
			}
			got := strings.NewReplacer("[", "", "]", "", ",\n", " ", "\n", "").Replace(text)
			if !strings.Contains(query, "bare") {
				got = data(array(t, text))
			}
			if got != want {
				t.Errorf("%s, %s: %s, want %s", mount, query, text, want)
			}
			if at := header.Get("Leat-Position"); at != l.epoch+"-7" {
				t.Errorf("%s, %s: Leat-Position %q", mount, query, at)
			}
		}
	}
}

func TestTheTagOfAnArrayIsThatOfItsContent(t *testing.T) {
	l := newLibrary(t, "route")
	get := func(query string, header ...string) (int, string, string) {
		t.Helper()
		code, h, text := ask(t, http.MethodGet, l.url+query, "", append([]string{"Accept", "application/json"}, header...)...)
		if h.Get("Vary") != "Accept" || h.Get("Leat-Position") == "" {
			t.Errorf("%s: %v", query, h)
		}
		return code, h.Get("ETag"), text
	}
	tags := map[string]string{}
	queries := []string{"a.x", "a.x?history=1", "a.x?history=last", "a.x?bare", "a.*", "a.x?event=up", "a.x?since=" + l.epoch + "-2", "a.x?since=other-2"}
	for _, query := range queries {
		_, tag, _ := get(query)
		if _, again, _ := get(query); tag != again || !strings.HasPrefix(tag, `"`) {
			t.Errorf("%s: %s, then %s", query, tag, again)
		}
		if other, taken := tags[tag]; taken {
			t.Errorf("%s and %s have the tag %s", query, other, tag)
		}
		tags[tag] = query
		for _, match := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
			if code, same, text := get(query, "If-None-Match", match); code != http.StatusNotModified || same != tag || text != "" {
				t.Errorf("%s with If-None-Match: %s: %d %s %q", query, match, code, same, text)
			}
		}
		if code, _, _ := get(query, "If-None-Match", `"x"`); code != http.StatusOK {
			t.Errorf("%s with another tag: %d", query, code)
		}
		code, h, text := ask(t, http.MethodHead, l.url+query, "", "Accept", "application/json")
		if code != http.StatusOK || h.Get("ETag") != tag || text != "" || h.Get("Content-Type") != "application/json" {
			t.Errorf("HEAD of %s: %d %v", query, code, h)
		}
	}
	publishTo(t, l.srv, "other", leat.JSON(1))
	for tag, query := range tags {
		if code, same, _ := get(query, "If-None-Match", tag); code != http.StatusNotModified {
			t.Errorf("%s has changed by another topic: %d %s", query, code, same)
		}
	}
	publishTo(t, l.srv, "a.x", leat.Message{Type: leat.JSONMessage, Data: []byte("7"), Event: "up", Last: true})
	for tag, query := range tags {
		if code, other, _ := get(query, "If-None-Match", tag); code != http.StatusOK || other == tag {
			t.Errorf("%s has not changed: %d", query, code)
		}
	}
	if _, one, _ := get("a.x", "Last-Event-ID", l.epoch+"-1"); tags[one] != "" {
		t.Error("Last-Event-ID changes nothing")
	}
}

func TestALongPollIsAnsweredAtOnceLaterOrAtItsEnd(t *testing.T) {
	for mount := range topicMounts {
		l := newLibrary(t, mount)
		began := time.Now()
		for query, want := range map[string]string{
			"a.x?wait=30s&since=" + l.epoch + "-4": "resumed 5 position", "a.x?wait=30&history=all": "open 0 1 3 5 position",
			"a.x?wait=1m&history=last": "open 1 3 5 position", "a.x?wait=0": "open position", "a.x?wait=0s&since=x": "reset position",
			"a.x?wait=30s&since=x": "reset position", "a.x?wait=30s&history=1&since=other-4": "reset 5 position",
			"a.x?wait=0.05": "open position", "a.x?wait=50ms&since=" + l.epoch + "-7": "resumed position",
			"a.x?bare&wait=30s&since=" + l.epoch + "-4": "5",
		} {
			for accept, read := range map[string]func(*testing.T, string) []feedRecord{"application/json": array, "*/*": lines} {
				code, h, text := ask(t, http.MethodGet, l.url+query, "", "Accept", accept)
				if strings.Contains(query, "bare") {
					if strings.Trim(text, "[]\n") != want {
						t.Errorf("%s: %q", query, text)
					}
					continue
				}
				list := read(t, text)
				if got := data(list); code != http.StatusOK || got != want {
					t.Errorf("%s, %s by %s: %d %s, want %s", mount, query, accept, code, text, want)
				}
				if at := list[len(list)-1].ID; at != h.Get("Leat-Position") || at != l.epoch+"-7" || h.Get("Vary") != "Accept" || h.Get("Cache-Control") != "no-store" {
					t.Errorf("%s, %s by %s: %q, %v", mount, query, accept, at, h)
				}
			}
			if code, h, _ := ask(t, http.MethodHead, l.url+query, ""); code != http.StatusOK || h.Get("Leat-Position") != l.epoch+"-7" {
				t.Errorf("HEAD of %s: %d %v", query, code, h)
			}
		}
		if took := time.Since(began); took > promptly {
			t.Errorf("%s: it has taken %v", mount, took)
		}
	}
}

func TestLongPollsOneAfterAnotherMissNothing(t *testing.T) {
	srv, url := openTopics(t, leat.Config{})
	at := publishTo(t, srv, "n", leat.JSON(-1)).ID
	go func() {
		for i := range 200 {
			_, _ = srv.Topic("n").Publish(context.Background(), leat.JSON(i))
			_, _ = srv.Topic("other").Publish(context.Background(), leat.JSON(i))
		}
	}()
	for next := 0; next < 200; {
		_, h, text := ask(t, http.MethodGet, url+"n?wait=20s&since="+at, "")
		list := lines(t, text)
		if list[0].Control != "resumed" || list[len(list)-1].Control != "position" {
			t.Fatal(text)
		}
		for _, r := range list[1 : len(list)-1] {
			var n int
			if err := json.Unmarshal(r.Data, &n); err != nil || n != next {
				t.Fatalf("%d, want %d", n, next)
			}
			next++
		}
		at = h.Get("Leat-Position")
	}
}

// waiting waits until so many long polls wait for a topic.
func waiting(t *testing.T, srv *leat.Server, name string, n int) {
	t.Helper()
	eventually(t, "the readers are there", func() bool {
		all := 0
		for _, some := range srv.Topic(name).Stats().Subscribers {
			all += some
		}
		return all == n
	})
}

func TestALongPollHoldsNoShutdownUpAndLeavesNothing(t *testing.T) {
	for _, mount := range []string{"route", "net/http"} {
		srv, url := topicMounts[mount](t, &leat.Config{Limits: leat.Limits{StreamsPerAddress: 3}})
		gone := reach(t, url[:len(url)-len("/live/")], "GET /live/n?wait=100s HTTP/1.1\r\nHost: localhost\r\n\r\n")
		waiting(t, srv, "n", 1)
		gone.reset()
		waiting(t, srv, "n", 0)
		answers := make(chan string, 3)
		for _, accept := range []string{"application/json", "application/x-ndjson", "*/*"} {
			go func() {
				_, _, text := ask(t, http.MethodGet, url+"n?wait=100s", "", "Accept", accept)
				answers <- text
			}()
		}
		waiting(t, srv, "n", 3)
		if code, h, text := ask(t, http.MethodGet, url+"n?wait=100s", ""); code != http.StatusTooManyRequests || !strings.Contains(text, "limits.streamsPerAddress") || h.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", mount, code, text)
		}
		if code, _, text := ask(t, http.MethodGet, url+"n?wait=0", "", "Accept", "application/json"); code != http.StatusOK {
			t.Errorf("%s: who does not wait: %d %s", mount, code, text)
		}
		began := time.Now()
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if text := receive(t, "an answer", answers); !strings.Contains(text, `"position"`) {
				t.Errorf("%s: %q", mount, text)
			}
		}
		if took := time.Since(began); took > promptly {
			t.Errorf("%s: the shutdown has taken %v", mount, took)
		}
	}
}

func TestALongPollIsAnsweredBeforeTheRequestIsTooOld(t *testing.T) {
	_, url := openTopics(t, leat.Config{Timeouts: leat.Timeouts{Request: 400 * time.Millisecond}})
	if code, _, text := ask(t, http.MethodGet, url+"n?wait=30s", ""); code != http.StatusOK || data(lines(t, text)) != "open position" {
		t.Errorf("%d %s", code, text)
	}
}
