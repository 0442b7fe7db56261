// Package codec holds internal/wire/ws and internal/deflate against the codecs
// of gorilla/websocket and coder/websocket: random sequences of frames, right and
// wrong, plain and compressed, cut anywhere, with our side as client and as server.
package codec
