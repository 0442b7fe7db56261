package codec_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gorilla/websocket"
)

// limit is how large a message the peers and our codec take.
const limit = 1 << 20

// A peer is somebody else's WebSocket library, as server and as client. It sends
// every message back until the connection ends, and tells the messages.
type peer struct {
	name   string
	accept func(t *testing.T, c compression, got chan<- []message) *httptest.Server
	dial   func(t *testing.T, url string, c compression, got chan<- []message)
}

// compression is how a connection is compressed.
type compression int

const (
	plain    compression = iota
	alone                // each message on its own
	takeover             // with the context of those before
)

// A message is one as a peer or our codec read it.
type message struct {
	text bool
	data string
}

var peers = []peer{
	{"gorilla", acceptGorilla, dialGorilla},
	{"coder", acceptCoder, dialCoder},
}

func acceptGorilla(t *testing.T, c compression, got chan<- []message) *httptest.Server {
	u := websocket.Upgrader{EnableCompression: c != plain}
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		conn, err := u.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		got <- echoGorilla(conn)
	})
}

func dialGorilla(t *testing.T, url string, c compression, got chan<- []message) {
	d := websocket.Dialer{EnableCompression: c != plain}
	conn, _, err := d.Dial(url, nil)
	if err != nil {
		t.Error(err)
	} else {
		got <- echoGorilla(conn)
	}
}

func echoGorilla(conn *websocket.Conn) (all []message) {
	defer conn.Close()
	conn.SetReadLimit(limit)
	for {
		kind, data, err := conn.ReadMessage()
		if err != nil {
			return all
		}
		all = append(all, message{kind == websocket.TextMessage, string(data)})
		if conn.WriteMessage(kind, data) != nil {
			return all
		}
	}
}

func acceptCoder(t *testing.T, c compression, got chan<- []message) *httptest.Server {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		conn, err := coder.Accept(w, r, &coder.AcceptOptions{CompressionMode: coderMode(c), CompressionThreshold: 1})
		if err != nil {
			t.Error(err)
			return
		}
		got <- echoCoder(conn)
	})
}

func dialCoder(t *testing.T, url string, c compression, got chan<- []message) {
	conn, _, err := coder.Dial(t.Context(), url, &coder.DialOptions{CompressionMode: coderMode(c), CompressionThreshold: 1})
	if err != nil {
		t.Error(err)
	} else {
		got <- echoCoder(conn)
	}
}

func coderMode(c compression) coder.CompressionMode {
	return []coder.CompressionMode{coder.CompressionDisabled, coder.CompressionNoContextTakeover, coder.CompressionContextTakeover}[c]
}

func echoCoder(conn *coder.Conn) (all []message) {
	defer conn.CloseNow()
	conn.SetReadLimit(limit)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		kind, data, err := conn.Read(ctx)
		if err != nil {
			return all
		}
		all = append(all, message{kind == coder.MessageText, string(data)})
		if conn.Write(ctx, kind, data) != nil {
			return all
		}
	}
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}
