package leat_test

import (
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

func TestAnIdleConnectionIsClosedWithoutAnAnswer(t *testing.T) {
	_, url := start(t, &leat.Config{Timeouts: leat.Timeouts{Inactivity: 100 * time.Millisecond}}, nil)
	for request, want := range map[string]string{
		"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n":    "HTTP/1.1 204 ", // RFC 9110, 9.3.7
		"OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n\r\n": "HTTP/1.1 421 ",
		"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n":        "HTTP/1.1 400 ",
		"GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n":    "HTTP/1.1 404 ",
	} {
		got := exchange(t, url, request)
		if !strings.HasPrefix(got, want) || strings.Count(got, "HTTP/1.1") != 1 {
			t.Errorf("%q: %q", request, got)
		}
	}
}
