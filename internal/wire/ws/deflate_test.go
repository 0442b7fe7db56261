package ws_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/wire/ws"
)

// wishes of a server.
var (
	anything = ws.Deflate{}
	frugal   = ws.Deflate{ServerNoContext: true, ClientNoContext: true}
	small    = ws.Deflate{ServerBits: 10, ClientBits: 11}
)

// offers and what a server answers them by RFC 7692, 5 and 7.1. "" declines.
var offers = []struct {
	name, offer string
	wish        ws.Deflate
	answer      string
}{
	{"7.1 the plain offer", "permessage-deflate", anything, "permessage-deflate"},
	{"7.1 a name in any case", "Permessage-Deflate; Server_No_Context_Takeover", anything, "permessage-deflate; server_no_context_takeover"},
	{"7.1 another extension", "permessage-foo", anything, ""},
	{"7.1 a name that begins alike", "permessage-deflate2", anything, ""},
	{"7.1 an unknown parameter", "permessage-deflate; foo", anything, ""},
	{"7.1 a parameter twice", "permessage-deflate; server_no_context_takeover; server_no_context_takeover", anything, ""},
	{"7.1 a window twice", "permessage-deflate; client_max_window_bits; client_max_window_bits=10", anything, ""},
	{"7.1.1.1 asked for", "permessage-deflate; server_no_context_takeover", anything, "permessage-deflate; server_no_context_takeover"},
	{"7.1.1.1 with a value", "permessage-deflate; server_no_context_takeover=1", anything, ""},
	{"7.1.1.1 not asked for, but wished", "permessage-deflate", frugal, "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
	{"7.1.1.2 asked for", "permessage-deflate; client_no_context_takeover", anything, "permessage-deflate; client_no_context_takeover"},
	{"7.1.1.2 with a value", `permessage-deflate; client_no_context_takeover=""`, anything, "malformed"},
	{"7.1.2.1 15 is named when it is asked for", "permessage-deflate; server_max_window_bits=15", anything, "permessage-deflate; server_max_window_bits=15"},
	{"7.1.2.1 10", "permessage-deflate; server_max_window_bits=10", anything, "permessage-deflate; server_max_window_bits=10"},
	{"7.1.2.1 quoted", `permessage-deflate; server_max_window_bits="10"`, anything, "permessage-deflate; server_max_window_bits=10"},
	{"7.1.2.1 quoted with an escape", `permessage-deflate; server_max_window_bits="1\0"`, anything, "permessage-deflate; server_max_window_bits=10"},
	{"7.1.2.1 8", "permessage-deflate; server_max_window_bits=8", anything, "permessage-deflate; server_max_window_bits=8"},
	{"7.1.2.1 7", "permessage-deflate; server_max_window_bits=7", anything, ""},
	{"7.1.2.1 16", "permessage-deflate; server_max_window_bits=16", anything, ""},
	{"7.1.2.1 08", "permessage-deflate; server_max_window_bits=08", anything, ""},
	{"7.1.2.1 +9", "permessage-deflate; server_max_window_bits=+9", anything, ""},
	{"7.1.2.1 no number", "permessage-deflate; server_max_window_bits=x", anything, ""},
	{"7.1.2.1 without a value", "permessage-deflate; server_max_window_bits", anything, ""},
	{"7.1.2.1 the server may want less", "permessage-deflate; server_max_window_bits=12", small, "permessage-deflate; server_max_window_bits=10"},
	{"7.1.2.1 and says so unasked", "permessage-deflate", small, "permessage-deflate; server_max_window_bits=10"},
	{"7.1.2.2 a client that lets itself be told", "permessage-deflate; client_max_window_bits", anything, "permessage-deflate"},
	{"7.1.2.2 is told", "permessage-deflate; client_max_window_bits", small, "permessage-deflate; server_max_window_bits=10; client_max_window_bits=11"},
	{"7.1.2.2 never more than it offers", "permessage-deflate; client_max_window_bits=9", small, "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9"},
	{"7.1.2.2 its own size", "permessage-deflate; client_max_window_bits=12", anything, "permessage-deflate; client_max_window_bits=12"},
	{"7.1.2.2 15", "permessage-deflate; client_max_window_bits=15", anything, "permessage-deflate"},
	{"7.1.2.2 8, which zlib cannot keep, is not held against it", "permessage-deflate; client_max_window_bits=8", anything, "permessage-deflate"},
	{"7.1.2.2 16", "permessage-deflate; client_max_window_bits=16", anything, ""},
	{"5 the first good offer counts", "permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=9, permessage-deflate", anything, "permessage-deflate; server_max_window_bits=9"},
	{"5 other extensions before it", `foo; x="a", permessage-deflate; client_no_context_takeover`, anything, "permessage-deflate; client_no_context_takeover"},
	{"5 on two lines", "permessage-deflate; foo\npermessage-deflate", anything, "permessage-deflate"},
	{"9.1 spaces", "\t permessage-deflate ;\tserver_no_context_takeover ;server_max_window_bits = 9 ,", anything, "permessage-deflate; server_no_context_takeover; server_max_window_bits=9"},
	{"9.1 empty elements", ", ,permessage-deflate,,", anything, "permessage-deflate"},
	{"9.1 no name", "; server_no_context_takeover", anything, "malformed"},
	{"9.1 no parameter", "permessage-deflate;", anything, "malformed"},
	{"9.1 no value", "permessage-deflate; server_max_window_bits=", anything, "malformed"},
	{"9.1 a quote that does not end", `permessage-deflate; server_max_window_bits="10`, anything, "malformed"},
	{"9.1 a quoted thing that is no token", `foo; x="a b"`, anything, "malformed"},
	{"9.1 two names", "permessage-deflate foo", anything, "malformed"},
	{"9.1 malformed beside a good one", "permessage-deflate, @", anything, "malformed"},
}

func TestServerAnswersADeflateOfferByRFC7692(t *testing.T) {
	for _, c := range offers {
		t.Run(c.name, func(t *testing.T) {
			r, h := handshake()
			h["Sec-Websocket-Extensions"] = strings.Split(c.offer, "\n")
			a := (&ws.Policy{Deflate: &c.wish}).Decide(r)
			if c.answer == "malformed" {
				if a.Status != 400 {
					t.Errorf("RFC 6455, 9.1: %+v", a)
				}
				return
			}
			if got := field(a, "Sec-WebSocket-Extensions"); a.Status != 101 || got != c.answer || (a.Deflate == nil) != (got == "") {
				t.Errorf("%d %q, want %q", a.Status, got, c.answer)
			}
		})
	}
}

func TestServerKeepsToWhatItAnswered(t *testing.T) {
	r, _ := handshake("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; server_no_context_takeover")
	a := (&ws.Policy{Deflate: &small}).Decide(r)
	if want := (ws.Deflate{ServerNoContext: true, ServerBits: 10, ClientBits: 11}); a.Deflate == nil || *a.Deflate != want {
		t.Fatalf("%+v", a.Deflate)
	}
	if context, bits := a.Deflate.Sends(true); context || bits != 10 {
		t.Error("server", context, bits)
	}
	if context, bits := a.Deflate.Sends(false); !context || bits != 11 {
		t.Error("client", context, bits)
	}
}

func TestClientChecksADeflateAnswerByRFC7692(t *testing.T) {
	for _, c := range []struct {
		name   string
		wish   ws.Deflate
		answer string
		want   *ws.Deflate
	}{
		{"7.1 plain", anything, "permessage-deflate", &ws.Deflate{ServerBits: 15, ClientBits: 15}},
		{"7.1 unknown parameter", anything, "permessage-deflate; foo", nil},
		{"7.1 parameter twice", anything, "permessage-deflate; client_no_context_takeover; client_no_context_takeover", nil},
		{"7.1.1.1 not granted", frugal, "permessage-deflate; client_no_context_takeover", nil},
		{"7.1.1.1 granted", frugal, "permessage-deflate; server_no_context_takeover", &ws.Deflate{ServerNoContext: true, ClientNoContext: true, ServerBits: 15, ClientBits: 15}},
		{"7.1.1.1 unasked", anything, "permessage-deflate; server_no_context_takeover", &ws.Deflate{ServerNoContext: true, ServerBits: 15, ClientBits: 15}},
		{"7.1.1.1 with a value", anything, "permessage-deflate; server_no_context_takeover=1", nil},
		{"7.1.1.2 unasked", anything, "permessage-deflate; client_no_context_takeover", &ws.Deflate{ClientNoContext: true, ServerBits: 15, ClientBits: 15}},
		{"7.1.2.1 unasked", anything, "permessage-deflate; server_max_window_bits=12", &ws.Deflate{ServerBits: 12, ClientBits: 15}},
		{"7.1.2.1 not granted", small, "permessage-deflate", nil},
		{"7.1.2.1 more than offered", small, "permessage-deflate; server_max_window_bits=11", nil},
		{"7.1.2.1 less than offered", small, "permessage-deflate; server_max_window_bits=9", &ws.Deflate{ServerBits: 9, ClientBits: 11}},
		{"7.1.2.1 without a value", anything, "permessage-deflate; server_max_window_bits", nil},
		{"7.1.2.1 7", anything, "permessage-deflate; server_max_window_bits=7", nil},
		{"7.1.2.2 told", anything, "permessage-deflate; client_max_window_bits=8", &ws.Deflate{ServerBits: 15, ClientBits: 8}},
		{"7.1.2.2 more than offered", small, "permessage-deflate; server_max_window_bits=10; client_max_window_bits=12", nil},
		{"7.1.2.2 without a value", anything, "permessage-deflate; client_max_window_bits", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{}
			change(h, []string{
				"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
				"Sec-WebSocket-Extensions: " + c.answer,
			})
			a, err := (&ws.Offer{Key: sampleKey, Deflate: &c.wish}).Check(101, h.Values)
			if (err != nil) != (c.want == nil) || !reflect.DeepEqual(a.Deflate, c.want) {
				t.Errorf("%+v, %v", a.Deflate, err)
			}
		})
	}
}

// Both sides come to the same agreement, whatever they wish.
func TestOurClientAndServerAgreeOnEveryWish(t *testing.T) {
	var wishes []ws.Deflate
	for i := range 16 {
		wishes = append(wishes, ws.Deflate{
			ServerNoContext: i&1 != 0, ClientNoContext: i&2 != 0,
			ServerBits: []int{0, 9, 12, 15}[i&3], ClientBits: []int{15, 10, 0, 9}[i>>2],
		})
	}
	for _, client := range wishes {
		for _, server := range wishes {
			o := ws.Offer{Key: sampleKey, Deflate: &client}
			h := http.Header{}
			fields, err := o.Header()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range fields {
				h.Add(f.Name, f.Value)
			}
			a := (&ws.Policy{Deflate: &server}).Decide(ws.Request{Method: "GET", Major: 1, Minor: 1, Host: "a", Header: h.Values})
			h = http.Header{}
			for _, f := range a.Header {
				h.Add(f.Name, f.Value)
			}
			got, err := o.Check(a.Status, h.Values)
			if err != nil || a.Deflate == nil || *got.Deflate != *a.Deflate {
				t.Errorf("%+v with %+v: %+v and %+v, %v", client, server, got.Deflate, a.Deflate, err)
			}
		}
	}
}

// Whatever a client offers, the answer is one that our own client would take, or none.
func FuzzNegotiation(f *testing.F) {
	for _, c := range offers {
		f.Add(c.offer, c.wish.ServerNoContext, c.wish.ClientBits)
	}
	f.Fuzz(func(t *testing.T, offer string, noContext bool, bits int) {
		wish := ws.Deflate{ServerNoContext: noContext, ClientNoContext: noContext, ServerBits: bits % 16, ClientBits: bits % 16}
		if wish.ClientBits == 8 {
			wish.ClientBits = 9
		}
		r, h := handshake()
		h["Sec-Websocket-Extensions"] = strings.Split(offer, "\n")
		a := (&ws.Policy{Deflate: &wish}).Decide(r)
		if a.Status != 101 {
			if a.Status != 400 || a.Deflate != nil {
				t.Fatalf("%+v", a)
			}
			return
		}
		back := http.Header{}
		for _, f := range a.Header {
			back.Add(f.Name, f.Value)
		}
		got, err := (&ws.Offer{Key: sampleKey, Deflate: &ws.Deflate{}}).Check(101, back.Values)
		if err != nil || !reflect.DeepEqual(got.Deflate, a.Deflate) {
			t.Fatalf("%q: %+v and %+v, %v", offer, a.Deflate, got.Deflate, err)
		}
		if d := a.Deflate; d != nil && (d.ServerBits < 8 || d.ServerBits > 15 || d.ClientBits < 8 || d.ClientBits > 15) {
			t.Fatalf("%+v", d)
		}
	})
}
