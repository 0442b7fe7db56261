// Nonblocking sends one large WebSocket message without waiting and without
// queueing it whole: as much as fits, and the rest when it may go on.
//
//	go run ./examples/nonblocking
//	go run ./examples/client ws://localhost:4000/large
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"os"
	"os/signal"

	"github.com/leat-dev/leat"
)

func main() {
	listen := flag.String("listen", "http://localhost:4000", "where to listen")
	size := flag.Int("size", 32<<20, "bytes of the message")
	flag.Parse()
	srv, err := leat.New(&leat.Config{Listen: []string{*listen}})
	if err != nil {
		log.Fatal(err)
	}
	large := make([]byte, *size) // every socket sends the same bytes
	for i := range large {
		large[i] = byte(i >> 10)
	}
	srv.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) { send(w, r, large) })
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := srv.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

func send(w http.ResponseWriter, r *http.Request, large []byte) {
	rest, parts := leat.Binary(large), 0
	goOn := func(s *leat.Socket) {
		n, err := s.TrySend(rest)
		if err != nil {
			log.Print(err)
			return
		}
		parts++
		rest = rest.Rest(n) // a continuation of what was taken
		if len(rest.Data) == 0 {
			log.Printf("sent in %d parts", parts)
			_ = s.Close()
		}
	}
	// Callbacks come one after the other, so rest needs no lock.
	_, _ = leat.Upgrade(w, r, &leat.SocketOptions{ // an error has been answered
		Open:       goOn,
		Writable:   goOn,
		MaxMessage: int64(len(large)),
	})
}
