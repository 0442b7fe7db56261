package cli_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/leat-dev/leat"
)

// benchPeers are echoes that do it wrong, sockets that do not echo, and streams.
func benchPeers(mux *http.ServeMux, socket func(string, leat.SocketOptions)) {
	socket("/twice", leat.SocketOptions{Message: func(s *leat.Socket, m leat.Message) {
		_, _ = s.Send(m)
		_, _ = s.Send(m)
	}})
	socket("/wrong", leat.SocketOptions{Message: func(s *leat.Socket, m leat.Message) {
		m.Data[len(m.Data)-1] ^= 1
		_, _ = s.Send(m)
	}})
	socket("/shouting", leat.SocketOptions{Message: func(s *leat.Socket, m leat.Message) {
		_, _ = s.SendText(string(m.Data) + "!")
	}})
	socket("/kind", leat.SocketOptions{Message: func(s *leat.Socket, m leat.Message) { _, _ = s.SendBinary(m.Data) }})
	mux.HandleFunc("/pairs", func(w http.ResponseWriter, r *http.Request) {
		held := "" // the first of two messages is answered behind the second
		_, _ = leat.Upgrade(w, r, &leat.SocketOptions{Message: func(s *leat.Socket, m leat.Message) {
			if held == "" {
				held = string(m.Data)
				return
			}
			_, _ = s.Send(m)
			_, _ = s.SendText(held)
			held = ""
		}})
	})
	var mu sync.Mutex
	var room []*leat.Socket
	socket("/room", leat.SocketOptions{
		Open: func(s *leat.Socket) {
			mu.Lock()
			defer mu.Unlock()
			room = append(room, s)
		},
		Message: func(_ *leat.Socket, m leat.Message) {
			mu.Lock()
			defer mu.Unlock()
			for _, s := range room {
				_, _ = s.Send(m)
			}
		},
	})
	socket("/deaf", leat.SocketOptions{Message: func(*leat.Socket, leat.Message) {}})
	socket("/polite", leat.SocketOptions{
		Open:    func(s *leat.Socket) { _, _ = s.SendText("welcome") },
		Message: func(s *leat.Socket, m leat.Message) { _, _ = s.Send(m) },
	})
	socket("/feed", leat.SocketOptions{Open: func(s *leat.Socket) {
		for n := range 3 {
			_, _ = s.Sendf("news %d", n)
		}
		_ = s.CloseWith(leat.CloseNormal, "that was all")
	}})
	var guests atomic.Int64
	mux.HandleFunc("/three", func(w http.ResponseWriter, r *http.Request) {
		if guests.Add(1) > 3 {
			w.Header().Set("Retry-After", "5")
			http.Error(w, "it is full", http.StatusServiceUnavailable)
			return
		}
		_, _ = leat.Upgrade(w, r, &leat.SocketOptions{Message: func(s *leat.Socket, m leat.Message) { _, _ = s.Send(m) }})
	})

	// Three records and a comment, as asked for, and the end.
	mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.Records(w, r, nil)
		if err != nil {
			return
		}
		defer s.Close()
		_ = s.Comment("")
		for n := range 3 {
			_ = s.Send(n)
		}
	})
	mux.HandleFunc("/stream/open", func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.Records(w, r, nil)
		if err != nil {
			return
		}
		_ = s.Send("and now we wait")
		s.Hold()
	})
	mux.HandleFunc("/stream/broken", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson; charset=utf-8")
		fmt.Fprint(w, "{\"fine\":1}\nnot fine\n{\"fine\":2}\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.Handle("/moved", http.RedirectHandler("/stream", http.StatusFound))
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!DOCTYPE html>") })
}
