package leat_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/leat-dev/leat"
)

// socketURL serves one WebSocket and answers its URL.
func socketURL(o *leat.SocketOptions) (url string, stop func()) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = leat.Upgrade(w, r, o)
	}))
	return "ws" + strings.TrimPrefix(s.URL, "http"), s.Close
}

// A client in the blocking style.
func ExampleDial() {
	url, stop := socketURL(&leat.SocketOptions{Message: func(s *leat.Socket, m leat.Message) {
		_, _ = s.Sendf("you said %s", m.Data)
	}})
	defer stop()

	ctx := context.Background()
	s, err := leat.Dial(ctx, url, nil)
	if err != nil {
		panic(err)
	}
	if _, err := s.SendText("hello"); err != nil {
		panic(err)
	}
	m, err := s.Read(ctx)
	fmt.Printf("%s %v\n", m.Data, err)
	_ = s.Close()
	fmt.Println(s.Run(), s.CloseStatus())
	// Output:
	// you said hello <nil>
	// <nil> 1000
}

// A client with callbacks, a subprotocol and a header.
func ExampleDialOptions() {
	url, stop := socketURL(&leat.SocketOptions{
		Protocols: []string{"chat"},
		Open:      func(s *leat.Socket) { _, _ = s.SendText("welcome") },
	})
	defer stop()

	s, err := leat.Dial(context.Background(), url, &leat.DialOptions{
		SocketOptions: leat.SocketOptions{
			Protocols: []string{"superchat", "chat"},
			Message: func(s *leat.Socket, m leat.Message) {
				fmt.Printf("%s by %s\n", m.Data, s.Subprotocol())
				_ = s.Close()
			},
		},
		Header: http.Header{"Authorization": {"Bearer secret"}},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(s.Run())
	// Output:
	// welcome by chat
	// <nil>
}

// A server says why it refuses.
func ExampleDialError() {
	url, stop := socketURL(nil)
	defer stop()

	_, err := leat.Dial(context.Background(), url, &leat.DialOptions{
		Header: http.Header{"Origin": {"https://elsewhere.example"}},
	})
	var refused *leat.DialError
	if errors.As(err, &refused) {
		fmt.Println(refused.Status)
		fmt.Println(refused.Err)
	}
	// Output:
	// 403
	// the answer is 403 Forbidden; this client or its Origin is not let in; it says "origin \"https://elsewhere.example\" may not open a WebSocket here"
}
