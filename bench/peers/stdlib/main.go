// Command stdlib streams records from handlers of net/http, and serves files by
// it: a loop over a ticker that writes and flushes, as one writes it by hand. So
// are its readers of a topic: a loop over a channel.
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
	var hub peer.Hub
	mux.HandleFunc("GET /topic", topic(&hub))
	mux.HandleFunc("POST /topic", peer.Publish(hub.Publish))
	mux.HandleFunc("GET /plain", peer.Plain)
	if o.Files != "" {
		mux.Handle("GET /", http.FileServer(http.Dir(o.Files)))
	}
	return peer.ServeAll(ctx, o.Addr, mux)
}

// records is a handler that sends each reader records as often as it wants.
func records(mime, format string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		flush := begin(w, mime)
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

// begin sets what the answers have in common, and returns what flushes them.
func begin(w http.ResponseWriter, mime string) (flush func() error) {
	w.Header().Set("Content-Type", mime)
	w.Header().Set("Cache-Control", "no-cache")
	return http.NewResponseController(w).Flush
}

// topic is a handler that sends each reader what is published.
func topic(hub *peer.Hub) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		mime, before, after := "application/x-ndjson", "", "\n"
		if r.Header.Get("Accept") == "text/event-stream" {
			mime, before, after = "text/event-stream", "data: ", "\n\n"
		}
		flush := begin(w, mime)
		reader := hub.Join()
		defer reader.Leave()
		if flush() != nil {
			return
		}
		var line []byte
		for {
			select {
			case m := <-reader.Messages:
				line = append(append(append(line[:0], before...), m...), after...)
				if _, err := w.Write(line); err != nil || flush() != nil {
					return
				}
			case <-r.Context().Done():
				return
			}
		}
	}
}
