package leat_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// ticket makes one with a token.
func ticket(t *testing.T, url, token string) string {
	t.Helper()
	code, h, text := postTo(t, url, "", "Authorization", "Bearer "+token)
	var made struct {
		Ticket  string
		Expires time.Time
	}
	if err := json.Unmarshal([]byte(text), &made); err != nil || code != http.StatusOK || made.Ticket == "" || h.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s, %v", code, text, err)
	}
	if left := time.Until(made.Expires); left < 50*time.Second || left > time.Minute {
		t.Errorf("it is good for %v", left)
	}
	return made.Ticket
}

func TestATicketIsGoodOnceAndItsCookieFromThenOn(t *testing.T) {
	good := topicToken(time.Hour, "room.*", "")
	for mount := range topicMounts {
		_, base := guarded(t, mount, leat.Config{})
		for _, row := range []struct{ make, use, cookie string }{
			{"room.kitchen/ticket", "room.kitchen?ticket=", "room.kitchen"},
			{"ticket?topic=room.hall&topic=room.kitchen", "?topic=room.hall&topic=room.kitchen&ticket=", ""},
			{"room.*/ticket", "room.*?history=1&ticket=", "room.*"},
		} {
			for _, over := range topicTransports {
				name := ticket(t, base+row.make, good)
				f := followTopic(t, over, base+row.use+name)
				f.control("open")
				f.leave()
				cookies := f.resp.Cookies()
				if len(cookies) != 1 {
					t.Fatalf("%s, %s: %v", mount, over, f.resp.Header)
				}
				c := cookies[0]
				if c.Name != "leat-token" || c.Value != good || c.Path != mountedAt(base)+row.cookie || !c.HttpOnly || c.Secure ||
					c.SameSite != http.SameSiteStrictMode || c.MaxAge < 3500 || c.MaxAge > 3600 || c.Domain != "" {
					t.Errorf("%s, %s: %s", mount, over, c)
				}
				if f := beginFeed(t, "sse HTTP/1.1", base+row.use+name); f.resp.StatusCode != http.StatusUnauthorized || !strings.Contains(body(t, f.resp), "ticket") {
					t.Errorf("%s: a second time: %s", over, f.resp.Status)
				}
				again := followTopic(t, over, base+row.use+name, "Cookie: leat-token="+c.Value)
				again.control("open")
				again.leave()
			}
		}
		name := ticket(t, base+"room.kitchen/ticket", good)
		if f := beginFeed(t, "sse HTTP/1.1", base+"room.hall?ticket="+name); f.resp.StatusCode != http.StatusUnauthorized || len(f.resp.Cookies()) > 0 {
			t.Errorf("another path: %s %v", f.resp.Status, f.resp.Cookies())
		}
		if f := beginFeed(t, "sse HTTP/1.1", base+"room.kitchen?ticket="+name); f.resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("it has been used for another path: %s", f.resp.Status)
		}
		for path, want := range map[string]int{"room.kitchen/ticket": 401, "open.a/ticket": 401, "closed.a/ticket": 403, "ticket": 401, "room.kitchen/ticket/x": 404} {
			if code, _, text := postTo(t, base+path, ""); code != want {
				t.Errorf("%s without a token: %d %s", path, code, text)
			}
		}
		if code, _, text := postTo(t, base+"machine/ticket", "", "Authorization", "Bearer "+good); code != http.StatusForbidden {
			t.Errorf("too narrow: %d %s", code, text)
		}
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			if code, h, text := ask(t, method, base+"room.kitchen/ticket?wait=0", "", "Authorization", "Bearer "+good); code != http.StatusMethodNotAllowed || !strings.Contains(h.Get("Allow"), "POST") {
				t.Errorf("%s of where tickets are made: %d %s", method, code, text)
			}
		}
	}
}

func TestATicketIsMadeByPOSTAloneHoweverItsTopicIsMounted(t *testing.T) {
	good := topicToken(time.Hour, "room.*", "")
	c := &leat.Config{
		Tokens: leat.Tokens{Keys: []leat.TokenKey{{Algorithm: "HS256", File: secretFile(t)}}},
		Topics: []leat.TopicRule{{Subscribe: "token", Publish: "public"}},
	}
	srv, own := start(t, c, func(srv *leat.Server) {
		srv.Handle("/kitchen/", srv.Topic("room.kitchen"))
		srv.Handle("/live/", srv.Topics("/live/"))
	})
	mux := http.NewServeMux()
	mux.Handle("/kitchen/", srv.Topic("room.kitchen"))
	mux.Handle("/live/", srv.Topics("/live/"))
	other := httptest.NewServer(mux)
	defer other.Close()
	for _, base := range []string{own, other.URL} {
		for _, path := range []string{"/kitchen/ticket", "/live/room.kitchen/ticket"} {
			for method, want := range map[string]int{
				http.MethodGet: 405, http.MethodHead: 405, http.MethodPut: 405, http.MethodDelete: 405, http.MethodPatch: 405, http.MethodOptions: 204,
			} {
				code, h, text := ask(t, method, base+path+"?wait=0", "", "Authorization", "Bearer "+good)
				if code != want || h.Get("Allow") != "OPTIONS, POST" || h.Get("Vary") != "Accept" {
					t.Errorf("%s of %s: %d %q, Allow: %q, Vary: %q", method, path, code, text, h.Get("Allow"), h.Get("Vary"))
				}
			}
			ticket(t, base+path, good)
		}
	}
	if n := srv.Topic(">").Stats().Published; n != 0 {
		t.Errorf("%d are published", n)
	}
}

func TestTheCookieOfATicketIsForThePathThatTheBrowserKnows(t *testing.T) {
	good := topicToken(time.Hour, "room.*", "")
	_, base := guarded(t, "trimmed", leat.Config{})
	name := ticket(t, base+"room.kitchen/ticket", good)
	f := followTopic(t, "sse HTTP/1.1", base+"room.kitchen?ticket="+name)
	if c := f.resp.Cookies(); len(c) != 1 || c[0].Path != "/app/live/room.kitchen" {
		t.Errorf("%v", f.resp.Header)
	}
	f.leave()
}

func TestWhoReadsAPatternSeesWhatItMaySee(t *testing.T) {
	for mount := range topicMounts {
		srv, base := guarded(t, mount, leat.Config{Limits: leat.Limits{Topics: leat.Unlimited}})
		publishAll := func(suffix string) {
			for _, name := range []string{"closed.", "room.", "open.", "machine."} {
				publishTo(t, srv, name+suffix, leat.Text(name+suffix))
			}
		}
		publishAll("before")
		for _, over := range topicTransports {
			anonymous := followTopic(t, over, base+"%3E?history=all")
			all := followTopic(t, over, base+"%3E?history=all", "Authorization: Bearer "+topicToken(time.Hour, ">", ""))
			anonymous.control("open")
			all.control("open")
			later := strings.NewReplacer(" ", "", "/", "", ".", "").Replace(over)
			publishAll(later)
			for _, f := range []*topicFeed{anonymous, all} {
				for {
					r, err := f.take()
					if err != nil {
						t.Fatalf("%s, %s: anonymous %v: %v", mount, over, f == anonymous, err)
					}
					text := strings.Trim(string(r.Data), `"`)
					name, when, _ := strings.Cut(text, ".")
					if name != "open" && (f == anonymous || name == "closed") {
						t.Errorf("%s: it sees %s", over, r.raw)
					}
					if (name == "machine" || f == anonymous) && when == later {
						break
					}
				}
				f.leave()
			}
		}
		_, _, text := ask(t, http.MethodGet, base+"%3E", "", "Accept", "application/json")
		for _, r := range array(t, text) {
			if !strings.HasPrefix(r.Topic, "open.") {
				t.Errorf("an array shows %s", r.Topic)
			}
		}
		mine := len(array(t, text))
		for query, want := range map[string]int{"%3E?stats": mine, "*.before?stats": 1, "open.before?stats": 1, "closed.%3E?stats": -1, "room.before?stats": -1} {
			var stats leat.TopicStats
			code, _, text := ask(t, http.MethodGet, base+query, "")
			if want < 0 {
				if code != http.StatusUnauthorized && code != http.StatusForbidden {
					t.Errorf("the numbers of %s: %d %s", query, code, text)
				}
				continue
			}
			if err := json.Unmarshal([]byte(text), &stats); err != nil || code != http.StatusOK || stats.Published != int64(want) {
				t.Errorf("the numbers of %s: %d %s, want %d published", query, code, text, want)
			}
		}
	}
}

// mountedAt is the path of a URL.
func mountedAt(url string) string {
	return url[strings.Index(url[len("http://"):], "/")+len("http://"):]
}
