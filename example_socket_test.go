package leat_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/leat-dev/leat"
)

// A socket in the event style: the handler returns, and no goroutine of its own
// waits for the next message.
func ExampleSocketOptions() {
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = leat.Upgrade(w, r, &leat.SocketOptions{
			Message: func(s *leat.Socket, m leat.Message) { _, _ = s.Send(m) },
		})
	}))
	defer hs.Close()
	fmt.Println(converse(hs.URL, "hello"))
	// Output:
	// hello
}

// A socket in the blocking style ends with its handler.
func ExampleSocket() {
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
			if _, err := s.Sendf("you said %s", m.Data); err != nil {
				return
			}
		}
	}))
	defer hs.Close()
	fmt.Println(converse(hs.URL, "hello"))
	// Output:
	// you said hello
}

func ExampleSocketStats() {
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = leat.Upgrade(w, r, &leat.SocketOptions{
			Message: func(s *leat.Socket, m leat.Message) {
				stats := s.Stats()
				_, _ = s.Sendf("%d message, %d bytes with its frame", stats.MessagesIn, stats.BytesIn)
			},
		})
	}))
	defer hs.Close()
	fmt.Println(converse(hs.URL, "hello"))
	// Output:
	// 1 message, 11 bytes with its frame
}

// converse says something to a server and answers what it says.
func converse(url, text string) string {
	ctx := context.Background()
	s, err := leat.Dial(ctx, "ws"+strings.TrimPrefix(url, "http"), nil)
	if err != nil {
		return err.Error()
	}
	defer s.Close()
	if _, err := s.SendText(text); err != nil {
		return err.Error()
	}
	m, err := s.Read(ctx)
	if err != nil {
		return err.Error()
	}
	return string(m.Data)
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
