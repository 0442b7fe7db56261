// Echo sends each WebSocket message back as it came, text or binary.
//
//	go run ./examples/echo
//	go run ./examples/client ws://localhost:4000/echo hello
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
	flag.Parse()
	srv, err := leat.New(&leat.Config{Listen: []string{*listen}})
	if err != nil {
		log.Fatal(err)
	}
	srv.HandleFunc("/echo", echo)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := srv.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

// echo opens the socket and returns: the callback does the rest, and nothing
// waits between two messages. An error of Upgrade has been answered.
func echo(w http.ResponseWriter, r *http.Request) {
	_, _ = leat.Upgrade(w, r, &leat.SocketOptions{Message: func(s *leat.Socket, m leat.Message) {
		if _, err := s.Send(m); err != nil {
			log.Print(err) // the peer sends faster than it reads
		}
	}})
}
