package site_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/site"
)

// A logbook keeps the records of a log for those who wait for one.
type logbook struct {
	slog.Handler
	ends chan map[string]string // the attributes of each request's line
}

func newLogbook() *logbook {
	return &logbook{slog.DiscardHandler, make(chan map[string]string, 100)}
}

func (l *logbook) Enabled(context.Context, slog.Level) bool { return true }

func (l *logbook) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "request" {
		attrs := map[string]string{}
		r.Attrs(func(a slog.Attr) bool { attrs[a.Key] = a.Value.String(); return true })
		l.ends <- attrs
	}
	return nil
}

// A running is a server of the embedded site.
type running struct {
	url  string
	log  *logbook
	stop func() error // ends it in good order, and says how Run ended
}

// start serves the embedded site, with what edit makes of its configuration.
func start(t *testing.T, edit func(*leat.Config)) *running {
	t.Helper()
	config, err := leat.LoadFS(site.FS(), "web.json5")
	if err != nil {
		t.Fatal(err)
	}
	log := newLogbook()
	config.Listen = []string{"http://127.0.0.1:0"}
	config.Logger = slog.New(log)
	if edit != nil {
		edit(config)
	}
	srv, err := leat.New(config)
	if err != nil {
		t.Fatal(err)
	}
	site.Register(srv)
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()
	stop := sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return &running{srv.URLs()[0], log, stop}
}

// ask sends a GET whose answer a test may read for half a minute.
func ask(t *testing.T, url string, header ...string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// take reads the first n records of a stream of NDJSON.
func take[T any](t *testing.T, resp *http.Response, n int) []T {
	t.Helper()
	if ct := resp.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/x-ndjson") {
		t.Fatalf("Content-Type is %q", ct)
	}
	var all []T
	for raw, err := range leat.ReadRecords(resp.Body) {
		if err != nil {
			t.Fatal(err)
		}
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if all = append(all, v); len(all) == n {
			return all
		}
	}
	t.Fatalf("the stream ended after %d of %d records", len(all), n)
	return nil
}

// takeEvents reads the first n events of a stream of Server-Sent Events.
func takeEvents(t *testing.T, resp *http.Response, n int) []leat.Event {
	t.Helper()
	if ct := resp.Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/event-stream") {
		t.Fatalf("Content-Type is %q", ct)
	}
	var all []leat.Event
	for e, err := range leat.ReadEvents(resp.Body) {
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, e); len(all) == n {
			return all
		}
	}
	t.Fatalf("the stream ended after %d of %d events", len(all), n)
	return nil
}

func TestPageIsServedFromTheBinary(t *testing.T) {
	at := start(t, nil)
	for path, want := range map[string]string{
		"/":                         "text/html",
		"/echo.html":                "text/html",
		"/chat.html":                "text/html",
		"/topic.html":               "text/html",
		"/page.js":                  "text/javascript",
		"/echo.js":                  "text/javascript",
		"/chat.js":                  "text/javascript",
		"/chat-sse.js":              "text/javascript",
		"/topic.js":                 "text/javascript",
		"/transports.js":            "text/javascript",
		"/talk.css":                 "text/css",
		"/topic.css":                "text/css",
		"/leat.js":                  "text/javascript",
		"/subscribe.js":             "text/javascript",
		"/style.css":                "text/css",
		"/favicon.svg":              "image/svg+xml",
		"/vendor/uplot.js":          "text/javascript",
		"/vendor/uplot.css":         "text/css",
		"/vendor/uplot.LICENSE.txt": "text/plain",
	} {
		resp := ask(t, at.url+path)
		if got := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || !strings.HasPrefix(got, want) {
			t.Errorf("%s: status %d, type %q; want %s", path, resp.StatusCode, got, want)
		}
		if text := body(t, resp); strings.Contains(text, "<script>") || strings.Contains(text, "style=\"") {
			t.Errorf("%s has an inline script or style", path)
		}
	}
	for _, path := range []string{"/web.json5", "/files/index.html", "/nothing", "/api/nothing"} {
		if resp := ask(t, at.url+path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, resp.StatusCode)
		}
	}
}

func TestPolicyForbidsWhatIsElsewhereAndInline(t *testing.T) {
	at := start(t, nil)
	const want = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	for _, path := range []string{"/", "/leat.js", "/api/machine", "/nothing"} {
		if got := ask(t, at.url+path).Header.Get("Content-Security-Policy"); got != want {
			t.Errorf("%s: the policy is %q, want %q", path, got, want)
		}
	}
}

func TestPageIsAskedForAnewAndVendorsAreKept(t *testing.T) {
	at := start(t, nil)
	for path, want := range map[string]string{"/": "no-cache", "/page.js": "no-cache", "/vendor/uplot.js": "max-age=604800"} {
		resp := ask(t, at.url+path)
		if got := resp.Header.Get("Cache-Control"); !strings.Contains(got, want) {
			t.Errorf("%s: Cache-Control is %q, want %s", path, got, want)
		}
		if tag := resp.Header.Get("ETag"); tag == "" {
			t.Errorf("%s has no ETag", path)
		} else if again := ask(t, at.url+path, "If-None-Match", tag); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: asked with its ETag, the status is %d", path, again.StatusCode)
		}
	}
}

// A machine is what these tests read of a record of /api/machine.
type machine struct {
	Time   int64
	Host   string
	Uptime int64
	Over   float64
	CPU    *struct {
		Total float64
		Cores []float64
	}
	Memory *struct{ Total, Used, Available uint64 }
}

func (m machine) check(t *testing.T) {
	t.Helper()
	if off := time.Since(time.UnixMilli(m.Time)).Abs(); off > time.Minute {
		t.Errorf("the time is off by %v", off)
	}
	if m.Host == "" || m.Uptime <= 0 || m.Over <= 0 {
		t.Errorf("host %q, uptime %d, over %v", m.Host, m.Uptime, m.Over)
	}
	if m.CPU == nil || m.CPU.Total < 0 || m.CPU.Total > 100 || len(m.CPU.Cores) == 0 {
		t.Errorf("cpu is %+v", m.CPU)
	}
	if m.Memory == nil || m.Memory.Used == 0 || m.Memory.Used+m.Memory.Available != m.Memory.Total {
		t.Errorf("memory is %+v", m.Memory)
	}
}

func TestMachineStreamsItsFirstRecordAtOnce(t *testing.T) {
	at := start(t, nil)
	take[machine](t, ask(t, at.url+"/api/machine?every=1h"), 1)[0].check(t)
}

func TestMachineStreamsByNDJSONAndBySSE(t *testing.T) {
	at := start(t, nil)
	all := take[machine](t, ask(t, at.url+"/api/machine?every=20ms"), 5)
	for i, m := range all {
		m.check(t)
		if i > 0 && m.Time <= all[i-1].Time {
			t.Errorf("record %d is not newer than the one before", i+1)
		}
	}
	for _, e := range takeEvents(t, ask(t, at.url+"/api/machine?every=20ms", "Accept", "text/event-stream"), 5) {
		var m machine
		if err := json.Unmarshal([]byte(e.Text()), &m); err != nil {
			t.Fatal(err)
		}
		m.check(t)
	}
}

func TestIntervalsAreKept(t *testing.T) {
	at := start(t, nil)
	for _, path := range []string{"/api/machine", "/api/sensor", "/api/progress"} {
		began := time.Now()
		take[struct{}](t, ask(t, at.url+path+"?every=50ms"), 5)
		if took := time.Since(began); took < 190*time.Millisecond {
			t.Errorf("%s: 5 records took %v", path, took)
		}
	}
}

func TestWhatCannotBeIsRefusedInWords(t *testing.T) {
	at := start(t, nil)
	for path, want := range map[string]string{
		"/api/machine?every=19ms":    `every: "19ms" is not a duration from 20ms to 1h; write 100ms or 2s`,
		"/api/machine?every=100":     `every: "100" is not a duration from 20ms to 1h; write 100ms or 2s`,
		"/api/sensor?every=2h":       `every: "2h" is not a duration from 20ms to 1h; write 100ms or 2s`,
		"/api/quotes?every=":         `every: "" is not a duration from 20ms to 1h; write 100ms or 2s`,
		"/api/progress?every=x":      `every: "x" is not a duration from 20ms to 1h; write 100ms or 2s`,
		"/api/progress?steps=0":      `steps: "0" is not a whole number from 1 to 10000`,
		"/api/progress?steps=10001":  `steps: "10001" is not a whole number from 1 to 10000`,
		"/api/progress?steps=1.5":    `steps: "1.5" is not a whole number from 1 to 10000`,
		"/api/download?size=11GB":    `size: "11GB" is not a size up to 10GB; write 100MB or 104857600`,
		"/api/download?size=-1":      `size: "-1" is not a size up to 10GB; write 100MB or 104857600`,
		"/api/download?size=100%20M": `size: "100 M" is not a size up to 10GB; write 100MB or 104857600`,
	} {
		resp := ask(t, at.url+path)
		if got := strings.TrimSpace(body(t, resp)); resp.StatusCode != http.StatusBadRequest || got != want {
			t.Errorf("%s: status %d, %s", path, resp.StatusCode, got)
		}
	}
}

type step struct {
	Step            int
	TotalSteps      int
	PercentComplete float64
	Status          string
}

func TestProgressGoesStepByStepAndIsComplete(t *testing.T) {
	at := start(t, nil)
	resp := ask(t, at.url+"/api/progress?steps=4&every=20ms")
	got := take[step](t, resp, 5)
	want := []step{{1, 4, 25, "processing"}, {2, 4, 50, "processing"}, {3, 4, 75, "processing"}, {4, 4, 100, "processing"}, {4, 4, 100, "complete"}}
	if !slices.Equal(got, want) {
		t.Errorf("the steps are %v", got)
	}
	if rest := body(t, resp); rest != "" {
		t.Errorf("after the end comes %q", rest)
	}
	if end := <-at.log.ends; end["end"] != "done" {
		t.Errorf("the stream ended by %v", end)
	}
	events := takeEvents(t, ask(t, at.url+"/api/progress?steps=1&every=20ms", "Accept", "text/event-stream"), 2)
	if text := events[1].Text(); !strings.Contains(text, `"complete"`) {
		t.Errorf("the last event is %s", text)
	}
}

func TestSensorIsPlausible(t *testing.T) {
	at := start(t, nil)
	type climate struct{ Temperature, Humidity, Pressure float64 }
	all := take[climate](t, ask(t, at.url+"/api/sensor?every=20ms"), 20)
	for i, c := range all {
		if c.Temperature < 15 || c.Temperature > 28 || c.Humidity < 20 || c.Humidity > 80 || c.Pressure < 990 || c.Pressure > 1035 {
			t.Errorf("record %d is %+v", i, c)
		}
	}
	if all[0] == all[19] {
		t.Errorf("nothing moves: %+v", all[0])
	}
}

func TestQuotesAreEventsThatDoNotRepeat(t *testing.T) {
	at := start(t, nil)
	events := takeEvents(t, ask(t, at.url+"/api/quotes?every=20ms"), 10)
	for i, e := range events {
		var q struct{ Text, By string }
		if err := json.Unmarshal([]byte(e.Text()), &q); err != nil || q.Text == "" || q.By == "" || e.Name != "quote" || e.ID == "" {
			t.Errorf("event %d is %+v (%v)", i, e, err)
		}
		if i > 0 && e.ID == events[i-1].ID {
			t.Errorf("quote %s comes twice", e.ID)
		}
	}
	for range 20 {
		if again := takeEvents(t, ask(t, at.url+"/api/quotes", "Last-Event-ID", "7"), 1); again[0].ID == "7" {
			t.Fatal("who came back is told the same again")
		}
	}
	takeEvents(t, ask(t, at.url+"/api/quotes", "Last-Event-ID", "none of ours"), 1)
}

func TestQuotesEndWithTheirReader(t *testing.T) {
	at := start(t, nil)
	resp := ask(t, at.url+"/api/quotes?every=20ms")
	takeEvents(t, resp, 2)
	if err := resp.Body.Close(); err != nil { // cuts the connection
		t.Fatal(err)
	}
	end := <-at.log.ends
	if end["path"] != "/api/quotes" || end["end"] != "reader gone" {
		t.Errorf("the log says %v", end)
	}
}

func TestDownloadIsWholeAndInParts(t *testing.T) {
	at := start(t, nil)
	whole := body(t, ask(t, at.url+"/api/download?size=1MB"))
	if len(whole) != 1<<20 {
		t.Errorf("%d bytes", len(whole))
	}
	resp := ask(t, at.url+"/api/download?size=1MB", "Range", "bytes=1000000-1000063")
	if got := body(t, resp); resp.StatusCode != http.StatusPartialContent || got != whole[1000000:1000064] {
		t.Errorf("status %d, %q", resp.StatusCode, got)
	}
	if got := ask(t, at.url+"/api/download").ContentLength; got != 100<<20 {
		t.Errorf("the usual download has %d bytes", got)
	}
}

func TestActionsAnswerOnlyWhereARouteLeads(t *testing.T) {
	at := start(t, func(c *leat.Config) {
		c.Routes = []leat.Route{{Match: "/api/sensor", Handler: "action"}, {}}
	})
	take[struct{}](t, ask(t, at.url+"/api/sensor"), 1)
	for _, path := range []string{"/api/machine", "/api/progress", "/api/quotes", "/api/download", "/ws/echo", "/ws/chat"} {
		if resp := ask(t, at.url+path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, resp.StatusCode)
		}
	}
}

func TestEndOfTheServerEndsStreamsInGoodOrder(t *testing.T) {
	at := start(t, nil)
	resp := ask(t, at.url+"/api/machine?every=20ms")
	take[machine](t, resp, 3)
	if err := at.stop(); err != nil {
		t.Error(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil { // it would be cut without a last chunk
		t.Error(err)
	}
	if end := <-at.log.ends; end["end"] != "shutdown" {
		t.Errorf("the log says %v", end)
	}
}

func TestTheMachineIsATopicOverEveryTransport(t *testing.T) {
	at := start(t, nil)
	type message struct {
		Topic string
		Count int64
		Data  machine
	}
	records := take[message](t, ask(t, at.url+"/live/machine"), 3)
	for _, r := range records[1:] { // the first is what the stream begins with
		if r.Topic != "machine" || r.Count == 0 {
			t.Errorf("the record is %+v", r)
		}
		r.Data.check(t)
	}
	events := takeEvents(t, ask(t, at.url+"/live/?topic=machine.cpu&topic=machine.memory", "Accept", "text/event-stream"), 3)
	both := events[1].Text() + events[2].Text()
	if events[0].Name != "leat.open" || !strings.Contains(both, `"cores":`) || !strings.Contains(both, `"available":`) {
		t.Errorf("the events are %+v", events)
	}
	var kept []message
	if err := json.Unmarshal([]byte(body(t, ask(t, at.url+"/live/machine", "Accept", "application/json"))), &kept); err != nil || len(kept) < 2 {
		t.Errorf("%d are kept: %v", len(kept), err)
	}
	if resp, err := http.Post(at.url+"/live/machine", "text/plain", strings.NewReader("x")); err != nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("somebody else publishes: %v %v", resp, err)
	}
}

func TestTheMachineIsNoTopicUnlessBothRoutesAre(t *testing.T) {
	at := start(t, func(c *leat.Config) {
		c.Routes = []leat.Route{{Match: "/live/", Handler: "topic"}, {}}
	})
	if text := body(t, ask(t, at.url+"/live/machine?wait=2s")); strings.Contains(text, `"data"`) {
		t.Errorf("it has %s", text)
	}
}
