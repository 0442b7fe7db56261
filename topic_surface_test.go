package leat_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// These tests know topics only from docs/protocol.md: over real sockets, by every
// transport, under each kind of server.

// topicMounts serve the topics of a configuration below /live/.
var topicMounts = map[string]func(t *testing.T, c *leat.Config) (*leat.Server, string){
	"route": func(t *testing.T, c *leat.Config) (*leat.Server, string) {
		t.Helper()
		c.Routes = append(c.Routes, leat.Route{Match: "/live/", Handler: "topic"})
		srv, url := start(t, c, nil)
		return srv, url + "/live/"
	},
	"handle": func(t *testing.T, c *leat.Config) (*leat.Server, string) {
		t.Helper()
		srv, url := start(t, c, func(srv *leat.Server) { srv.Handle("/live/", srv.Topics("/live/")) })
		return srv, url + "/live/"
	},
	"trimmed": func(t *testing.T, c *leat.Config) (*leat.Server, string) {
		t.Helper()
		c.Routes = append(c.Routes, leat.Route{Match: "/app/live/", Trim: "/app", Handler: "topic"})
		srv, url := start(t, c, nil)
		return srv, url + "/app/live/"
	},
	"net/http": func(t *testing.T, c *leat.Config) (*leat.Server, string) {
		t.Helper()
		if c.Logger == nil {
			c.Logger = slog.New(slog.DiscardHandler)
		}
		srv, err := leat.New(c)
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		mux.Handle("/live/", srv.Topics("/live/"))
		ts := httptest.NewUnstartedServer(mux)
		ts.Config.Protocols = new(http.Protocols)
		ts.Config.Protocols.SetHTTP1(true)
		ts.Config.Protocols.SetUnencryptedHTTP2(true)
		ts.Start()
		t.Cleanup(func() {
			if err := srv.Shutdown(context.Background()); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			ts.Close()
			if err := srv.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		return srv, ts.URL + "/live/"
	},
}

// openTopics serves topics that everybody may publish to, by a route.
func openTopics(t *testing.T, c leat.Config) (*leat.Server, string) {
	t.Helper()
	if c.Topics == nil {
		c.Topics = []leat.TopicRule{{Publish: "public"}}
	}
	return topicMounts["route"](t, &c)
}

// A feedRecord is one of a topic, or a control, over any transport.
type feedRecord struct {
	Control, ID, From, To, Reason string
	Topic, Event, Key, Encoding   string
	Count, Time                   int64
	Data                          json.RawMessage
	Topics, Events                []string
	Heartbeat, MaxRate, In        float64
	History                       string
	Missed, Counts                map[string]int64
	AtLeast                       bool
	Retry                         int64
	Status                        int
	Error                         string
	Ref                           json.RawMessage
	raw                           string // as it came
	field                         string // what SSE has as retry
}

// publishTo publishes from the program.
func publishTo(t testing.TB, srv *leat.Server, name string, m leat.Message) leat.Receipt {
	t.Helper()
	r, err := srv.Topic(name).Publish(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// postTo publishes by HTTP. The header is of names and values in turn.
func postTo(t testing.TB, url, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	return ask(t, http.MethodPost, url, body, header...)
}

func ask(t testing.TB, method, url, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

// promptly is a time that must not have passed when nothing has waited.
const promptly = 5 * time.Second
