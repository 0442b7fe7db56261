package leat_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/leat-dev/leat"
)

// A socket in the event style: the handler returns, and no goroutine waits for
// the next message.
func ExampleSocketOptions() { //nolint:testableexamples // it is part of a server
	http.HandleFunc("/ws/echo", func(w http.ResponseWriter, r *http.Request) {
		_, _ = leat.Upgrade(w, r, &leat.SocketOptions{
			Message: func(s *leat.Socket, m leat.Message) { _, _ = s.Send(m) },
			Close: func(_ *leat.Socket, code int, reason string, err error) {
				fmt.Println("closed", code, reason, err)
			},
		})
	})
}

// A socket in the blocking style ends with its handler.
func ExampleSocket() { //nolint:testableexamples // it is part of a server
	http.HandleFunc("/ws/upper", func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.Upgrade(w, r, nil)
		if err != nil {
			return // it has been answered
		}
		defer s.Close()
		for {
			m, err := s.Read(s.Context())
			if err != nil {
				return
			}
			if _, err := s.Write(s.Context(), m); err != nil {
				return
			}
		}
	})
}

// What TrySend has not taken goes on as a continuation.
func ExampleMessage() {
	m := leat.Text("a long text")
	rest := m.Rest(6) // when 6 bytes have been taken
	fmt.Printf("%s %q %v %v\n", rest.Type, rest.Data, rest.Continuation, rest.Last)
	// Output:
	// text " text" true true
}

func ExampleMessageType() {
	fmt.Println(leat.TextMessage, leat.BinaryMessage)
	// Output:
	// text binary
}

func ExampleProtocolError() {
	err := &leat.ProtocolError{Code: leat.CloseProtocolError, Text: "a reserved bit is set", Section: "RFC 6455, 5.2"}
	fmt.Println(err)
	// Output:
	// websocket: a reserved bit is set (RFC 6455, 5.2)
}

func ExampleSocketStats() { //nolint:testableexamples // it is part of a server
	var s *leat.Socket
	watch := func(ctx context.Context) {
		before := s.Stats()
		<-ctx.Done()
		fmt.Println(s.Stats().MessagesIn-before.MessagesIn, "messages came meanwhile")
	}
	_ = watch
}
