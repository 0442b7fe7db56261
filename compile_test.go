package leat

import (
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/serve"
)

// compiled are the WebSockets of a server and of its routes, and who counts
// together.
func compiled(t *testing.T, c *Config) (all []serve.Sockets, counters []*atomic.Int64) {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	bounds := []*serve.Sockets{s.options.Bounds.Sockets}
	for _, r := range s.options.Routes {
		bounds = append(bounds, r.Bounds.Sockets)
	}
	for _, b := range bounds {
		if b.Open == nil {
			t.Fatal("nobody counts the WebSockets")
		}
		one := *b
		counters, one.Open = append(counters, b.Open), nil
		all = append(all, one)
	}
	return all, counters
}

func TestWebSocketsHaveTheirDefaults(t *testing.T) {
	want := serve.Sockets{MaxMessage: 1 << 20, MaxFrame: 131072, Protocols: []string{"chat"}}
	all, _ := compiled(t, &Config{Routes: []Route{{}}})
	for _, got := range all {
		if !reflect.DeepEqual(got, want) {
			t.Errorf("\n got %+v\nwant %+v", got, want)
		}
	}
	if s := Default().options.Bounds.Sockets; s == nil || s.MaxMessage != 1<<20 {
		t.Errorf("where no server is: %+v", s)
	}
}

func TestARouteTurnsWebSocketsEitherWay(t *testing.T) {
	one := Config{
		Limits: Limits{WebSockets: 5, MaxMessage: 10, MaxFrame: 1000, MaxPacket: 7},
		WebSockets: WebSockets{
			Enable: Off, Ping: time.Minute, Protocols: []string{"a"}, RequireProtocol: On, ValidateUTF: Off, PreserveFrames: On, Deflate: Off,
			Origins: []string{"*"},
		},
	}
	other := Config{
		Limits: Limits{WebSockets: Unlimited, MaxMessage: Unlimited, MaxFrame: Unlimited, MaxPacket: Unlimited},
		WebSockets: WebSockets{
			Enable: On, Ping: Never, Protocols: []string{}, RequireProtocol: Off, ValidateUTF: On, PreserveFrames: Off, Deflate: On,
			Origins: []string{},
		},
	}
	is := serve.Sockets{
		Disabled: true, Most: 5, MaxMessage: 10, MaxFrame: 1000, MaxPacket: 7, Ping: time.Minute, Protocols: []string{"a"}, RequireProtocol: true,
		Origins: []string{"*"}, NoDeflate: true, AnyText: true, Frames: true,
	}
	isNot := serve.Sockets{Protocols: []string{}, Origins: []string{}}

	for _, c := range []struct {
		server, route  Config
		onServer, want serve.Sockets
	}{
		{one, other, is, isNot},
		{other, one, isNot, is},
	} {
		c.server.Routes = []Route{{Match: "/own", Limits: c.route.Limits, WebSockets: c.route.WebSockets}, {}}
		all, counters := compiled(t, &c.server)
		for i, want := range []serve.Sockets{c.onServer, c.want, c.onServer} {
			if !reflect.DeepEqual(all[i], want) {
				t.Errorf("\n got %+v\nwant %+v", all[i], want)
			}
		}
		if counters[1] == counters[0] || counters[2] != counters[0] {
			t.Error("a route with its own limits.webSockets counts its own, and no other does")
		}
	}
}
