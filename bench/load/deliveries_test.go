package load_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/leat-dev/leat/bench/load"
)

// A topic has readers of any kind, to which it gives what is posted; it may do so
// wrongly.
type topic struct {
	t       *testing.T
	change  func(n int, message string) []string // what a reader gets as its n-th
	within  string                               // with %s for it
	refuses bool                                 // what is posted
	mu      sync.Mutex
	readers []chan string
}

func serveTopic(t *testing.T, h *topic) string {
	h.t = t
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL + "/"
}

func (h *topic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		h.publish(w, r)
		return
	}
	messages := make(chan string, 1000)
	h.mu.Lock()
	h.readers = append(h.readers, messages)
	h.mu.Unlock()
	send, err := begin(w, r)
	if err != nil {
		return
	}
	for n := 1; ; n++ {
		select {
		case m := <-messages:
			all := []string{m}
			if h.change != nil {
				all = h.change(n, m)
			}
			for _, m := range all {
				if h.within != "" {
					m = fmt.Sprintf(h.within, m)
				}
				if send(m) != nil {
					return
				}
			}
		case <-r.Context().Done():
			return
		}
	}
}

func (h *topic) publish(w http.ResponseWriter, r *http.Request) {
	if h.refuses {
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	m, err := io.ReadAll(r.Body)
	if err != nil {
		h.t.Error(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.readers {
		c <- string(m)
	}
	w.WriteHeader(http.StatusNoContent)
}

// begin answers a reader, and returns what sends to it.
func begin(w http.ResponseWriter, r *http.Request) (send func(string) error, _ error) {
	if r.Header.Get("Upgrade") != "" {
		c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			return nil, err
		}
		return func(m string) error { return c.WriteMessage(websocket.TextMessage, []byte(m)) }, nil
	}
	mime, format := r.Header.Get("Accept"), "%s\n"
	if mime == mimes[load.SSE] {
		format = "data: %s\n\n"
	}
	w.Header().Set("Content-Type", mime)
	if r.URL.Path == "/unchunked" {
		w.Header().Set("Transfer-Encoding", "identity")
	}
	flush := http.NewResponseController(w).Flush
	return func(m string) error {
		_, _ = fmt.Fprintf(w, format, m)
		return flush()
	}, flush()
}

func deliveries(kind, url string) load.Deliveries {
	d := load.Deliveries{URL: url, Kind: kind, Publish: url, Conns: 3, Size: 128, Count: 30, Depths: []int{1, 8}, PID: os.Getpid()}
	if kind == load.WebSocket {
		d.URL = "ws" + strings.TrimPrefix(url, "http")
	}
	return d
}

func TestDeliveriesThatAreRightAreCounted(t *testing.T) {
	for _, c := range []struct{ kind, path string }{{load.WebSocket, ""}, {load.SSE, ""}, {load.NDJSON, ""}, {load.SSE, "unchunked"}} {
		t.Run(c.kind+c.path, func(t *testing.T) {
			t.Parallel()
			d := deliveries(c.kind, serveTopic(t, &topic{})+c.path)
			passes, err := d.Run()
			if err != nil || len(passes) != 2 {
				t.Fatal(passes, err)
			}
			for i, p := range passes {
				if p.Depth != d.Depths[i] || p.Messages != 90 || p.CPU <= 0 || p.P50 <= 0 || p.P99 < p.P50 || p.Last < p.P50/2 || p.Memory <= 0 {
					t.Errorf("%+v", p)
				}
			}
			if n := passes[0].Segments; n < 1 {
				t.Errorf("%v segments a message that is alone", n)
			}
		})
	}
}

func TestMessagesAreDeliveredAtARate(t *testing.T) {
	d := deliveries(load.NDJSON, serveTopic(t, &topic{}))
	d.Depths, d.Rate, d.Time = nil, 1000, 200*time.Millisecond
	passes, err := d.Run()
	if err != nil || len(passes) != 1 || passes[0].Messages != 600 || passes[0].Rate > 3300 {
		t.Errorf("%+v, %v", passes, err)
	}
}

func TestReadersMayMissWhatIsPublishedBeforeTheirFirst(t *testing.T) {
	d := deliveries(load.SSE, serveTopic(t, &topic{change: func(n int, m string) []string {
		if n == 1 {
			return []string{"hello"}
		}
		return []string{m}
	}}))
	if passes, err := d.Run(); err != nil || passes[0].Messages != 90 {
		t.Errorf("%+v, %v", passes, err)
	}
}

func TestMessagesMayStandInRecords(t *testing.T) {
	for _, kind := range []string{load.WebSocket, load.SSE, load.NDJSON} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := deliveries(kind, serveTopic(t, &topic{
				within: `{"id":1,"data":%s}`,
				change: func(n int, m string) []string {
					return []string{`{"control":"position"}`, strings.TrimSuffix(strings.TrimPrefix(m, "data="), "&more")}
				},
			}))
			d.Within, d.Body = true, "data=MESSAGE&more"
			if passes, err := d.Run(); err != nil || passes[1].Messages != 90 {
				t.Errorf("%+v, %v", passes, err)
			}
			d.Within = false
			if _, err := d.Run(); err == nil || !strings.Contains(err.Error(), `is "{\"id\":1,`) {
				t.Error(err)
			}
		})
	}
}

func TestDeliveriesThatAreWrongAreTold(t *testing.T) {
	held := ""
	for name, c := range map[string]struct {
		h    *topic
		want string
	}{
		"one twice":        {&topic{change: func(n int, m string) []string { return []string{m, m}[:1+n/9] }}, "message 10 is"},
		"one left out":     {&topic{change: func(n int, m string) []string { return []string{m}[:min(1, (n-9)*(n-9))] }}, "message 9 is"},
		"another byte":     {&topic{change: func(n int, m string) []string { return []string{m[:127] + []string{"}", "]"}[n/9]} }}, "message 9 is"},
		"a byte less":      {&topic{change: func(n int, m string) []string { return []string{m[:128-n/9]} }}, "message 9 is"},
		"nobody's message": {&topic{change: func(n int, m string) []string { return []string{m, strings.Replace(m, `"0`, `"7`, 1)}[n/9:] }}, "is"},
		"in the wrong order": {&topic{change: func(n int, m string) []string {
			switch n {
			case 9:
				held = m
				return nil
			case 10:
				return []string{m, held}
			}
			return []string{m}
		}}, "message 9 is"},
		"posts that are refused": {&topic{refuses: true}, `the server answers "HTTP/1.1 403`},
	} {
		t.Run(name, func(t *testing.T) {
			d := deliveries(load.NDJSON, serveTopic(t, c.h))
			d.Conns, d.Depths = 1, []int{8}
			if _, err := d.Run(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestDeliveriesWantReadersAndMessages(t *testing.T) {
	url := serveTopic(t, &topic{})
	for name, change := range map[string]func(*load.Deliveries){
		"no readers":           func(d *load.Deliveries) { d.Conns = 0 },
		"short messages":       func(d *load.Deliveries) { d.Size = 20 },
		"no messages":          func(d *load.Deliveries) { d.Count = 0 },
		"neither":              func(d *load.Deliveries) { d.Depths = nil },
		"both":                 func(d *load.Deliveries) { d.Rate = 1000 },
		"another kind":         func(d *load.Deliveries) { d.Kind = "poll" },
		"posts to another one": func(d *load.Deliveries) { d.Publish = "http://192.0.2.1:80/" },
	} {
		d := deliveries(load.SSE, url)
		change(&d)
		if _, err := d.Run(); err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
