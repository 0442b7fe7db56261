// Command stdlib streams records from handlers of net/http, and serves files by
// it: a loop over a ticker that writes and flushes, as one writes it by hand.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/leat-dev/leat/bench/peers/peer"
)

func main() { os.Exit(peer.Main(run)) }

func run(ctx context.Context, o peer.Options) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ndjson", records("application/x-ndjson", "%s\n"))
	mux.HandleFunc("GET /sse", records("text/event-stream", "data: %s\n\n"))
	mux.HandleFunc("GET /plain", peer.Plain)
	if o.Files != "" {
		mux.Handle("GET /", http.FileServer(http.Dir(o.Files)))
	}
	return peer.ServeAll(ctx, o.Addr, mux)
}

// records is a handler that sends each reader records as often as it wants.
func records(mime, format string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mime)
		w.Header().Set("Cache-Control", "no-cache")
		flush := http.NewResponseController(w).Flush
		tick := time.NewTicker(peer.Every(r))
		defer tick.Stop()
		for n := 0; ; n++ {
			b, err := json.Marshal(peer.NewRecord(n))
			if err != nil {
				return
			}
			if _, err := fmt.Fprintf(w, format, b); err != nil || flush() != nil {
				return
			}
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	}
}
