package leat_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// loadText is Load for what a file holds.
func loadText(t *testing.T, text string) (*leat.Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "web.json5")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return leat.Load(file)
}

func TestTheKeysOfWebSocketsReachTheConfig(t *testing.T) {
	c, err := loadText(t, `{
	limits: { webSockets: 10, maxMessage: '2MB', maxFrame: '4K', maxPacket: '8K' },
	webSockets: { enable: false, ping: '1min', protocol: 'chat', requireProtocol: true, validateUTF: false, preserveFrames: true, origins: '*', deflate: false },
	routes: [{ match: '/ws', handler: 'action', limits: { maxPacket: 'unlimited' }, webSockets: { enable: true, ping: 'never', protocol: [], requireProtocol: false, origins: [] } }],
}`)
	if err != nil {
		t.Fatal(err)
	}
	if l := c.Limits; l != (leat.Limits{WebSockets: 10, MaxMessage: 2 << 20, MaxFrame: 4 << 10, MaxPacket: 8 << 10}) {
		t.Errorf("%+v", l)
	}
	server := leat.WebSockets{
		Enable: leat.Off, Ping: time.Minute, Protocols: []string{"chat"}, RequireProtocol: leat.On, ValidateUTF: leat.Off,
		PreserveFrames: leat.On, Deflate: leat.Off, Origins: []string{"*"},
	}
	if !reflect.DeepEqual(c.WebSockets, server) {
		t.Errorf("%+v", c.WebSockets)
	}
	route := leat.WebSockets{Enable: leat.On, Ping: leat.Never, Protocols: []string{}, RequireProtocol: leat.Off, Origins: []string{}}
	if r := c.Routes[0]; !reflect.DeepEqual(r.WebSockets, route) || r.Limits.MaxPacket != leat.Unlimited {
		t.Errorf("%+v", r)
	}
}

func TestAWrongOriginIsNamedWithItsPlaceAndCure(t *testing.T) {
	_, err := loadText(t, "{\n\twebSockets: { origins: ['https://a.com', 'https://a.com/x'] },\n}")
	var wrong *leat.ConfigError
	if !errors.As(err, &wrong) || wrong.Line != 2 || wrong.Col != 43 || wrong.Path != "webSockets.origins[1]" || wrong.Hint != "write 'https://a.com'" {
		t.Errorf("%v", err)
	}
}

func TestAServerDoesNotStartWithWrongWebSockets(t *testing.T) {
	for want, c := range map[string]*leat.Config{
		`webSockets.origins[0]: "a b" is not an origin; write scheme, host and port, like https://app.example.com:8443`: {
			WebSockets: leat.WebSockets{Origins: []string{"a b"}},
		},
		`webSockets.protocol[1]: "chat" is there already; remove one of the two`: {
			WebSockets: leat.WebSockets{Protocols: []string{"chat", "chat"}},
		},
		`routes[0].limits.maxFrame: 1 is less than a control frame holds; write 125 or more`: {
			Routes: []leat.Route{{Limits: leat.Limits{MaxFrame: 1}}},
		},
		`limits.webSockets: -2 is negative; write 'unlimited' for no limit`: {Limits: leat.Limits{WebSockets: -2}},
	} {
		if _, err := leat.New(c); err == nil || err.Error() != want {
			t.Errorf("%v\nis not\n%s", err, want)
		}
	}
}

func ExampleWebSockets() {
	c := &leat.Config{
		WebSockets: leat.WebSockets{Ping: time.Minute, Origins: []string{"https://*.example.com"}},
		Routes: []leat.Route{
			{Match: "/public/", Handler: "action", WebSockets: leat.WebSockets{Origins: []string{"*"}}},
			{Match: "/feed", Handler: "action", WebSockets: leat.WebSockets{Enable: leat.Off}},
			{Handler: "action"},
		},
	}
	_, err := leat.New(c)
	fmt.Println(err)
	// Output: <nil>
}

func ExampleSwitch() {
	c := &leat.Config{
		WebSockets: leat.WebSockets{Deflate: leat.Off}, // unless a route turns it on
		Routes: []leat.Route{
			{Match: "/log", Handler: "action", WebSockets: leat.WebSockets{Deflate: leat.On}},
			{Handler: "action"}, // zero: as the server has it
		},
	}
	_, err := leat.New(c)
	fmt.Println(err)
	// Output: <nil>
}
