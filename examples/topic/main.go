// Topic publishes a number each second and takes what others publish; a page reads
// both with EventSource, which comes back by itself and goes on where it was.
//
//	go run ./examples/topic
//	curl -N 'http://localhost:4000/live/count?history=all'
//	curl -d 'Hello' http://localhost:4000/live/said
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

const page = `<!doctype html><title>Topics</title><pre id="log"></pre><script>
const source = new EventSource('/live/?topic=count&topic=said&history=10&envelope')
source.onmessage = e => {
	const { topic, data } = JSON.parse(e.data)
	document.getElementById('log').append(topic + ': ' + data + '\n')
}
source.addEventListener('leat.gap', e => document.getElementById('log').append('missing: ' + e.data + '\n'))
</script>`

func main() {
	listen := flag.String("listen", "http://localhost:4000", "where to listen")
	every := flag.Duration("every", time.Second, "time between two numbers")
	flag.Parse()
	srv, err := leat.New(&leat.Config{
		Listen: []string{*listen},
		Topics: []leat.TopicRule{{Match: "said", Publish: "public"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	srv.Handle("/live/", srv.Topics("/live/"))
	srv.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, page) // a reader that has left needs no page
	})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go count(ctx, srv.Topic("count"), *every)
	if err := srv.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

// count publishes a number now and then. Whether anybody reads makes no difference
// to it.
func count(ctx context.Context, to *leat.Topic, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for n := 1; ; n++ {
		if _, err := to.Publish(ctx, leat.JSON(n)); err != nil {
			return // the server stops
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
