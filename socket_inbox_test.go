package leat_test

import (
	"testing"
	"time"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// textAnd is a text message and another frame in one write.
func textAnd(h ws.Header, payload string) []byte {
	h.Fin, h.Masked, h.Key = true, true, peerKey
	b := ws.AppendFrame(nil, ws.Header{Fin: true, Opcode: ws.OpText, Masked: true, Key: peerKey}, []byte("question"))
	return ws.AppendFrame(b, h, []byte(payload))
}

func TestWhatWasReadIsAnsweredBeforeWhatEndsTheSocket(t *testing.T) {
	url := socketServer(t, nil, nil, func(s *leat.Socket) {
		for {
			if _, err := s.Read(s.Context()); err != nil {
				return
			}
			select {
			case <-s.Done():
			case <-time.After(20 * time.Millisecond): // it takes its time
			}
			if _, err := s.SendText("answer"); err != nil {
				t.Error(err)
			}
		}
	})
	for _, c := range []struct {
		name    string
		h       ws.Header
		payload string
		want    []string
	}{
		{"a close", ws.Header{Opcode: ws.OpClose}, "\x03\xe8", []string{"text answer", "close 1000"}},
		{"a violation", ws.Header{Opcode: 3}, "", []string{"text answer", "close 1002 opcode 3 is reserved"}},
		{"a ping is answered at once", ws.Header{Opcode: ws.OpPing}, "now", []string{"pong now", "text answer"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := connect(t, url)
			p.raw(textAnd(c.h, c.payload))
			p.want(c.want...)
		})
	}
}

func TestAReaderThatIsSlowOrGoneDoesNotKeepTheCloseWaiting(t *testing.T) {
	for name, then := range map[string]func(*leat.Socket){
		"that runs":       func(s *leat.Socket) { _ = s.Run() },
		"that never read": func(s *leat.Socket) { <-s.Done() }, // a second, not more
		"that has read": func(s *leat.Socket) {
			_, _ = s.Read(s.Context())
			<-s.Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := connect(t, socketServer(t, nil, nil, then))
			p.raw(textAnd(ws.Header{Opcode: ws.OpClose}, "\x03\xe8"))
			p.want("close 1000")
			p.wantEnd()
		})
	}
}
