package site

import (
	"net/netip"
	"strings"
	"time"

	"github.com/leat-dev/leat"
)

// A tally is a message of play.numbers.
type tally struct {
	N int64 `json:"n"`
}

// numbers counts up in the topic play.numbers, five times a second while somebody
// reads it. Each tenth one has an event name. On its own it shows nothing: it is
// for trying what topics do.
func numbers(srv *leat.Server) {
	var n int64
	collect(200*time.Millisecond, func(read []*leat.Topic) {
		n++
		m := leat.JSON(tally{n})
		if n%10 == 0 {
			m.Event = "ten"
		}
		for _, t := range read {
			publish(t, m)
		}
	}, srv.Topic("play.numbers"))
}

// Guard closes the topics of play to publishers where a listener can be reached
// from elsewhere: on one's own machine everybody may publish, but not everybody
// in a network.
func Guard(c *leat.Config) {
	for _, at := range c.Listen {
		if loopback(at) {
			continue
		}
		for i := range c.Topics {
			if strings.HasPrefix(c.Topics[i].Match, "play.") {
				c.Topics[i].Publish = "none"
			}
		}
	}
}

// loopback says whether only this machine can reach a listener. One that it does
// not understand others can reach, as they can what is behind a Unix socket.
func loopback(listen string) bool {
	_, rest, ok := strings.Cut(listen, "://")
	if !ok {
		rest = listen
	}
	host := strings.TrimSuffix(rest, "/")
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.Unmap().IsLoopback()
}
