// Disconnect is an ordinary handler that writes and flushes text, and stops
// when its reader has left.
//
//	go run ./examples/disconnect
//	curl -N http://localhost:4000/stream
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/leat-dev/leat"
)

func main() {
	listen := flag.String("listen", "http://localhost:4000", "where to listen")
	every := flag.Duration("every", time.Second, "time between two updates")
	flag.Parse()
	srv, err := leat.New(&leat.Config{Listen: []string{*listen}})
	if err != nil {
		log.Fatal(err)
	}
	srv.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		response := http.NewResponseController(w)
		for i := range 100 {
			if _, err := fmt.Fprintf(w, "Update %d\n", i); err != nil {
				return
			}
			if err := response.Flush(); err != nil { // it says when the reader is gone; Flusher does not
				return
			}
			select {
			case <-r.Context().Done():
				log.Print("client disconnected, stopping stream")
				return
			case <-time.After(*every):
			}
		}
	})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := srv.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
