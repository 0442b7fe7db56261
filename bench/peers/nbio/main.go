// Command nbio echoes by lesismal/nbio, whose pollers read and here run the
// handlers themselves: no goroutine for an idle connection, and none is woken for
// a message.
package main

import (
	"context"
	"net/http"
	"os"

	"github.com/lesismal/nbio"
	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"

	"github.com/leat-dev/leat/bench/peers/peer"
)

func main() { os.Exit(peer.Main(run)) }

func run(ctx context.Context, o peer.Options) error {
	logging.SetLevel(logging.LevelNone)
	up := websocket.NewUpgrader()
	up.EnableCompression(o.Deflate)
	up.OnMessage(func(c *websocket.Conn, kind websocket.MessageType, b []byte) {
		if o.Deflate {
			c.EnableWriteCompression(true)
		}
		_ = c.WriteMessage(kind, b) // an error closes the connection
	})
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) { _, _ = up.Upgrade(w, r, nil) })
	e := nbhttp.NewEngine(nbhttp.Config{
		Network: "tcp", Addrs: []string{o.Addr}, Handler: mux,
		MaxLoad: 1 << 20, ReleaseWebsocketPayload: true,
		IOMod:          nbhttp.IOModNonBlocking,
		EpollMod:       nbio.EPOLLET,
		ServerExecutor: func(f func()) { f() },
	})
	if err := e.Start(); err != nil {
		return err
	}
	<-ctx.Done() // Stop would wait for connections
	return nil
}
