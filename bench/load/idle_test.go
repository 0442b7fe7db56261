package load_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/leat-dev/leat/bench/load"
)

func TestIdleConnectionsAreWeighed(t *testing.T) {
	for kind, url := range map[string]string{
		load.WebSocket: serve(t, right),
		load.SSE:       stream(t, "text/event-stream", event),
		load.NDJSON:    stream(t, "application/x-ndjson", line),
	} {
		t.Run(kind, func(t *testing.T) {
			i := load.Idle{URL: url, Kind: kind, Conns: 200, Hold: 20 * time.Millisecond, PID: os.Getpid()}
			r, err := i.Run()
			if err != nil {
				t.Fatal(err)
			}
			if r.Conns != 200 || r.Memory < 1<<20 || r.Connect <= 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestIdleConnectionsThatAnswerWronglyAreTold(t *testing.T) {
	i := load.Idle{URL: serve(t, func(c *websocket.Conn, kind int, m []byte, _ int) error {
		m[100]++
		return c.WriteMessage(kind, m)
	}), Kind: load.WebSocket, Conns: 3, Hold: time.Millisecond, PID: os.Getpid()}
	if _, err := i.Run(); err == nil || !strings.Contains(err.Error(), "wrong echo behind byte 16") {
		t.Error(err)
	}
}

func TestIdleConnectionsNeedAServerAndAKind(t *testing.T) {
	for _, i := range []load.Idle{
		{URL: "ws://127.0.0.1:1/", Kind: load.WebSocket, Conns: 1},
		{URL: "ws://127.0.0.1:1/", Kind: load.WebSocket, PID: 1},
		{URL: "http://127.0.0.1:1/", Kind: "xml", Conns: 1, PID: 1},
		{URL: "ws://127.0.0.1:1/", Kind: load.SSE, Conns: 1, PID: 1},
	} {
		if _, err := i.Run(); err == nil {
			t.Errorf("%+v is taken", i)
		}
	}
}
