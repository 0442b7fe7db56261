// Command gws echoes by lxzan/gws with its event handler and pooled messages, in
// a goroutine of its own, which lets the handler's memory go. ParallelEnabled,
// which its documentation recommends, loses the order of messages; it is off.
package main

import (
	"context"
	"net/http"
	"os"

	"github.com/lxzan/gws"

	"github.com/leat-dev/leat/bench/peers/peer"
)

func main() { os.Exit(peer.Main(run)) }

func run(ctx context.Context, o peer.Options) error {
	up := gws.NewUpgrader(echo{}, &gws.ServerOption{
		PermessageDeflate:   gws.PermessageDeflate{Enabled: o.Deflate},
		ReadMaxPayloadSize:  64 << 20,
		WriteMaxPayloadSize: 64 << 20,
	})
	return peer.Serve(ctx, o.Addr, func(w http.ResponseWriter, r *http.Request) {
		if c, err := up.Upgrade(w, r); err == nil {
			go c.ReadLoop()
		}
	})
}

type echo struct{ gws.BuiltinEventHandler }

// OnMessage sends the message back.
func (echo) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	_ = c.WriteMessage(m.Opcode, m.Bytes()) // an error closes the connection
}

// OnPing answers.
func (echo) OnPing(c *gws.Conn, payload []byte) { _ = c.WritePong(payload) }
