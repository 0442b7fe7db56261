package ws_test

import (
	"fmt"

	"github.com/leat-dev/leat/internal/wire/ws"
)

// A server's end of a connection: bytes come in whatever cuts, messages go out.
func Example() {
	reader := ws.NewReader(ws.ReaderOptions{Server: true, MaxMessage: 1 << 20})
	assembler := ws.Assembler{MaxPacket: 64 << 10}
	receive := func(b []byte) error {
		for {
			ev, rest, err := reader.Next(b)
			if err != nil {
				return err
			}
			switch ev.Kind {
			case ws.Data:
				for m, ok := assembler.Next(&ev); ok; m, ok = assembler.Next(&ev) {
					fmt.Printf("%s %q, last: %v\n", m.Type, m.Data, m.Last)
				}
			case ws.Control:
				fmt.Printf("%s %q\n", ev.Opcode, ev.Payload)
			case ws.More:
				return nil
			}
			b = rest
		}
	}

	key := ws.Key{1, 2, 3, 4}
	sent := ws.AppendFrame(nil, ws.Header{Opcode: ws.OpText, Masked: true, Key: key}, []byte("Hel"))
	sent = ws.AppendFrame(sent, ws.Header{Fin: true, Opcode: ws.OpPing, Masked: true, Key: key}, []byte("?"))
	sent = ws.AppendFrame(sent, ws.Header{Fin: true, Opcode: ws.OpContinuation, Masked: true, Key: key}, []byte("lo"))
	sent = append(sent, "\x81\x00"...) // which is not masked
	fmt.Println(receive(sent[:5]), receive(sent[5:]))
	// Output:
	// ping "?"
	// text "Hello", last: true
	// <nil> websocket: the client's frame is not masked (RFC 6455, 5.1)
}
