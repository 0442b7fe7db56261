// Command leat echoes by Leat under its own server, in the event style: nothing
// waits for a peer, and one that reads too slowly is not read.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"

	"github.com/leat-dev/leat"

	"github.com/leat-dev/leat/bench/peers/peer"
)

func main() { os.Exit(peer.Main(run)) }

func run(ctx context.Context, o peer.Options) error {
	srv, err := leat.New(&leat.Config{Listen: []string{"http://" + o.Addr}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	options := &leat.SocketOptions{Deflate: leat.Off, Message: echo}
	if o.Deflate {
		options.Deflate = leat.On
	}
	srv.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		_, _ = leat.Upgrade(w, r, options) // a request that is refused is answered
	})
	return srv.Run(ctx)
}

func echo(s *leat.Socket, m leat.Message) {
	_, err := s.Send(m)
	if errors.Is(err, leat.ErrSlowReader) {
		_, _ = s.Write(s.Context(), m) // an error has ended the socket
	}
}
