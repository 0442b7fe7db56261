// Command gws echoes by lxzan/gws with its event handler and pooled messages, in
// a goroutine of its own, which lets the handler's memory go. ParallelEnabled,
// which its documentation recommends, loses the order of messages; it is off. What
// is published goes out by its Broadcaster, which frames it once.
package main

import (
	"context"
	"net/http"
	"os"
	"sync"

	"github.com/lxzan/gws"

	"github.com/leat-dev/leat/bench/peers/peer"
)

func main() { os.Exit(peer.Main(run)) }

func run(ctx context.Context, o peer.Options) error {
	readers := &topic{conns: map[*gws.Conn]struct{}{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/", upgrade(echo{}, o))
	mux.HandleFunc("GET /topic", upgrade(readers, o))
	mux.HandleFunc("POST /topic", peer.Publish(readers.publish))
	mux.HandleFunc("GET /plain", peer.Plain)
	return peer.ServeAll(ctx, o.Addr, mux)
}

func upgrade(h gws.Event, o peer.Options) http.HandlerFunc {
	up := gws.NewUpgrader(h, &gws.ServerOption{
		PermessageDeflate:   gws.PermessageDeflate{Enabled: o.Deflate},
		ReadMaxPayloadSize:  64 << 20,
		WriteMaxPayloadSize: 64 << 20,
	})
	return func(w http.ResponseWriter, r *http.Request) {
		if c, err := up.Upgrade(w, r); err == nil {
			go c.ReadLoop()
		}
	}
}

type echo struct{ gws.BuiltinEventHandler }

// OnMessage sends the message back.
func (echo) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	_ = c.WriteMessage(m.Opcode, m.Bytes()) // an error closes the connection
}

// OnPing answers.
func (echo) OnPing(c *gws.Conn, payload []byte) { _ = c.WritePong(payload) }

// topic is the readers of one.
type topic struct {
	gws.BuiltinEventHandler
	mu    sync.RWMutex
	conns map[*gws.Conn]struct{}
}

// OnOpen is a reader that comes.
func (t *topic) OnOpen(c *gws.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conns[c] = struct{}{}
}

// OnClose is one that goes.
func (t *topic) OnClose(c *gws.Conn, _ error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, c)
}

func (t *topic) publish(body []byte) error {
	b := gws.NewBroadcaster(gws.OpcodeText, body)
	defer b.Close()
	t.mu.RLock()
	defer t.mu.RUnlock()
	for c := range t.conns {
		_ = b.Broadcast(c) // an error closes the connection
	}
	return nil
}
