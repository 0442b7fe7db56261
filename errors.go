package leat

import (
	"errors"
	"fmt"

	"github.com/leat-dev/leat/internal/conf"
	"github.com/leat-dev/leat/internal/engine"
	"github.com/leat-dev/leat/internal/metrics"
	"github.com/leat-dev/leat/internal/serve"
	"github.com/leat-dev/leat/internal/topic"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// Done is what the function of [Stream.Every] returns to end its stream
// cleanly.
var Done = errors.New("leat: done") //nolint:revive,staticcheck // it is no failure, so it is not called Err…

// Errors of streams and sockets. Compare them with errors.Is.
var (
	// ErrClosed is what every call answers after the stream or socket has ended.
	ErrClosed = engine.ErrClosed
	// ErrSlowReader refuses a record or message because limits.queue bytes are
	// waiting for the reader already.
	ErrSlowReader = errors.New("leat: the reader is too slow (limits.queue)")
	// ErrTooLarge refuses a record that is larger than limits.queue, and a
	// message that is larger than limits.maxMessage.
	ErrTooLarge = errors.New("leat: too large")
	// ErrGone is the reason of what ended because its reader has left: of a
	// socket, without a close.
	ErrGone = engine.ErrGone
	// ErrStalled is the reason of what ended because its reader took no byte for
	// timeouts.write.
	ErrStalled = engine.ErrStalled
	// ErrShutdown is the reason of what ended because its server stops.
	ErrShutdown = serve.ErrShutdown
	// ErrMessageOpen refuses a message because another is being sent in pieces:
	// its pieces are marked as its Continuation.
	ErrMessageOpen = errors.New("leat: a message is open; send its next piece, or its last, as a Continuation")
	// ErrNoMessage refuses a Continuation while no message is open.
	ErrNoMessage = errors.New("leat: no message is open that could be continued")
	// ErrInvalidUTF8 refuses a text message that is not UTF-8
	// (webSockets.validateUTF).
	ErrInvalidUTF8 = errors.New("leat: the text is not UTF-8; send it as binary")
	// ErrNoStreaming says that a response cannot be flushed: a wrapper around
	// it has neither Flush nor Unwrap.
	ErrNoStreaming = errors.New("leat: the response cannot be flushed")
)

// A TimeoutError is the reason of a stream or socket that a timeout ended.
type TimeoutError struct {
	Key string // of web.json5: "timeouts.request", "timeouts.inactivity", "webSockets.ping"
}

// Error names the timeout.
func (e *TimeoutError) Error() string {
	if e.Key == keyPing {
		return "leat: no pong came (" + keyPing + ")"
	}
	return "leat: " + e.Key + " is over"
}

// Timeout is true, as net.Error has it.
func (e *TimeoutError) Timeout() bool { return true }

// A ProtocolError is the reason of a socket whose peer broke the protocol, or
// limits.maxMessage.
type ProtocolError struct {
	Code    int    // that the socket was closed with: 1002, 1007, 1009
	Text    string // what is wrong
	Section string // the rule: "RFC 6455, 5.1"
}

// Error gives the text and the rule.
func (e *ProtocolError) Error() string { return (*ws.ProtocolError)(e).Error() }

// A ConfigError says where web.json5 is wrong and what would be right.
type ConfigError struct {
	File      string
	Line, Col int    // from 1; 0 when the error is not in the text
	Path      string // of the key: "limits.queue"
	Problem   string
	Hint      string // what would be right
}

// Error is one line: file:line:column, the key, the problem and the hint.
func (e *ConfigError) Error() string { return (*conf.Error)(e).Error() }

// reasonOf is err as the log and the counters name it.
func reasonOf(err error) metrics.Reason {
	var timeout *TimeoutError
	var panicked *engine.PanicError
	var broken *ProtocolError
	switch {
	case err == nil:
		return metrics.Done
	case errors.Is(err, ErrShutdown):
		return metrics.Shutdown
	case errors.Is(err, ErrStalled):
		return metrics.Stalled
	case errors.Is(err, ErrGone):
		return metrics.Gone
	case errors.Is(err, topic.ErrSlow), errors.Is(err, topic.ErrBare):
		return metrics.Behind
	case errors.Is(err, ErrSlowReader):
		return metrics.Slow
	case errors.Is(err, ErrExpired):
		return metrics.Expired
	case errors.As(err, &timeout) && timeout.Key == keyRequest:
		return metrics.RequestTimeout
	case errors.As(err, &timeout) && timeout.Key == keyPing:
		return metrics.NoPong
	case errors.As(err, &timeout):
		return metrics.InactivityTimeout
	case errors.As(err, &broken) && broken.Code == CloseTooBig:
		return metrics.TooBig
	case errors.As(err, &broken):
		return metrics.Protocol
	case errors.As(err, &panicked):
		return metrics.Panic
	}
	return metrics.Failed
}

const (
	keyRequest    = "timeouts.request"
	keyInactivity = "timeouts.inactivity"
	keyPing       = "webSockets.ping"
)

// writeError is what a failed write says of the reader.
func writeError(err error) error {
	if serve.IsTimeout(err) {
		return ErrStalled
	}
	return fmt.Errorf("%w: %v", ErrGone, err)
}
