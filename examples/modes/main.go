// Modes shows the ways to send a WebSocket message. The message that comes
// names one: buffered, blocking, non-blocking or more.
//
//	go run ./examples/modes
//	go run ./examples/client ws://localhost:4000/modes buffered blocking non-blocking more
package main

import (
	"bytes"
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
	srv.HandleFunc("/modes", func(w http.ResponseWriter, r *http.Request) {
		_, _ = leat.Upgrade(w, r, &leat.SocketOptions{Message: answer}) // an error has been answered
	})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := srv.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

func answer(s *leat.Socket, m leat.Message) {
	mode := string(m.Data)
	send, ok := modes[mode]
	if !ok {
		_ = s.CloseWith(leat.CloseUnsupported, "modes are buffered, blocking, non-blocking and more")
		return
	}
	n, err := send(s)
	log.Printf("%s: %d bytes, error %v", mode, n, err)
}

// modes are the ways to send. Each answers how many bytes were taken.
var modes = map[string]func(*leat.Socket) (int, error){
	// The whole message is queued, or nothing of it. It never waits.
	"buffered": func(s *leat.Socket) (int, error) {
		return s.Sendf("The temperature today is: %d", 21)
	},
	// It returns when the system has taken the message, and needs a goroutine
	// while it waits: a callback has one.
	"blocking": func(s *leat.Socket) (int, error) {
		return s.Write(s.Context(), leat.Binary(bytes.Repeat([]byte{0x10}, 1000*1000)))
	},
	// What fits is queued. The example nonblocking sends the rest as well.
	"non-blocking": func(s *leat.Socket) (int, error) {
		return s.TrySend(leat.Text("as much as fits"))
	},
	// Each piece is a frame as it is. The last one ends the message.
	"more": func(s *leat.Socket) (int, error) {
		all := 0
		for _, piece := range []leat.Message{
			{Type: leat.TextMessage, Data: []byte("three ")},
			{Continuation: true, Data: []byte("frames, one ")},
			{Continuation: true, Data: []byte("message"), Last: true},
		} {
			n, err := s.Send(piece)
			if all += n; err != nil {
				return all, err
			}
		}
		return all, nil
	},
}
