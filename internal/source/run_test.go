package source

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds what takes much less.
const patience = 20 * time.Second

// A runner is a source that runs, and what came of it.
type runner struct {
	t     *testing.T
	lines chan string
	log   *journal
	stop  func() // ends it and waits until Run has returned
}

func run(t *testing.T, s *Source) *runner {
	t.Helper()
	r := &runner{t: t, lines: make(chan string, 1<<20), log: newJournal()}
	s.Line = func(b []byte) { r.lines <- string(b) }
	s.Log = slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not return")
		}
	})
	t.Cleanup(r.stop)
	return r
}

// want waits for these lines to come, one after the other.
func (r *runner) want(lines ...string) {
	r.t.Helper()
	for _, line := range lines {
		select {
		case got := <-r.lines:
			if got != line {
				r.t.Fatalf("the line %q came, not %q", got, line)
			}
		case <-time.After(patience):
			r.t.Fatalf("the line %q does not come; the log:\n%s", line, r.log)
		}
	}
}

// nothing says which lines there are that should not be.
func (r *runner) nothing() {
	r.t.Helper()
	for {
		select {
		case line := <-r.lines:
			r.t.Errorf("the line %q came", line)
		default:
			return
		}
	}
}

// A journal is a log whose records can be waited for.
type journal struct {
	mu    sync.Mutex
	text  bytes.Buffer
	all   []map[string]any
	grown chan struct{} // closed by the next record
}

func newJournal() *journal { return &journal{grown: make(chan struct{})} }

func (j *journal) Write(b []byte) (int, error) {
	var record map[string]any
	if err := json.Unmarshal(b, &record); err != nil {
		panic(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text.Write(b)
	j.all = append(j.all, record)
	close(j.grown)
	j.grown = make(chan struct{})
	return len(b), nil
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// of answers the records with this message.
func (j *journal) of(message string) (some []map[string]any, grown <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, record := range j.all {
		if record["msg"] == message {
			some = append(some, record)
		}
	}
	return some, j.grown
}

// wait waits until there are n records with this message.
func (j *journal) wait(t *testing.T, n int, message string) []map[string]any {
	t.Helper()
	for late := time.After(patience); ; {
		some, grown := j.of(message)
		if len(some) >= n {
			return some
		}
		select {
		case <-grown:
		case <-late:
			t.Fatalf("%d records %q, not %d; the log:\n%s", len(some), message, n, j)
		}
	}
}

func TestASourceThatCannotBeSaysSo(t *testing.T) {
	line := func([]byte) {}
	for _, c := range []struct {
		s    Source
		want string
	}{
		{Source{Line: line}, "needs a command or a file"},
		{Source{Line: line, Command: []string{"true"}, File: "a"}, "not both"},
		{Source{File: "a"}, "needs a Line"},
	} {
		if err := c.s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, not %q", err, c.want)
		}
	}
}
