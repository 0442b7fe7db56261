package load_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/leat-dev/leat/bench/load"
)

// An echo sends a message back as its n-th; it may do so wrongly.
type echo func(c *websocket.Conn, kind int, message []byte, n int) error

func right(c *websocket.Conn, kind int, message []byte, _ int) error {
	return c.WriteMessage(kind, message)
}

func serve(t *testing.T, e echo) string {
	t.Helper()
	up := websocket.Upgrader{EnableCompression: true, CheckOrigin: func(*http.Request) bool { return true }}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for n := 0; ; n++ {
			kind, message, err := c.ReadMessage()
			if err != nil || e(c, kind, message, n) != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http") + "/"
}

func TestEchoesThatAreRightAreCounted(t *testing.T) {
	for name, e := range map[string]load.Echo{
		"one at a time":          {Conns: 10, Size: 16},
		"sixteen under way":      {Conns: 3, Size: 200, Depth: 16},
		"text":                   {Conns: 1, Size: 1024, Text: true},
		"fragments":              {Conns: 2, Size: 70_000, Fragments: 7, Depth: 2},
		"more than sockets hold": {Conns: 2, Size: 1 << 20, Depth: 8},
		"compressed":             {Conns: 2, Size: 1024, Depth: 4, Deflate: true},
		"at a rate":              {Conns: 7, Size: 64, Rate: 2000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e.URL, e.PID, e.Time = serve(t, right), os.Getpid(), 100*time.Millisecond
			r, err := e.Run()
			if err != nil {
				t.Fatal(err)
			}
			if r.Messages < 1 || r.CPU <= 0 || r.Own <= 0 || r.Rate <= 0 || r.P50 <= 0 || r.P99 < r.P50 || r.Memory <= 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestEchoesThatAreWrongAreTold(t *testing.T) {
	var held []byte
	for _, c := range []struct {
		name string
		e    echo
		want string
	}{
		{"a byte of the head", change(0), "wrong echo: its head"},
		{"a byte of the body", change(60), "wrong echo behind byte 16"},
		{"the last byte", change(99), "wrong echo behind byte 16"},
		{"a byte too many", func(c *websocket.Conn, kind int, m []byte, n int) error {
			return c.WriteMessage(kind, append(m, 'a'))
		}, "an echo of 101 bytes"},
		{"a byte too few", func(c *websocket.Conn, kind int, m []byte, n int) error {
			return c.WriteMessage(kind, m[:99])
		}, "an echo of 99 bytes"},
		{"twice", func(c *websocket.Conn, kind int, m []byte, n int) error {
			_ = c.WriteMessage(kind, m)
			return c.WriteMessage(kind, m)
		}, "wrong echo: its head"},
		{"in the wrong order", func(c *websocket.Conn, kind int, m []byte, n int) error {
			if n == 0 {
				held = bytes.Clone(m)
				return nil
			}
			if n == 1 {
				_ = c.WriteMessage(kind, m)
				m = held
			}
			return c.WriteMessage(kind, m)
		}, "wrong echo: its head"},
		{"a close", func(c *websocket.Conn, kind int, m []byte, n int) error {
			return c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1011, "no"))
		}, "the server closed"},
		{"an end", func(c *websocket.Conn, kind int, m []byte, n int) error {
			return c.NetConn().Close()
		}, "connection 0:"},
		{"not compressed", func(c *websocket.Conn, kind int, m []byte, n int) error {
			c.EnableWriteCompression(false)
			return c.WriteMessage(kind, m)
		}, "the echo is not compressed"},
		{"compressed wrongly", func(c *websocket.Conn, kind int, m []byte, n int) error {
			m[n%3]++
			return c.WriteMessage(kind, m)
		}, "wrong echo once inflated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := load.Echo{URL: serve(t, c.e), Conns: 1, Size: 100, Depth: 2, Time: 10 * time.Second, Deflate: strings.Contains(c.name, "compressed")}
			if _, err := e.Run(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// change is an echo with another byte at one place, once in a while.
func change(at int) echo {
	return func(c *websocket.Conn, kind int, m []byte, n int) error {
		if n == 20 {
			m[at] ^= 1
		}
		return c.WriteMessage(kind, m)
	}
}

func TestTheRateIsKept(t *testing.T) {
	e := load.Echo{URL: serve(t, right), Conns: 3, Size: 64, Rate: 1000, Time: 500 * time.Millisecond}
	r, err := e.Run()
	if err != nil || r.Messages < 1 || r.Rate > 1100 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestServersThatDoNotKeepUpWithTheRateFail(t *testing.T) {
	e := load.Echo{URL: serve(t, func(*websocket.Conn, int, []byte, int) error { return nil }), Conns: 2, Size: 64, Depth: 5, Rate: 1000, Time: 10 * time.Second}
	if _, err := e.Run(); err == nil || !strings.Contains(err.Error(), "5 echoes are owed") {
		t.Error(err)
	}
}

func TestPingsAreAnswered(t *testing.T) {
	pongs := make(chan string, 1)
	e := load.Echo{URL: serve(t, func(c *websocket.Conn, kind int, m []byte, n int) error {
		if n == 0 {
			c.SetPongHandler(func(s string) error { pongs <- s; return nil })
			_ = c.WriteControl(websocket.PingMessage, []byte("are you there"), time.Time{})
		}
		return c.WriteMessage(kind, m)
	}), Conns: 1, Size: 64, Time: 50 * time.Millisecond}
	if _, err := e.Run(); err != nil {
		t.Fatal(err)
	}
	if got := <-pongs; got != "are you there" {
		t.Errorf("%q", got)
	}
}

func TestOnlyLoopbackIsLoaded(t *testing.T) {
	for _, url := range []string{"ws://192.0.2.1:80/", "ws://example.com:80/", "http://127.0.0.1:80/", "ws://127.0.0.1/", "ws://[::1]:80/"} {
		e := load.Echo{URL: url, Conns: 1, Size: 64}
		if _, err := e.Run(); err == nil {
			t.Errorf("%s is taken", url)
		}
	}
}

func TestServersWithoutCompressionAreRefused(t *testing.T) {
	up := websocket.Upgrader{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := up.Upgrade(w, r, nil); err == nil {
			defer c.Close()
			_, _, _ = c.ReadMessage()
		}
	}))
	defer s.Close()
	e := load.Echo{URL: "ws" + strings.TrimPrefix(s.URL, "http"), Conns: 1, Size: 64, Deflate: true}
	if _, err := e.Run(); err == nil || !strings.Contains(err.Error(), "granted without context: false") {
		t.Error(err)
	}
}
