package leat_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// both reads two records, whose order does not count: the answer to what was
// published, and the message.
func (f *topicFeed) both(t *testing.T) (answer, message *feedRecord) {
	t.Helper()
	answer, message = f.next(), f.next()
	if answer.Control == "" {
		answer, message = message, answer
	}
	if answer.Control != "published" || message.Control != "" {
		t.Fatalf("%s and %s", answer.raw, message.raw)
	}
	return answer, message
}

func TestAReaderByWebSocketPublishesOnItsConnection(t *testing.T) {
	long := strings.Repeat("long and longer ", 100)
	for mount := range topicMounts {
		_, base := topicMounts[mount](t, &leat.Config{Topics: []leat.TopicRule{{Match: "closed"}, {Match: "a", Key: "id", Publish: "public"}, {Publish: "public"}}})
		for _, over := range []string{"ws", "ws deflated"} {
			other := followTopic(t, "ndjson HTTP/1.1", base+"a")
			other.control("open")
			f := followTopic(t, over, base+"a")
			f.control("open")
			for _, row := range []struct{ sent, data, event, key, ref, encoding string }{
				{sent: `{"publish":"a","event":"said","key":"ada","data":"Hello","ref":7}`, data: `"Hello"`, event: "said", key: "ada", ref: "7"},
				{sent: `{"data":{"id":"k","x":[1, 2]},"ref":{"a":"b"}}`, data: `{"id":"k","x":[1, 2]}`, key: "k", ref: `{"a":"b"}`},
				{sent: `{"publish":"","data":null}`, data: "null"},
				{sent: `{"data":"AP8=","encoding":"base64","ref":"é"}`, data: `"AP8="`, encoding: "base64", ref: `"é"`},
				{sent: `{"data":"` + long + `","ref":null}`, data: `"` + long + `"`, ref: "null"},
				{sent: `{"data":"\u0000\n"}`, data: `"\u0000\n"`},
			} {
				f.peer.text(row.sent)
				answer, message := f.both(t)
				if string(answer.Ref) != row.ref || answer.ID != message.ID || answer.Count != message.Count {
					t.Errorf("%.60s: %s, and %s", row.sent, answer.raw, message.raw)
				}
				seen := other.message(row.data)
				for _, r := range []*feedRecord{message, seen} {
					if string(r.Data) != row.data || r.Event != row.event || r.Key != row.key || r.Encoding != row.encoding || r.ID != answer.ID || r.Topic != "a" {
						t.Errorf("%.60s: %s", row.sent, r.raw)
					}
				}
				if (message.field == "deflated") != (over == "ws deflated" && len(row.data) > 300) {
					t.Errorf("%s: %d bytes are deflated: %q", over, len(row.data), message.field)
				}
			}
			for sent, want := range map[string]int{
				"hello": 400, "[1]": 400, "7": 400, `{"publish":"a"}`: 400, `{"publish":"a","ref":1}`: 400, `{}`: 400, `{"publish":7,"data":1,"ref":1}`: 400,
				`{"publish":"a.*","data":1,"ref":1}`: 400, `{"publish":"a b","data":1}`: 400, `{"publish":"closed","data":1,"ref":1}`: 403,
				`{"data":1,"event":"leat.open"}`: 400, `{"data":1,"event":"a\rb"}`: 400, `{"data":"%","encoding":"base64"}`: 400,
				`{"data":1,"encoding":"base64"}`: 400, `{"data":"a","encoding":"hex"}`: 400, `{"token":"x","ref":1}`: 400,
			} {
				f.peer.text(sent)
				r := f.control("refused")
				if r.Status != want || r.Error == "" || strings.HasPrefix(r.Error, "leat: ") || r.ID != "" || string(r.Ref) == "1" != strings.Contains(sent, `"ref":1`) {
					t.Errorf("%s: %s", sent, r.raw)
				}
			}
			f.peer.frame(ws.Header{Fin: true, Opcode: ws.OpBinary}, `{"data":1}`)
			f.control("refused")
			other.leave()
			f.leave()
			for _, query := range []string{"a?topic=b", "a.*"} {
				f = followTopic(t, over, base+query)
				f.control("open")
				f.peer.text(`{"data":1}`)
				if r := f.control("refused"); r.Status != http.StatusBadRequest {
					t.Errorf("%s: %s", query, r.raw)
				}
				f.peer.text(`{"publish":"c","data":1}`)
				f.control("published")
				f.leave()
			}
		}
	}
}

func TestAnswersAndMessagesShareACompressedConnection(t *testing.T) {
	srv, base := openTopics(t, leat.Config{})
	f := followTopic(t, "ws deflated", base+"a")
	f.control("open")
	text := strings.Repeat("the same words again and again, ", 20)
	for i := range 50 {
		publishTo(t, srv, "a", leat.Text(text+string(rune('a'+i%26))))
		f.peer.text(`{"publish":"b","data":1,"ref":"` + text + `"}`)
		for range 2 {
			r := f.next()
			if r.field != "deflated" || r.Control == "published" != (string(r.Ref) == `"`+text+`"`) || r.Control == "" && !strings.HasPrefix(string(r.Data), `"`+text) {
				t.Fatal(r.raw)
			}
		}
	}
}

func TestWhatComesWithTheHandshakeIsNotLost(t *testing.T) {
	for _, mount := range []string{"route", "net/http"} {
		srv, base := topicMounts[mount](t, &leat.Config{Topics: []leat.TopicRule{{Publish: "public"}}})
		for range 200 {
			p := shakeWith(t, base+"a", true, `{"data":1,"ref":1}`)
			f := &topicFeed{t: t, peer: p, resp: p.resp, take: p.record}
			f.control("open")
			if answer, _ := f.both(t); string(answer.Ref) != "1" {
				t.Fatal(answer.raw)
			}
			_ = p.conn.Close()
		}
		waiting(t, srv, "a", 0)
	}
}

func TestAWebSocketThatGoesAtOnceLeavesNothing(t *testing.T) {
	for _, mount := range []string{"route", "net/http"} {
		srv, base := topicMounts[mount](t, &leat.Config{Limits: leat.Limits{StreamsPerAddress: 20}})
		host, path := base[:strings.LastIndex(base, "/live/")], base[strings.LastIndex(base, "/live/"):]
		hello := "GET " + path + "a HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
		for i := range 300 {
			s := reach(t, host, hello+string(ws.AppendClose(nil, ws.Header{Masked: true, Key: peerKey}, 1000, "")))
			if i%2 == 0 {
				s.reset()
			}
			_ = s.Close()
		}
		eventually(t, "all have left", func() bool { return srv.Stats().Sockets == 0 })
		waiting(t, srv, "a", 0)
		eventually(t, "there is room for twenty", func() bool {
			var feeds []*topicFeed
			defer func() {
				for _, f := range feeds {
					f.leave()
				}
			}()
			for range 20 {
				f := beginFeed(t, "ws", base+"a")
				if feeds = append(feeds, f); f.resp.StatusCode != http.StatusSwitchingProtocols {
					return false
				}
			}
			return true
		})
	}
}

func TestEveryTransportBeatsAsItsRouteSays(t *testing.T) {
	c := &leat.Config{Routes: []leat.Route{{Match: "/fast/", Handler: "topic", Timeouts: leat.Timeouts{Heartbeat: 60 * time.Millisecond}}}}
	srv, url := start(t, c, nil)
	for _, over := range topicTransports {
		f := followTopic(t, over, url+"/fast/a")
		if r := f.control("open"); r.Heartbeat != 0.06 {
			t.Errorf("%s: %s", over, r.raw)
		}
		r := publishTo(t, srv, "other", leat.JSON(1))
		if p := f.control("position"); p.ID != r.ID {
			t.Errorf("%s: %s, want %s", over, p.raw, r.ID)
		}
		f.leave()
	}
}

func TestBareIsDataAlone(t *testing.T) {
	srv, base := openTopics(t, leat.Config{Topics: []leat.TopicRule{{History: leat.History{Count: 3}, Publish: "public"}}})
	first := publishTo(t, srv, "a", leat.JSON(-1)).ID
	for range 100 { // more than are kept for those who come back
		publishTo(t, srv, "a", leat.JSON(-1))
	}
	at := ""
	for _, m := range []leat.Message{leat.JSON(0), leat.JSON(map[string]int{"a": 1}), leat.Text("two\nlines"), leat.Binary([]byte{0, 255})} {
		at = publishTo(t, srv, "a", m).ID
	}
	for _, over := range []string{"ndjson HTTP/1.1", "ndjson HTTP/1.0", "ndjson HTTP/2"} {
		f := followTopic(t, over, base+"a?bare&history=all")
		b := make([]byte, len(`{"a":1}`+"\n"+`"two\nlines"`+"\n"+`"AP8="`+"\n"))
		for n := 0; n < len(b); {
			m, err := f.resp.Body.Read(b[n:])
			if n += m; err != nil {
				t.Fatalf("%q, %v", b[:n], err)
			}
		}
		if string(b) != `{"a":1}`+"\n"+`"two\nlines"`+"\n"+`"AP8="`+"\n" {
			t.Errorf("%s: %q", over, b)
		}
		f.leave()
		for _, since := range []string{first, "other-1", "x"} { // a gap, and resets
			f = followTopic(t, over, base+"a?bare&since="+since)
			f.ends(0)
		}
	}
	p := connect(t, base+"a?bare&history=all")
	p.want(`text {"a":1}`, "text two\nlines", "binary \x00\xff")
	publishTo(t, srv, "a", leat.JSON("now"))
	p.want(`text "now"`)
	p = connect(t, base+"a?bare&since=other-1")
	if h, payload, err := p.next(); err != nil || !strings.HasPrefix(describe(h, payload), "close 1008 ") {
		t.Errorf("%s, %v", describe(h, payload), err)
	}
	for query, want := range map[string]int{"a?bare&since=other-1": 410, "a?bare&since=other-1&wait=0": 410, "a?bare&since=" + first: 410, "a?bare&wait=0&since=" + at: 200} {
		if code, h, text := ask(t, http.MethodGet, base+query, "", "Accept", "application/json"); code != want || h.Get("Leat-Position") == "" {
			t.Errorf("%s: %d %s", query, code, text)
		}
	}
	f := followTopic(t, "sse HTTP/1.1", base+"a?bare&history=1")
	f.control("open") // SSE is as without
	f.leave()
	f = followTopic(t, "sse HTTP/1.1", base+"a?envelope&history=2")
	f.control("open")
	for _, want := range []string{`"AP8="`, `"now"`} {
		r := f.next()
		var inner feedRecord
		if err := json.Unmarshal(r.Data, &inner); err != nil || inner.ID != r.ID || string(inner.Data) != want || inner.Topic != "a" {
			t.Errorf("%s, %v", r.raw, err)
		}
	}
	f.leave()
}
