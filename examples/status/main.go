// Status sends the time each second, and a page that shows it as it comes.
//
//	go run ./examples/status
//	curl -N http://localhost:4000/status
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

const page = `<!doctype html><title>Status</title><h1 id="time"></h1><script type="module">
const resp = await fetch('/status')
let rest = ''
for await (const text of resp.body.pipeThrough(new TextDecoderStream())) {
	const lines = (rest + text).split('\n')
	rest = lines.pop() // a record may come in pieces
	for (const line of lines) {
		if (line) document.getElementById('time').textContent = new Date(JSON.parse(line).time)
	}
}
</script>`

func main() {
	listen := flag.String("listen", "http://localhost:4000", "where to listen")
	flag.Parse()
	srv, err := leat.New(&leat.Config{Listen: []string{*listen}})
	if err != nil {
		log.Fatal(err)
	}
	srv.HandleFunc("/status", streamStatus)
	srv.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, page) // a reader that has left needs no page
	})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := srv.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

// streamStatus hands the stream over and returns: nothing waits between two
// records. The stream ends when the reader leaves.
func streamStatus(w http.ResponseWriter, r *http.Request) {
	s, err := leat.NDJSON(w, r, nil)
	if err != nil {
		return // already answered
	}
	s.Every(time.Second, func() error {
		return s.Send(map[string]any{"time": time.Now().UnixMilli()})
	})
}
