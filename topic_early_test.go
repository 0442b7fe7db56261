package leat_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// live serves topics to everybody who reads and publishes.
func live(t *testing.T, c *leat.Config) (*leat.Server, string) {
	t.Helper()
	c.Routes = []leat.Route{{Match: "/live/", Handler: "topic"}}
	if c.Topics == nil {
		c.Topics = []leat.TopicRule{{Match: ">", Publish: "public"}}
	}
	return start(t, c, nil)
}

func TestWhatAWebSocketSendsWithItsHandshakeIsHeard(t *testing.T) {
	_, url := live(t, &leat.Config{})
	for i := range 300 {
		answers := 0
		w := &topicWire{kind: bySocket}
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		r := &topicReader{topicWire: topicWire{kind: bySocket, took: func(r topicRecord) {
			if r.Control == "published" {
				answers++
			}
		}}, conn: c}
		wish := ws.AppendFrame(nil, ws.Header{Fin: true, Opcode: ws.OpText, Masked: true}, []byte(`{"publish":"a","data":1}`))
		if _, err := io.WriteString(c, w.asks(fmt.Sprintf("/live/quiet?n=%d", i))+string(wish)); err != nil {
			t.Fatal(err)
		}
		r.until(t, "an answer", func() bool { return answers == 1 })
		r.cut()
	}
}

func TestAWebSocketThatIsGoneAtOnceIsNoReader(t *testing.T) {
	srv, url := live(t, &leat.Config{Limits: leat.Limits{StreamsPerAddress: 1000}})
	for range 500 {
		r, err := readsTopic(url, bySocket, "/live/a?x", false, func(topicRecord) {})
		if err != nil {
			t.Fatal(err)
		}
		r.cut()
	}
	eventually(t, "all have left", func() bool { return leat.CountsOf(srv).Readers == 0 && srv.Stats().Sockets == 0 })
	for range 990 { // none of them is counted any more
		r, err := readsTopic(url, byNDJSON, "/live/a?x", false, func(topicRecord) {})
		if err != nil {
			t.Fatal(err)
		}
		defer r.cut()
		r.until(t, "a record", func() bool { return r.frames > 0 })
	}
}
