package serve

import (
	"sync/atomic"
	"time"
)

// Sockets are the bounds of the WebSockets of one route, and how they speak.
// Zero means no bound, and what is usual.
type Sockets struct {
	Disabled bool // a handshake is answered 403

	// Open counts those that are open and share Most: a route's own where the
	// route sets Most, else all that no such route has.
	Open *atomic.Int64
	Most int // open at once; beyond: 503

	MaxMessage int64 // bytes of a message, in and out
	MaxFrame   int64 // bytes of a frame that is sent
	MaxPacket  int64 // bytes of the pieces in which a message is given out; 0: whole messages
	Ping       time.Duration

	Protocols       []string // the best first
	RequireProtocol bool     // refuse who offers none of them
	Origins         []string // patterns, beside the server's own
	NoDeflate       bool
	AnyText         bool // text need not be UTF-8
	Frames          bool // each frame is given out as it came
}
