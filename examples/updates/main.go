// Updates sends ten updates, one a second, from a loop in the handler.
//
//	go run ./examples/updates
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
		s, err := leat.NDJSON(w, r, nil)
		if err != nil {
			return // already answered
		}
		defer s.Close()
		for i := range 10 {
			err := s.Send(map[string]any{
				"message":   fmt.Sprintf("Update #%d", i),
				"timestamp": time.Now().Unix(),
			})
			if err != nil {
				return // the reader left
			}
			select {
			case <-time.After(*every):
			case <-s.Done():
				return
			}
		}
	})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := srv.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
