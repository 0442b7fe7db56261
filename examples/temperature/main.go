// Temperature sends a formatted text when a WebSocket opens, and again and again,
// from a loop in the handler.
//
//	go run ./examples/temperature
//	go run ./examples/client ws://localhost:4000/temperature
package main

import (
	"context"
	"flag"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/leat-dev/leat"
)

const page = `<!doctype html><title>Temperature</title><h1 id="text"></h1><script>
new WebSocket('/temperature').onmessage = e => document.getElementById('text').textContent = e.data
</script>`

func main() {
	listen := flag.String("listen", "http://localhost:4000", "where to listen")
	every := flag.Duration("every", time.Second, "time between two texts")
	flag.Parse()
	srv, err := leat.New(&leat.Config{Listen: []string{*listen}})
	if err != nil {
		log.Fatal(err)
	}
	srv.HandleFunc("/temperature", func(w http.ResponseWriter, r *http.Request) { temperature(w, r, *every) })
	srv.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, page) // a reader that has left needs no page
	})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := srv.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

func temperature(w http.ResponseWriter, r *http.Request, every time.Duration) {
	s, err := leat.Upgrade(w, r, nil)
	if err != nil {
		return // already answered
	}
	defer s.Close()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if _, err := s.Sendf("The temperature today is: %d", 20+rand.IntN(5)); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-s.Done(): // the peer closed, or the server stops
			return
		}
	}
}
