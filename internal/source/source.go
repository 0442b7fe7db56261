package source

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"
)

// A Source follows a command or a file. Its fields are set before Run and not
// changed after.
type Source struct {
	// Command is a program and its arguments, which no shell reads. It gets
	// this process's environment and an empty standard input, and is started
	// again whenever it ends.
	Command []string

	// File is followed from its end, or from its beginning where there is none
	// yet. It may be renamed, replaced and truncated.
	File string

	// Line gets each line without its end, which is \n or \r\n; what has no
	// end counts when the command or the file ends. It is called by one
	// goroutine at a time, b is valid during the call, and the source waits
	// for it.
	Line func(b []byte)

	// Log hears of standard error, of ends and of lines that are left out;
	// none where it is nil.
	Log *slog.Logger

	// MaxLine bounds a line, and so what is kept of one. Longer ones are left
	// out, which the log says. 0 is 1 MiB.
	MaxLine int

	// Backoff is how long to wait before a start, the nth in a row, from 0, since
	// the command last lived for 5 s. Where it is nil: at random up to 0.5 s,
	// 1 s, 2 s and so on to 30 s.
	Backoff func(nth int) time.Duration

	// Poll is how often a file is looked at; 0 is 250 ms.
	Poll time.Duration

	grace time.Duration // from SIGTERM to SIGKILL; 0 is 2 s
	long  sampler       // of lines that are left out
}

// What the fields are where they are not set.
const (
	maxLine = 1 << 20
	poll    = 250 * time.Millisecond
	grace   = 2 * time.Second
)

// The messages of the log, as its readers search for them.
const (
	LogStderr = "source says"
	LogEnded  = "source ended"
	LogLong   = "source has a line longer than may be"
	LogKept   = "source ended, but its output is kept open by what it has started"
	LogStays  = "source cannot be ended"
	LogAbsent = "source is not there yet"
	LogFile   = "source cannot be read"
	LogCut    = "source was truncated"
	LogNew    = "source is a new file"
)

// Run follows the source until ctx is done, and then answers nil; an error is a
// source that cannot be. By then the command has ended, and on unix what it has
// started too, unless that left its process group: they get SIGTERM, and two
// seconds later SIGKILL. The same comes to what is left of the group when the
// command ends by itself. Elsewhere the command alone is killed.
func (s *Source) Run(ctx context.Context) error {
	switch {
	case len(s.Command) > 0 && s.File != "":
		return errors.New("a source has a command or a file, not both")
	case s.Line == nil:
		return errors.New("a source needs a Line that gets its lines")
	}
	filled := *s
	filled.fill()
	switch {
	case len(s.Command) > 0:
		filled.restart(ctx, newCommand(&filled).live)
	case s.File != "":
		filled.follow(ctx)
	default:
		return errors.New("a source needs a command or a file")
	}
	return nil
}

func (s *Source) fill() {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	s.long = sampler{burst: 5, every: 10 * time.Second}
	if s.MaxLine <= 0 {
		s.MaxLine = maxLine
	}
	if s.Poll <= 0 {
		s.Poll = poll
	}
	if s.grace <= 0 {
		s.grace = grace
	}
	if s.Backoff == nil {
		s.Backoff = fullJitter
	}
	if len(s.Command) > 0 {
		s.Log = s.Log.With("command", s.Command[0])
	} else {
		s.Log = s.Log.With("file", s.File)
	}
}

// lines gives the lines of what is written to it. The log hears of those that
// are left out; of many, of some and how many more there were.
func (s *Source) lines() *cutter {
	return &cutter{max: s.MaxLine, line: s.Line, long: func(begin []byte) {
		if more, ok := s.long.take(); ok {
			s.Log.Warn(LogLong, "limit", s.MaxLine, "begins", string(begin[:min(len(begin), 64)]), "more", more)
		}
	}}
}

// restOfLong tells the log how many it has not heard of, at an end.
func (s *Source) restOfLong() {
	if more := s.long.rest(); more > 0 {
		s.Log.Warn(LogLong, "limit", s.MaxLine, "more", more)
	}
}

// Who lives that long is well: the next back-off begins anew.
const well = 5 * time.Second

// restart has life after life, with a pause behind each.
func (s *Source) restart(ctx context.Context, live func(context.Context) error) {
	for nth := 0; ctx.Err() == nil; nth++ {
		began := time.Now()
		err := live(ctx)
		if ctx.Err() != nil {
			return
		}
		lived := time.Since(began)
		if lived >= well {
			nth = 0
		}
		pause := s.Backoff(nth)
		level, why := slog.LevelInfo, "done"
		if err != nil {
			level, why = slog.LevelWarn, err.Error()
		}
		s.Log.Log(ctx, level, LogEnded, "why", why, "lived", lived, "again", pause)
		wait(ctx, pause)
	}
}

// fullJitter is a random time, below a bound that doubles from start to start:
// commands that failed together do not all start together.
func fullJitter(nth int) time.Duration {
	const first, most = 500 * time.Millisecond, 30 * time.Second
	bound := most
	if nth < 6 { // 0.5 s, 1 s, … 16 s
		bound = first << nth
	}
	return rand.N(bound)
}

// wait waits for d, or until ctx is done.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
