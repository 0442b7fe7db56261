// Command leat echoes by Leat under its own server, in the event style: nothing
// waits for a peer, and one that reads too slowly is not read. Its streams are
// records by the clock, its files what the server does with a folder, and its
// topic is any one, with what it keeps by default.
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
	srv, err := leat.New(&leat.Config{
		Listen:    []string{"http://" + o.Addr},
		Documents: o.Files,
		Limits:    leat.Limits{Requests: leat.Unlimited}, // all that is published comes on one connection
		Topics:    []leat.TopicRule{{Match: ">", Subscribe: "public", Publish: "public"}},
		Logger:    slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	deflate := leat.Off
	if o.Deflate {
		deflate = leat.On
	}
	options := &leat.SocketOptions{Deflate: deflate, Message: echo}
	srv.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		_, _ = leat.Upgrade(w, r, options) // a request that is refused is answered
	})
	// What a callback closes over lives as long as its socket: here the request.
	srv.HandleFunc("/ws-closure", func(w http.ResponseWriter, r *http.Request) {
		_, _ = leat.Upgrade(w, r, &leat.SocketOptions{Deflate: deflate, Message: func(s *leat.Socket, m leat.Message) {
			if r.URL.Path != "" {
				echo(s, m)
			}
		}})
	})
	srv.HandleFunc("/ndjson", records(leat.NDJSON))
	srv.HandleFunc("/sse", records(leat.SSE))
	srv.Handle("/topic", srv.Topic("bench"))
	srv.HandleFunc("/plain", peer.Plain)
	return srv.Run(ctx)
}

func echo(s *leat.Socket, m leat.Message) {
	_, err := s.Send(m)
	if errors.Is(err, leat.ErrSlowReader) {
		_, _ = s.Write(s.Context(), m) // an error has ended the socket
	}
}

// records is a handler that sends each reader records as often as it wants.
func records(open func(http.ResponseWriter, *http.Request, *leat.StreamOptions) (*leat.Stream, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, err := open(w, r, nil)
		if err != nil {
			return // the request has been answered
		}
		n := 0
		s.Every(peer.Every(r), func() error {
			err := s.Send(peer.NewRecord(n))
			if err == nil {
				n++
			}
			return err
		})
	}
}
