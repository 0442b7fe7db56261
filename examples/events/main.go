// Events sends Server-Sent Events: a tick from a ticker, and an update for
// each message that is posted.
//
//	go run ./examples/events
//	curl -N http://localhost:4000/events
//	curl -d 'Hello' http://localhost:4000/say
package main

import (
	"context"
	"flag"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/leat-dev/leat"
)

const page = `<!doctype html><title>Events</title><pre id="log"></pre><script>
const source = new EventSource('/events')
for (const name of ['tick', 'update']) {
	source.addEventListener(name, e => document.getElementById('log').append(name + ': ' + e.data + '\n'))
}
</script>`

// updates are for whichever reader comes first; each update has one reader.
var updates = make(chan string)

func main() {
	listen := flag.String("listen", "http://localhost:4000", "where to listen")
	every := flag.Duration("every", 15*time.Second, "time between two ticks")
	flag.Parse()
	srv, err := leat.New(&leat.Config{Listen: []string{*listen}})
	if err != nil {
		log.Fatal(err)
	}
	srv.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) { streamEvents(w, r, *every) })
	srv.HandleFunc("POST /say", say)
	srv.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, page) // a reader that has left needs no page
	})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := srv.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

func streamEvents(w http.ResponseWriter, r *http.Request, every time.Duration) {
	s, err := leat.SSE(w, r, nil)
	if err != nil {
		return // already answered
	}
	defer s.Close()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		event := leat.Event{Name: "tick"}
		select {
		case <-s.Done(): // the reader left, or the server stops
			return
		case now := <-ticker.C:
			event.Data = now.Format(time.TimeOnly) // an event without data would never fire
		case text := <-updates:
			event = leat.Event{Name: "update", Data: text} // of any number of lines
		}
		if err := s.SendEvent(event); err != nil {
			return
		}
	}
}

func say(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body) // limits.body bounds it
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case updates <- string(text):
		w.WriteHeader(http.StatusNoContent)
	case <-r.Context().Done():
	}
}
