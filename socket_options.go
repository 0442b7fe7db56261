package leat

import (
	"time"

	"github.com/leat-dev/leat/internal/serve"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// SocketOptions say how a socket behaves. The zero value takes everything from
// the route, the server's configuration and the defaults of web.json5, in that
// order. They are read once; one value may serve many sockets.
//
// With one of Open, Message, Writable and Close the socket is in the event
// style, else in the blocking style; see [Socket]. A socket's callbacks are
// called one after the other, from goroutines of the library, and may block:
// meanwhile nothing more is read from the peer, and others go on. One that
// panics closes its socket with 1011.
type SocketOptions struct {
	// Open is called first, before any message.
	Open func(s *Socket)
	// Message gets each message, or piece of one. Its data is good during the
	// call. Without it messages are dropped.
	Message func(s *Socket, m Message)
	// Writable is called when nothing waits for the peer any more after a send
	// was refused with ErrSlowReader, or a TrySend took less than all.
	Writable func(s *Socket)
	// Close is the last call and comes once, with what [Socket.CloseStatus],
	// [Socket.CloseReason] and [Socket.Err] answer from then on: err is nil
	// after an orderly close.
	Close func(s *Socket, code int, reason string, err error)
	// Ping and Pong get the payloads of the peer's pings, which have been
	// answered, and pongs. They are good during the call.
	Ping, Pong func(s *Socket, payload []byte)

	// Protocols are the subprotocols that are spoken, best first. The default
	// is webSockets.protocol on a server and none on a client.
	Protocols []string
	// RequireProtocol refuses clients that offer none of them, and in Dial a server
	// that grants none. The default is webSockets.requireProtocol, and off in Dial.
	RequireProtocol Switch
	// Origins are the origins whose pages may connect, beside the server's own:
	// "https://app.example.com", "https://*.example.com", "http://localhost:*",
	// "null", "*". The default is webSockets.origins.
	Origins []string

	// Deflate turns permessage-deflate (RFC 7692) on or off. The default is
	// webSockets.deflate, on.
	Deflate Switch
	// DeflateMin is the least length of a message that is compressed. The
	// default is 256 bytes.
	DeflateMin int
	// ContextTakeover keeps what has been sent and received, up to 8 and 32 KiB
	// of it, to compress what follows better. By default an idle socket holds
	// nothing.
	ContextTakeover bool
	// ValidateUTF checks that text is UTF-8. The default is
	// webSockets.validateUTF, on.
	ValidateUTF Switch
	// PreserveFrames hands each frame over as it came. The default is
	// webSockets.preserveFrames, off.
	PreserveFrames Switch

	// PingEvery is how long nothing may be received before a ping is sent. A
	// peer that then stays silent for as long again, or for Write where that is
	// shorter, is gone. The default is webSockets.ping, never.
	PingEvery time.Duration
	// Write is how long the peer may take no byte of what waits for it. The
	// default is timeouts.write, 30 s.
	Write time.Duration
	// Inactivity is how long no byte may go either way. The default is
	// timeouts.inactivity, 5 min; pings renew it.
	Inactivity time.Duration
	// Request is the most that the socket may last. The default is the
	// timeouts.request that the route or the file sets, else Never.
	Request time.Duration

	// Queue is how many bytes may wait for the peer, behind one message that may
	// be larger. The default is limits.queue, 256 KiB.
	Queue int64
	// MaxMessage is the largest message, in and out, inflated; of one that is
	// sent in pieces, the largest piece. The default is limits.maxMessage, 1 MiB.
	MaxMessage int64
	// MaxFrame is the largest frame that is sent, but for pieces, which are one
	// frame each. The default is limits.maxFrame, 128 KiB.
	MaxFrame int64
	// MaxPacket cuts longer messages into pieces of this size for Message and
	// Read. The default is limits.maxPacket: whole messages.
	MaxPacket int64
}

// wish is the compression to offer or to grant, nil for none.
func (o *SocketOptions) wish(c *serve.Sockets) *ws.Deflate {
	if o == nil {
		o = &SocketOptions{}
	}
	if !o.Deflate.or(!c.NoDeflate) {
		return nil
	}
	return &ws.Deflate{ServerNoContext: !o.ContextTakeover, ClientNoContext: !o.ContextTakeover}
}

// policy is what a server grants.
func (o *SocketOptions) policy(c *serve.Sockets) *ws.Policy {
	p := &ws.Policy{Protocols: c.Protocols, RequireProtocol: c.RequireProtocol, Origins: c.Origins, Deflate: o.wish(c)}
	if o == nil {
		return p
	}
	if o.Protocols != nil {
		p.Protocols = o.Protocols
	}
	if o.Origins != nil {
		p.Origins = o.Origins
	}
	p.RequireProtocol = o.RequireProtocol.or(c.RequireProtocol)
	return p
}
