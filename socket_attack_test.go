package leat_test

import (
	"strings"
	"testing"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// A frame that comes with the handshake makes Open come at the same time as the
// end of Upgrade.
func TestOpenMayPingAtOnce(t *testing.T) {
	o, ends := closes()
	o.Open = func(s *leat.Socket) {
		if err := s.Ping([]byte("first")); err != nil {
			t.Errorf("Ping: %v", err)
		}
	}
	url := socketServer(t, nil, &o, nil)
	host, _, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	early := ws.AppendClose(nil, ws.Header{Masked: true, Key: peerKey}, 1000, "")
	for range 100 {
		p := shakeOn(t, dial(t, "http://"+host), host, "/ws", "X-Last: yes\r\n\r\n"+string(early)+"behind: it")
		p.want("ping first", "close 1000")
		p.wantEnd()
		if end := within(t, ends); end.code != 1000 {
			t.Error(end)
		}
	}
}
