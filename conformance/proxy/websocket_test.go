package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// sockets are the proxies as docs/websockets.md has them: nginx needs a
// configuration of its own, the others that of streams.
func sockets() map[string]proxy {
	all := map[string]proxy{}
	for name, p := range proxies {
		if name == "nginx" {
			p.document = "../../docs/websockets.md"
		}
		all[name] = p
	}
	return all
}

func TestAWebSocketGoesThroughTheProxy(t *testing.T) {
	for name, p := range sockets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan error, 1)
			s, err := throughProxy(t, p, &leat.SocketOptions{
				PingEvery: beat,
				Message:   func(s *leat.Socket, m leat.Message) { _, _ = s.Send(m) },
				Close: func(s *leat.Socket, code int, reason string, err error) {
					if code != 4004 || reason != "through" {
						err = errors.Join(err, errors.New(reason))
					}
					ended <- err
				},
			}, "")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			for _, text := range []string{"hello", strings.Repeat("0123456789", 50_000)} {
				echo(ctx, t, s, text)
			}
			select { // pings carry it past the timeout of the proxy
			case <-s.Done():
				t.Fatalf("it ended in silence: %v", s.Err())
			case <-time.After(silence * 3 / 2):
			}
			echo(ctx, t, s, "still here")
			_ = s.CloseWith(4004, "through")
			if err := s.Run(); err != nil || s.CloseStatus() != 4004 {
				t.Errorf("%v, %d", err, s.CloseStatus())
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-ctx.Done():
				t.Error("the server's end is open")
			}
		})
	}
}

func TestTheOriginIsComparedBehindTheProxyToo(t *testing.T) {
	for name, p := range sockets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := throughProxy(t, p, &leat.SocketOptions{Message: func(*leat.Socket, leat.Message) {}}, "http://elsewhere.example")
			var refused *leat.DialError
			if !errors.As(err, &refused) || refused.Status != http.StatusForbidden {
				t.Errorf("got %v", err)
			}
		})
	}
}

func echo(ctx context.Context, t *testing.T, s *leat.Socket, text string) {
	t.Helper()
	if _, err := s.Write(ctx, leat.Text(text)); err != nil {
		t.Fatal(err)
	}
	m, err := s.Read(ctx)
	if err != nil || string(m.Data) != text {
		t.Fatalf("%d bytes came back as %d: %v", len(text), len(m.Data), err)
	}
}

// throughProxy opens a WebSocket by a proxy, as a page of the origin would; ""
// is the server's own.
func throughProxy(t *testing.T, p proxy, o *leat.SocketOptions, origin string) (*leat.Socket, error) {
	t.Helper()
	srv, err := leat.New(&leat.Config{Hosts: []string{host}, Listen: []string{"http://127.0.0.1:0"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv.HandleFunc("/ws/", func(w http.ResponseWriter, r *http.Request) { _, _ = leat.Upgrade(w, r, o) })
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- srv.Run(ctx) }()
	t.Cleanup(func() { stop(); <-stopped })
	address := p.start(t, strings.TrimPrefix(srv.URLs()[0], "http://"))
	at := host + address[strings.LastIndexByte(address, ':'):]
	if origin == "" {
		origin = "http://" + at
	}
	return leat.Dial(t.Context(), "ws://"+address+"/ws/echo", &leat.DialOptions{Header: http.Header{"Host": {at}, "Origin": {origin}}})
}
