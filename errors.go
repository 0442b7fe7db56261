package leat

import (
	"errors"
	"fmt"

	"github.com/leat-dev/leat/internal/conf"
	"github.com/leat-dev/leat/internal/engine"
	"github.com/leat-dev/leat/internal/metrics"
	"github.com/leat-dev/leat/internal/serve"
)

// Done is what the function of [Stream.Every] returns to end its stream
// cleanly.
var Done = errors.New("leat: done") //nolint:revive,staticcheck // it is no failure, so it is not called Err…

// Errors of streams. Compare them with errors.Is.
var (
	// ErrClosed is what every call answers after the stream has ended.
	ErrClosed = engine.ErrClosed
	// ErrSlowReader refuses a record because limits.queue bytes are waiting
	// for the reader already.
	ErrSlowReader = errors.New("leat: the reader is too slow (limits.queue)")
	// ErrTooLarge refuses a record that is larger than limits.queue.
	ErrTooLarge = errors.New("leat: the record is larger than limits.queue")
	// ErrGone is the reason of a stream whose reader has left.
	ErrGone = engine.ErrGone
	// ErrStalled is the reason of a stream whose reader took no byte for
	// timeouts.write.
	ErrStalled = engine.ErrStalled
	// ErrShutdown is the reason of a stream that ended because its server
	// stops.
	ErrShutdown = serve.ErrShutdown
	// ErrNoStreaming says that a response cannot be flushed: a wrapper around
	// it has neither Flush nor Unwrap.
	ErrNoStreaming = errors.New("leat: the response cannot be flushed")
)

// A TimeoutError is the reason of a stream that a timeout ended.
type TimeoutError struct {
	Key string // of web.json5: "timeouts.request", "timeouts.inactivity"
}

// Error names the timeout.
func (e *TimeoutError) Error() string { return "leat: " + e.Key + " is over" }

// Timeout is true, as net.Error has it.
func (e *TimeoutError) Timeout() bool { return true }

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
	switch {
	case err == nil:
		return metrics.Done
	case errors.Is(err, ErrShutdown):
		return metrics.Shutdown
	case errors.Is(err, ErrStalled):
		return metrics.Stalled
	case errors.Is(err, ErrGone):
		return metrics.Gone
	case errors.Is(err, ErrSlowReader):
		return metrics.Slow
	case errors.As(err, &timeout) && timeout.Key == keyRequest:
		return metrics.RequestTimeout
	case errors.As(err, &timeout):
		return metrics.InactivityTimeout
	case errors.As(err, &panicked):
		return metrics.Panic
	}
	return metrics.Failed
}

const (
	keyRequest    = "timeouts.request"
	keyInactivity = "timeouts.inactivity"
)

// writeError is what a failed write says of the reader.
func writeError(err error) error {
	if serve.IsTimeout(err) {
		return ErrStalled
	}
	return fmt.Errorf("%w: %v", ErrGone, err)
}
