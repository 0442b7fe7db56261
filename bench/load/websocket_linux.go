package load

import (
	"bytes"
	"encoding/base64"
	"fmt"
)

// A webSocket is what handlers have in common whose connections are WebSockets.
type webSocket struct {
	deflate bool // ask for permessage-deflate, no context on either side
}

// One key keeps connecting cheap; the answer to it is checked (RFC 6455, 1.3).
var (
	handshakeKey    = base64.StdEncoding.EncodeToString([]byte("the sample nonce"))
	handshakeAccept = []byte("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
)

// handshake is the request that opens one.
func (w *webSocket) handshake(t *target) string {
	r := "GET " + t.path + " HTTP/1.1\r\nHost: " + t.host +
		"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + handshakeKey + "\r\n"
	if w.deflate {
		r += "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n"
	}
	return r + "\r\n"
}

func (w *webSocket) opened(_ *conn, head []byte) error {
	granted := bytes.Contains(bytes.ToLower(head), []byte("server_no_context_takeover"))
	switch {
	case !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")):
		return fmt.Errorf("the server answers %.80q", head)
	case !bytes.Contains(head, handshakeAccept):
		return fmt.Errorf("wrong Sec-WebSocket-Accept in %q", head)
	case granted != w.deflate:
		return fmt.Errorf("permessage-deflate asked for: %v, granted without context: %v", w.deflate, granted)
	}
	return nil
}

func (w *webSocket) ended(*conn) error { return errEnded }
