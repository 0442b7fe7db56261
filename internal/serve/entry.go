package serve

import (
	"context"
	"log/slog"
	"time"

	"github.com/leat-dev/leat/internal/metrics"
)

// An Entry is an exchange's line in the log while it waits for the end of what
// has outlived its handler. It holds nothing else of the exchange. The zero Entry
// writes nothing.
type Entry struct {
	*line
	start int64 // in nanoseconds after epoch
}

// A line is what many an Entry has in common.
type line struct {
	log          *slog.Logger
	method, path string
	remote       string // where it is another than the one who finishes knows
	status       int
}

// sharedPath is how long a path may be that is kept for others.
const sharedPath = 256

// epoch is what an Entry counts from.
var epoch = time.Now()

// Entry answers the exchange's line, for an answer that has begun and goes on to
// remote.
func (x *Exchange) Entry(remote string) Entry {
	l := line{log: x.log, method: x.method, path: x.path, status: x.answered()}
	if x.remote != remote {
		l.remote = x.remote
	}
	e := Entry{start: int64(x.start.Sub(epoch))}
	if e.line = x.lines.Find(l); e.line != nil {
		return e
	}
	first := l.method + " " + l.path // without the query that they have come with
	l.method, l.path = first[:len(l.method)], first[len(l.method)+1:]
	if len(l.path) > sharedPath || l.remote != "" {
		e.line = &l
	} else {
		e.line = x.lines.Share(l)
	}
	return e
}

// Finish writes the line: so many bytes have gone out to remote.
func (e *Entry) Finish(remote string, bytes int64, reason metrics.Reason, err error) {
	if e.line == nil {
		return
	}
	if e.remote != "" {
		remote = e.remote
	}
	e.write(remote, bytes, time.Since(epoch)-time.Duration(e.start), reason, err)
}

func (l *line) write(remote string, bytes int64, took time.Duration, reason metrics.Reason, err error) {
	attrs := make([]slog.Attr, 0, 8)
	attrs = append(attrs,
		slog.String("method", l.method), slog.String("path", l.path), slog.Int("status", l.status),
		slog.Int64("bytes", bytes), slog.Duration("duration", took),
		slog.String("remote", remote), slog.String("end", reason.String()))
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	l.log.LogAttrs(context.Background(), slog.LevelInfo, metrics.LogRequest, attrs...)
}
