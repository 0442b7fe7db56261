package leat_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/deflate"
	"github.com/leat-dev/leat/internal/wire/ws"
)

func TestAnEchoAllocatesNothing(t *testing.T) {
	for name, url := range echoes(t) {
		t.Run(name, func(t *testing.T) { echoAllocatesNothing(t, url) })
	}
}

func echoAllocatesNothing(t *testing.T, url string) {
	const zip = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	for _, c := range []struct {
		size, together int
		deflated       bool
	}{
		{size: 64, together: 1},
		{size: 64, together: 16},
		{size: 1 << 10, together: 1},
		{size: 4 << 10, together: 1},
		{size: 4 << 10, together: 4},
		{size: 64 << 10, together: 1},
		{size: 1 << 10, together: 1, deflated: true},
		{size: 4 << 10, together: 1, deflated: true},
	} {
		t.Run(fmt.Sprintf("%d of %d bytes, deflate %v", c.together, c.size, c.deflated), func(t *testing.T) {
			payload := bytes.Repeat([]byte("plain words "), c.size)[:c.size]
			p, h := (*wsPeer)(nil), ws.Header{Fin: true, Opcode: ws.OpText, Masked: true, Key: peerKey}
			answer := ws.AppendFrame(nil, ws.Header{Fin: true, Opcode: ws.OpText}, payload)
			if c.deflated {
				payload = deflate.Append(nil, payload, true, 15)
				h.RSV1 = true
				answer = ws.AppendFrame(nil, ws.Header{Fin: true, Opcode: ws.OpText, RSV1: true}, payload)
				p = connect(t, url, zip)
			} else {
				p = connect(t, url)
			}
			sent := bytes.Repeat(ws.AppendFrame(nil, h, payload), c.together)
			want := bytes.Repeat(answer, c.together)
			got := make([]byte, len(want))
			n := leastAllocs(func() {
				for range 10 { // so that a tenth of an allocation is seen
					if _, err := p.conn.Write(sent); err != nil {
						t.Fatal(err)
					}
					if _, err := io.ReadFull(p.in, got); err != nil || !bytes.Equal(got, want) {
						t.Fatal("wrong echo", err)
					}
				}
			})
			if n > 0 && !underRace {
				t.Errorf("%v allocations in 10 echoes", n)
			}
			p.close(leat.CloseNormal, "")
			p.want("close 1000")
			p.wantEnd()
		})
	}
}

// leastAllocs is how often f allocates at least. A collection, which others cause
// as well, empties the pools, and fills them anew with what is counted here.
func leastAllocs(f func()) float64 {
	least := testing.AllocsPerRun(20, f)
	for tries := 0; least > 0 && tries < 5; tries++ {
		least = min(least, testing.AllocsPerRun(20, f))
	}
	return least
}
