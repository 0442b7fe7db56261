package leat_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/leat-dev/leat"
)

func TestAPageOfAnotherOriginMayWhatTheOriginsSay(t *testing.T) {
	for mount := range topicMounts {
		_, base := topicMounts[mount](t, &leat.Config{
			Topics:     []leat.TopicRule{{Publish: "public"}},
			WebSockets: leat.WebSockets{Origins: []string{"https://*.example.com", "null"}},
		})
		own := strings.TrimSuffix(base[:strings.Index(base, "/live/")], "/app")
		for _, row := range []struct {
			origin, site string
			may, cors    bool
		}{
			{origin: "", may: true},
			{origin: own, site: "same-origin", may: true},
			{origin: own, may: true},
			{origin: "https://a.example.com", site: "cross-site", may: true, cors: true},
			{origin: "https://a.example.com", may: true, cors: true},
			{origin: "null", site: "cross-site", may: true, cors: true},
			{origin: "https://example.com", site: "cross-site"},
			{origin: "http://a.example.com", site: "cross-site"},
			{origin: "https://a.example.com.evil.org", site: "cross-site"},
			{origin: "https://evil.org"},
			{origin: "", site: "cross-site"},
			{origin: "", site: "same-site"},
			{origin: "", site: "none", may: true},
		} {
			var header []string
			if row.origin != "" {
				header = append(header, "Origin", row.origin)
			}
			if row.site != "" {
				header = append(header, "Sec-Fetch-Site", row.site)
			}
			check := func(what string, h http.Header) {
				t.Helper()
				allowed := ""
				if row.cors {
					allowed = row.origin
				}
				if h.Get("Access-Control-Allow-Origin") != allowed || (h.Get("Access-Control-Allow-Credentials") == "true") != row.cors {
					t.Errorf("%s, %s by %q: %v", mount, what, row.origin, h)
				}
				if exposed := h.Get("Access-Control-Expose-Headers"); row.cors && what != "a preflight" && !strings.Contains(exposed, "Leat-Position") {
					t.Errorf("%s, %s by %q: exposed is %q", mount, what, row.origin, exposed)
				}
				if vary := strings.Join(h.Values("Vary"), ","); row.origin != "" && (row.may || what == "reading") && !strings.Contains(vary, "Origin") {
					t.Errorf("%s, %s by %q: Vary: %s", mount, what, row.origin, vary)
				}
			}
			code, h, text := postTo(t, base+"a", "1", append(header, "Content-Type", "text/plain")...)
			if (code == http.StatusOK) != row.may || !row.may && code != http.StatusForbidden {
				t.Errorf("%s, publishing by %q, %q: %d %s", mount, row.origin, row.site, code, text)
			}
			check("publishing", h)
			code, _, text = postTo(t, base+"a/ticket", "", header...)
			if (code == http.StatusForbidden) == row.may {
				t.Errorf("%s, a ticket by %q, %q: %d %s", mount, row.origin, row.site, code, text)
			}
			code, h, _ = ask(t, http.MethodGet, base+"a", "", append(header, "Accept", "application/json")...)
			if code != http.StatusOK {
				t.Errorf("%s, reading by %q: %d", mount, row.origin, code)
			}
			check("reading", h)
			code, h, _ = ask(t, http.MethodGet, base+"a?history=some", "", header...)
			if code != http.StatusBadRequest {
				t.Errorf("%s: %d", mount, code)
			}
			check("a refusal", h)
			code, h, _ = ask(t, http.MethodOptions, base+"a", "", append(header, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,idempotency-key")...)
			if code != http.StatusNoContent {
				t.Errorf("%s, a preflight by %q: %d", mount, row.origin, code)
			}
			check("a preflight", h)
			if methods := h.Get("Access-Control-Allow-Methods"); (methods != "") != row.cors || row.cors && !strings.Contains(methods, "POST") {
				t.Errorf("%s, a preflight by %q: %v", mount, row.origin, h)
			}
			if row.cors {
				for _, name := range []string{"Authorization", "Content-Type", "Last-Event-ID", "Leat-Event", "Leat-Key", "Idempotency-Key", "If-None-Match"} {
					if !strings.Contains(h.Get("Access-Control-Allow-Headers"), name) {
						t.Errorf("%s is not among the headers", name)
					}
				}
			}
			if row.origin == "" {
				continue
			}
			f := beginFeed(t, "ws", base+"a", "Origin: "+row.origin)
			if (f.resp.StatusCode == http.StatusSwitchingProtocols) != row.may {
				t.Errorf("%s, a WebSocket by %q: %s", mount, row.origin, f.resp.Status)
			}
			f.leave()
		}
	}
}

// What is no topic is guarded as before, whatever the origins are.
func TestTheOriginsOfTopicsAreForTopicsAlone(t *testing.T) {
	c := &leat.Config{
		WebSockets: leat.WebSockets{Origins: []string{"*"}}, Topics: []leat.TopicRule{{Publish: "public"}},
		Routes: []leat.Route{
			{Match: "/live/", Handler: "topic"},
			{Match: "/readonly/", Handler: "topic", Methods: []string{"GET"}},
			{Match: "/strict/", Handler: "topic", WebSockets: leat.WebSockets{Origins: []string{}}},
			{Match: "/do/", Handler: "action"},
			{Match: "/named", Handler: "action", Action: "named"},
		},
	}
	srv, url := start(t, c, func(srv *leat.Server) {
		srv.Action("/do/it", say("done"))
		srv.Action("named", say("done"))
		srv.Handle("/do/topic", srv.Topic("a"))
	})
	for path, want := range map[string]int{
		"/live/a": 200, "/do/topic": 200, "/readonly/a": 405, "/strict/a": 403,
		"/do/it": 403, "/named": 403, "/other": 403,
	} {
		if code, _, text := postTo(t, url+path, "1", "Origin", "https://a.example.com", "Sec-Fetch-Site", "cross-site"); code != want {
			t.Errorf("%s: %d %s, want %d", path, code, text, want)
		}
	}
	if n := srv.Topic("a").Stats().Published; n != 2 {
		t.Errorf("%d are published", n)
	}
	ts := httptest.NewServer(srv)
	defer ts.Close()
	if code, _, text := postTo(t, ts.URL+"/live/a", "1", "Origin", "https://a.example.com"); code != http.StatusOK {
		t.Errorf("mounted: %d %s", code, text)
	}
}

func TestOptionsNamesTheMethods(t *testing.T) {
	for mount := range topicMounts {
		_, base := topicMounts[mount](t, &leat.Config{})
		for method, want := range map[string]int{http.MethodOptions: 204, http.MethodPut: 405, http.MethodDelete: 405, http.MethodPatch: 405} {
			code, h, _ := ask(t, method, base+"a", "")
			allow := strings.Split(h.Get("Allow"), ", ")
			slices.Sort(allow)
			if code != want || !slices.Equal(allow, []string{"GET", "HEAD", "OPTIONS", "POST"}) {
				t.Errorf("%s, %s: %d, Allow: %s", mount, method, code, h.Get("Allow"))
			}
		}
	}
}
