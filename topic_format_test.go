package leat

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/topic"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// golden reads a golden file of topics.
func golden[T any](t *testing.T, name string) (list []T) {
	t.Helper()
	text, err := os.ReadFile("testdata/topics/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) < 10 {
		t.Fatalf("%s has %d cases", name, len(list))
	}
	return list
}

func TestMessagesOfTopicsAreTheGoldenBytes(t *testing.T) {
	for _, c := range golden[struct {
		Name, Epoch, Topic, Event, Key, Kind, Data string
		Seq                                        uint64
		Count, Time                                int64
		NDJSON, SSE, Envelope, Bare                string
		WSBare                                     struct{ Opcode, Payload string }
	}](t, "records.json") {
		t.Run(c.Name, func(t *testing.T) {
			m := &topic.Message{Topic: c.Topic, Epoch: c.Epoch, Seq: c.Seq, Count: c.Count, Time: time.UnixMilli(c.Time), Event: c.Event, Key: c.Key, Data: []byte(c.Data)}
			opcode, payload := ws.OpText, []byte(c.WSBare.Payload)
			switch c.Kind {
			case "text":
				m.Kind = topic.Text
			case "bytes":
				m.Kind, opcode = topic.Bytes, ws.OpBinary
				var err error
				if m.Data, err = base64.StdEncoding.DecodeString(c.Data); err != nil {
					t.Fatal(err)
				}
				payload = m.Data
			}
			makes := encoders()
			frame := func(opcode ws.Opcode, payload string) string {
				return string(ws.AppendFrame(nil, ws.Header{Fin: true, Opcode: opcode}, []byte(payload)))
			}
			for as, want := range map[topic.Encoding]string{
				encodingOf(formatNDJSON, false): c.NDJSON, encodingOf(formatBare, false): c.Bare,
				encodingOf(formatSSE, false): c.SSE, encodingOf(formatEnvelope, false): c.Envelope,
				encodingSocket: frame(ws.OpText, c.NDJSON[:len(c.NDJSON)-1]), encodingSocketBare: frame(opcode, string(payload)),
			} {
				if got := string(makes[as](m)); got != want {
					t.Errorf("%d: %q\nwant %q", as, got, want)
				}
				if as < formats {
					want = string(chunked(append(make([]byte, chunkRoom), want...)))
					if got := string(makes[as+formats](m)); got != want {
						t.Errorf("%d, in a chunk: %q\nwant %q", as, got, want)
					}
				}
			}
		})
	}
}

func TestControlsOfTopicsAreTheGoldenBytes(t *testing.T) {
	for _, c := range golden[struct {
		Name        string
		Control     controlRecord
		NDJSON, SSE string
	}](t, "controls.json") {
		if got := string(dialects[formatNDJSON].record(&c.Control)); got != c.NDJSON {
			t.Errorf("%s: %q\nwant %q", c.Name, got, c.NDJSON)
		}
		if got := string(dialects[formatSSE].record(&c.Control)); got != c.SSE {
			t.Errorf("%s: %q\nwant %q", c.Name, got, c.SSE)
		}
	}
}
