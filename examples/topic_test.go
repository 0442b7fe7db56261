package examples_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/leat-dev/leat"
)

func TestTopicReachesReadersOfEveryKind(t *testing.T) {
	p := run(t, "topic", "-every", "20ms")
	answer, err := http.Post(p.url+"/live/said", "text/plain", strings.NewReader("Hello"))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	resp := p.get(t, "/live/count?topic=said&history=all")
	said, last := false, 0.0
	for _, r := range records(t, resp, 6)[1:] {
		switch r["topic"] {
		case "said":
			said = r["data"] == "Hello"
		case "count":
			if n := r["data"].(float64); last > 0 && n != last+1 {
				t.Errorf("%v comes behind %v", n, last)
			}
			last = r["data"].(float64)
		}
	}
	if !said || last == 0 {
		t.Errorf("said %v, counted to %v", said, last)
	}
	id := ""
	for event, err := range leat.ReadEvents(p.get(t, "/live/count?history=1", "Accept: text/event-stream").Body) {
		if err != nil {
			t.Fatal(err)
		}
		if event.Name == "" {
			id = event.ID
			break
		}
	}
	again := records(t, p.get(t, "/live/count", "Last-Event-ID: "+id), 2)
	if again[0]["control"] != "resumed" || again[0]["id"] != id {
		t.Errorf("it comes back to %v", again[0])
	}
	s := p.dial(t, "/live/said?history=all", leat.SocketOptions{})
	if m := message(t, s); !strings.HasPrefix(string(m.Data), `{"control":"open"`) {
		t.Errorf("a WebSocket begins with %s", m.Data)
	}
	if m := message(t, s); !strings.HasSuffix(string(m.Data), `"data":"Hello"}`) {
		t.Errorf("and goes on with %s", m.Data)
	}
}
