package ws_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/leat-dev/leat/internal/wire/ws"
)

const sampleKey = "dGhlIHNhbXBsZSBub25jZQ=="

func TestClientAsksAsSection4_1Says(t *testing.T) {
	o := ws.Offer{Key: sampleKey, Protocols: []string{"chat", "superchat"}, Deflate: &ws.Deflate{}}
	got, err := o.Header()
	want := []ws.Field{
		{Name: "Upgrade", Value: "websocket"},
		{Name: "Connection", Value: "Upgrade"},
		{Name: "Sec-WebSocket-Key", Value: sampleKey},
		{Name: "Sec-WebSocket-Version", Value: "13"},
		{Name: "Sec-WebSocket-Protocol", Value: "chat, superchat"},
		{Name: "Sec-WebSocket-Extensions", Value: "permessage-deflate; client_max_window_bits"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, names := range [][]string{{"a", "a"}, {"a b"}, {""}, {"a,b"}, {"a\r\nX: y"}} {
		if _, err := (&ws.Offer{Protocols: names}).Header(); err == nil {
			t.Errorf("%q is offered", names)
		}
	}
}

func TestClientChecksTheAnswerAsSection4_1Says(t *testing.T) {
	for _, c := range []struct {
		name    string
		status  int
		changes []string
		good    bool
	}{
		{"the example", 101, nil, true},
		{"200", 200, nil, false},
		{"Upgrade in any case", 101, []string{"Upgrade: WebSocket"}, true},
		{"Upgrade missing", 101, []string{"Upgrade:"}, false},
		{"Upgrade with more", 101, []string{"Upgrade: websocket, h2c"}, false},
		{"Upgrade twice", 101, []string{"Upgrade: websocket", "Upgrade: websocket"}, false},
		{"Connection in a list", 101, []string{"Connection: keep-alive, upgrade"}, true},
		{"Connection missing", 101, []string{"Connection:"}, false},
		{"Connection says something else", 101, []string{"Connection: keep-alive"}, false},
		{"Accept with space", 101, []string{"Sec-WebSocket-Accept:  s3pPLMBiTxaQ9kYGzzhZRbK+xOo= "}, true},
		{"Accept missing", 101, []string{"Sec-WebSocket-Accept:"}, false},
		{"Accept in another case", 101, []string{"Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo="}, false},
		{"Accept twice", 101, []string{"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}, false},
		{"a subprotocol of ours", 101, []string{"Sec-WebSocket-Protocol: chat"}, true},
		{"a subprotocol in another case", 101, []string{"Sec-WebSocket-Protocol: Chat"}, false},
		{"a subprotocol of nobody", 101, []string{"Sec-WebSocket-Protocol: other"}, false},
		{"an empty subprotocol", 101, []string{"Sec-WebSocket-Protocol: "}, false},
		{"two subprotocols", 101, []string{"Sec-WebSocket-Protocol: chat, superchat"}, false},
		{"two subprotocols on two lines", 101, []string{"Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: chat"}, false},
		{"an extension", 101, []string{"Sec-WebSocket-Extensions: permessage-deflate"}, true},
		{"an extension of nobody", 101, []string{"Sec-WebSocket-Extensions: foo"}, false},
		{"an extension twice", 101, []string{"Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate"}, false},
		{"extensions that are none", 101, []string{"Sec-WebSocket-Extensions: ;"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{}
			change(h, []string{"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="})
			change(h, c.changes)
			o := ws.Offer{Key: sampleKey, Protocols: []string{"chat", "superchat"}, Deflate: &ws.Deflate{}}
			a, err := o.Check(c.status, h.Values)
			var mistake *ws.HandshakeError
			if (err == nil) != c.good || err != nil && (!errors.As(err, &mistake) || a != (ws.Agreement{})) {
				t.Fatalf("%+v, %v", a, err)
			}
			if want := h.Get("Sec-WebSocket-Protocol"); c.good && a.Protocol != want {
				t.Errorf("%+v", a)
			}
		})
	}
}

func TestClientTakesNothingThatItDidNotOffer(t *testing.T) {
	for _, line := range []string{"Sec-WebSocket-Extensions: permessage-deflate", "Sec-WebSocket-Protocol: chat"} {
		h := http.Header{}
		change(h, []string{"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", line})
		if _, err := (&ws.Offer{Key: sampleKey}).Check(101, h.Values); err == nil {
			t.Error(line)
		}
	}
}
