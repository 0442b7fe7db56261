// Command gosse sends events by tmaxmax/go-sse with its own provider, which keeps
// nothing for those who come back.
package main

import (
	"context"
	"net/http"
	"os"

	"github.com/tmaxmax/go-sse"

	"github.com/leat-dev/leat/bench/peers/peer"
)

func main() { os.Exit(peer.Main(run)) }

func run(ctx context.Context, o peer.Options) error {
	s := &sse.Server{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /topic", func(w http.ResponseWriter, r *http.Request) {
		// The library's own answer waits for the first event.
		w.Header().Set("Content-Type", "text/event-stream")
		if http.NewResponseController(w).Flush() == nil {
			s.ServeHTTP(w, r)
		}
	})
	mux.HandleFunc("POST /topic", peer.Publish(func(body []byte) error {
		m := &sse.Message{}
		m.AppendData(string(body))
		return s.Publish(m)
	}))
	return peer.ServeAll(ctx, o.Addr, mux)
}
