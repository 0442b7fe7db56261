package site

import (
	"cmp"
	"net/http"
	"sync"
	"time"

	"github.com/leat-dev/leat"
)

// Fill sets what the actions want where the configuration says nothing: the
// proxies between here and a browser cut a WebSocket that is silent for a
// minute, so it is asked each 25 seconds whether it is still there.
func Fill(c *leat.Config) {
	c.WebSockets.Ping = cmp.Or(c.WebSockets.Ping, 25*time.Second)
}

// Register gives srv the actions of the site, each under its own URL, but only
// those that an action route of srv reaches. Where a topic route leads to
// /live/machine as well, the machine is a topic, too, and there are numbers to try
// topics with. It reads the machine's counters once, so that the first record has
// rates.
func Register(srv *leat.Server) {
	here := sync.OnceValue(func() *machine { return newMachine(newSampler(thisMachine(), time.Now)) })
	chat := newRoom(time.Now, srv.Topic("chat.room"))
	actions := []struct {
		url string
		new func() http.Handler
	}{
		{"/api/machine", func() http.Handler { return here() }},
		{"/api/progress", func() http.Handler { return http.HandlerFunc(progress) }},
		{"/api/sensor", func() http.Handler { return newSensor() }},
		{"/api/quotes", func() http.Handler { return http.HandlerFunc(quotes) }},
		{"/api/download", func() http.Handler { return http.HandlerFunc(download) }},
		{"/ws/echo", func() http.Handler { return http.HandlerFunc(echo) }},
		{"/ws/chat", func() http.Handler { return http.HandlerFunc(chat.bySocket) }},
		{"/api/chat", func() http.Handler { return http.HandlerFunc(chat.byPost) }},
	}
	for _, a := range actions {
		if srv.Routed(a.url) {
			srv.Action(a.url, a.new())
		}
	}
	if srv.Routed("/api/machine") && srv.Routed("/live/machine") {
		here().publish(srv)
		numbers(srv)
	}
}
