package cli_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/cli"
)

// peers are servers for leat connect and leat bench to talk to, in all their moods.
func peers() (plain, tls *httptest.Server) {
	mux := http.NewServeMux()
	socket := func(path string, o leat.SocketOptions) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { _, _ = leat.Upgrade(w, r, &o) })
	}
	// once does something when the socket opens.
	once := func(path string, do func(s *leat.Socket)) {
		socket(path, leat.SocketOptions{Open: do, Message: func(*leat.Socket, leat.Message) {}})
	}
	socket("/echo", leat.SocketOptions{
		Protocols: []string{"chat", "superchat"},
		Message:   func(s *leat.Socket, m leat.Message) { _, _ = s.Send(m) },
	})
	socket("/kinds", leat.SocketOptions{Message: func(s *leat.Socket, m leat.Message) {
		_, _ = s.Sendf("%v %q", m.Type, m.Data)
	}})
	socket("/late", leat.SocketOptions{Message: func(s *leat.Socket, m leat.Message) {
		text := string(m.Data)
		time.AfterFunc(300*time.Millisecond, func() { _, _ = s.SendText("late " + text) })
	}})
	// What makes a terminal do things, and lines that are not what they seem.
	once("/control", func(s *leat.Socket) {
		_, _ = s.SendText("a\x1b]0;title\x07\x1b[2Jb\u009b31m\u202ec\rd\n> forged\n\tüñí 日本")
		_, _ = s.SendBinary([]byte("\x1b[2J"))
		_ = s.Close()
	})
	once("/flood", func(s *leat.Socket) {
		go func() {
			for err := error(nil); err == nil; {
				_, err = s.Write(s.Context(), leat.Text(strings.Repeat("flood ", 100)))
			}
		}()
	})
	once("/long", func(s *leat.Socket) {
		piece := bytes.Repeat([]byte("ä"), 1<<19)
		for i := range 4 {
			_, _ = s.Write(s.Context(), leat.Message{Type: leat.TextMessage, Data: piece, Continuation: i > 0, Last: i == 3})
		}
		_ = s.Close()
	})
	mux.HandleFunc("/close/{code}", func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.PathValue("code"))
		_, _ = leat.Upgrade(w, r, &leat.SocketOptions{Open: func(s *leat.Socket) {
			_ = s.CloseWith(code, "because \x1b[31m")
		}})
	})
	mux.HandleFunc("/header", func(w http.ResponseWriter, r *http.Request) {
		name, password, _ := r.BasicAuth()
		text := fmt.Sprintf("%s %q %s:%s", r.Host, r.Header["X-Test"], name, password)
		_, _ = leat.Upgrade(w, r, &leat.SocketOptions{Open: func(s *leat.Socket) { _, _ = s.SendText(text) }})
	})
	mux.HandleFunc("/locked", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "\x1b[2Jno", http.StatusUnauthorized)
	})
	benchPeers(mux, socket)
	mux.Handle("/live/", cli.NewTopicPeer())
	mux.HandleFunc("/garbage", rude("\xff\xff\x1b[2J garbage"))
	mux.HandleFunc("/gone", rude("\x81\x05hello"))
	mux.HandleFunc("/mute", rude(""))
	return httptest.NewServer(mux), httptest.NewTLSServer(mux)
}

// rude opens a WebSocket, says something, and answers nothing; having said
// something it hangs up.
func rude(says string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		go func(conn net.Conn) {
			defer conn.Close()
			_, _ = io.WriteString(conn, strings.Join([]string{
				"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
				"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]), "", says,
			}, "\r\n"))
			if says == "" {
				_, _ = io.Copy(io.Discard, conn) // until the other end has had enough
			}
		}(conn)
	}
}
