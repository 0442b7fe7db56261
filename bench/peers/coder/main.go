// Command coder echoes by coder/websocket, in the handler as its documentation
// wants, with a buffer that is used again.
package main

import (
	"bytes"
	"context"
	"net/http"
	"os"

	"github.com/coder/websocket"

	"github.com/leat-dev/leat/bench/peers/peer"
)

func main() { os.Exit(peer.Main(run)) }

func run(ctx context.Context, o peer.Options) error {
	options := &websocket.AcceptOptions{}
	if o.Deflate {
		options.CompressionMode = websocket.CompressionNoContextTakeover
	}
	return peer.Serve(ctx, o.Addr, func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, options); err == nil {
			// Not the server's context: one that can be cancelled costs more.
			echo(context.Background(), c)
		}
	})
}

func echo(ctx context.Context, c *websocket.Conn) {
	defer func() { _ = c.CloseNow() }()
	c.SetReadLimit(-1)
	var buf bytes.Buffer
	for {
		kind, r, err := c.Reader(ctx)
		if err != nil {
			return
		}
		buf.Reset()
		if _, err := buf.ReadFrom(r); err != nil {
			return
		}
		if c.Write(ctx, kind, buf.Bytes()) != nil {
			return
		}
	}
}
