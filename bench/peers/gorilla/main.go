// Command gorilla echoes by gorilla/websocket as its documentation recommends
// for speed: pooled write buffers, a read buffer that is used again, and a
// goroutine of its own, which lets the handler's memory go.
package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/leat-dev/leat/bench/peers/peer"
)

func main() { os.Exit(peer.Main(run)) }

func run(ctx context.Context, o peer.Options) error {
	up := websocket.Upgrader{
		WriteBufferPool:   &sync.Pool{},
		EnableCompression: o.Deflate,
	}
	return peer.Serve(ctx, o.Addr, func(w http.ResponseWriter, r *http.Request) {
		if c, err := up.Upgrade(w, r, nil); err == nil {
			go echo(c)
		}
	})
}

func echo(c *websocket.Conn) {
	defer c.Close()
	var buf bytes.Buffer
	for {
		kind, r, err := c.NextReader()
		if err != nil {
			return
		}
		buf.Reset()
		if _, err := buf.ReadFrom(r); err != nil {
			return
		}
		if c.WriteMessage(kind, buf.Bytes()) != nil {
			return
		}
	}
}
