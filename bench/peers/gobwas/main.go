// Command gobwas echoes by gobwas/ws on bare connections: its upgrade without
// net/http, its frames, a goroutine for each connection, and what was answered is
// sent when nothing more has been read.
package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"

	"github.com/gobwas/ws"

	"github.com/leat-dev/leat/bench/peers/peer"
)

func main() { os.Exit(peer.Main(run)) }

func run(ctx context.Context, o peer.Options) error {
	if o.Deflate {
		return errors.New("compression is not among what this server does")
	}
	l, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		go open(c)
	}
}

// open leaves the stack that the handshake has grown.
func open(c net.Conn) {
	if _, err := (ws.Upgrader{}).Upgrade(c); err != nil {
		_ = c.Close()
		return
	}
	go echo(c)
}

func echo(c net.Conn) {
	defer c.Close()
	r, w := bufio.NewReaderSize(c, 4096), bufio.NewWriterSize(c, 4096)
	var body []byte
	for {
		h, err := ws.ReadHeader(r)
		if err != nil || h.OpCode == ws.OpClose {
			return
		}
		if int64(cap(body)) < h.Length {
			body = make([]byte, h.Length)
		}
		b := body[:h.Length]
		if _, err := io.ReadFull(r, b); err != nil {
			return
		}
		ws.Cipher(b, h.Mask, 0)
		if h.OpCode == ws.OpPing {
			h.OpCode = ws.OpPong
		}
		h.Masked = false
		if ws.WriteHeader(w, h) != nil {
			return
		}
		if _, err := w.Write(b); err != nil {
			return
		}
		if r.Buffered() == 0 && w.Flush() != nil {
			return
		}
	}
}
