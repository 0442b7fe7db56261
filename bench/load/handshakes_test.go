package load_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/leat-dev/leat/bench/load"
)

func plain(t *testing.T, text string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }))
	t.Cleanup(s.Close)
	return s.URL + "/plain"
}

func TestHandshakesAreCounted(t *testing.T) {
	s := load.Handshakes{URL: serve(t, right), Plain: plain(t, load.Plain), Count: 1000, Open: 200, PID: os.Getpid()}
	r, err := s.Run()
	if err != nil {
		t.Fatal(err)
	}
	if r.Get.Messages != 200 || r.Upgrade.Messages != 200 || r.Storm.Messages != 800 || r.Get.CPU <= 0 || r.Upgrade.CPU <= 0 || r.Storm.CPU <= 0 {
		t.Errorf("%+v", r)
	}
}

func TestHandshakesThatAreRefusedFail(t *testing.T) {
	var n atomic.Int64
	refuse := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 150 {
			http.Error(w, "too many", http.StatusServiceUnavailable)
			return
		}
		hijack(w)
	}))
	t.Cleanup(refuse.Close)
	s := load.Handshakes{URL: "ws" + strings.TrimPrefix(refuse.URL, "http") + "/", Plain: plain(t, load.Plain), Count: 300, Open: 11}
	if _, err := s.Run(); err == nil || !strings.Contains(err.Error(), "503") {
		t.Error(err)
	}
	s.Plain = plain(t, "other\n")
	if _, err := s.Run(); err == nil || !strings.Contains(err.Error(), `the answer is "o`) {
		t.Error(err)
	}
}

// hijack answers the load's handshake, and leaves the connection alone.
func hijack(w http.ResponseWriter) {
	c, b, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
	_, _ = b.ReadByte()
	_ = c.Close()
}
