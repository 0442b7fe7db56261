package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A lab is a topic's server and a reader of it that have nothing but memory
// between them, so that time is the bubble's.
type lab struct {
	began time.Time
	asked []time.Duration // when
	since []string
	f     *follower
	got   []string
	notes []string
}

// newLab answers each request by the next script; behind the last the reader has
// had enough. It is called in a bubble.
func newLab(t *testing.T, random float64, scripts ...http.HandlerFunc) *lab {
	l := &lab{began: time.Now()}
	ctx, stop := context.WithCancel(t.Context())
	ears := make(pipeListener)
	server := &http.Server{ErrorLog: discardLog(), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.asked = append(l.asked, time.Since(l.began))
		l.since = append(l.since, r.Header.Get(resume))
		if len(l.asked) > len(scripts) {
			stop()
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		scripts[len(l.asked)-1](w, r)
	})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(ears)
	}()
	s := &subscription{transport: ndjsonKind, target: "http://memory/live/numbers"}
	s.header = headerFlag{}
	s.client = s.topicFlags.client()
	transport := s.client.Transport.(*http.Transport)
	transport.Proxy = nil
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		ears <- theirs
		return ours, nil
	}
	l.f = &follower{
		open: s.open, explain: s.explain, flush: func() error { return nil },
		take: func(r *record) error {
			l.got = append(l.got, r.Control+string(r.Data))
			return nil
		},
		note:   func(text string) { l.notes = append(l.notes, text) },
		pauses: backoff{random: func() float64 { return random }},
	}
	if err := l.f.run(ctx); err != nil {
		t.Error(err)
	}
	stop()
	s.client.CloseIdleConnections()
	_ = server.Close()
	<-ended
	return l
}

// A pipeListener accepts what is sent to it.
type pipeListener chan net.Conn

func (l pipeListener) Accept() (net.Conn, error) {
	c, open := <-l
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (l pipeListener) Close() error   { close(l); return nil }
func (l pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

// says sends lines, and then waits before it ends.
func says(wait time.Duration, lines ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Join(lines, "\n")+"\n")
		w.(http.Flusher).Flush()
		select {
		case <-time.After(wait):
		case <-r.Context().Done():
		}
	}
}

func refuses(code int, after string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		http.Error(w, "not now", code)
	}
}

const opened = `{"control":"open","id":"e1-5","heartbeat":4}`

func message(id, data string) string { return fmt.Sprintf(`{"id":%q,"data":%s}`, id, data) }

// gaps are the times between requests.
func (l *lab) gaps() []time.Duration {
	var gaps []time.Duration
	for i := range l.asked[1:] {
		gaps = append(gaps, l.asked[i+1]-l.asked[i])
	}
	return gaps
}

func TestPausesGrowAndAreShortAgainBehindAConnectionThatHasLasted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := refuses(503, "")
		l := newLab(t, 0.5, down, down, down, down, down, down, down, down,
			says(4*time.Second, opened), says(5*time.Second, opened), down)
		half := 250 * time.Millisecond
		want := []time.Duration{half, 2 * half, 4 * half, 8 * half, 16 * half, 32 * half, 15 * time.Second, 15 * time.Second, 19 * time.Second, 5*time.Second + half, 2 * half}
		if got := l.gaps(); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if got, want := l.notes, []string{
			`the answer is 503 Service Unavailable; it says "not now"; again in 250ms`, "connected again",
			"the server ended the stream; again in 15s", "connected again",
			"the server ended the stream; again in 250ms",
			`the answer is 503 Service Unavailable; it says "not now"; again in 500ms`,
		}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func TestAReaderComesBackWhenTheServerSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 0.5, refuses(503, "7"), refuses(429, "Sat, 01 Jan 2000 00:01:00 GMT"),
			says(0, opened, `{"control":"drain","retry":1234}`), says(0, opened))
		// A bubble begins at midnight of that day.
		want := []time.Duration{7250 * time.Millisecond, 52*time.Second + 750*time.Millisecond + 500*time.Millisecond, 1234 * time.Millisecond, time.Second}
		if got := l.gaps(); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

func TestAServerThatFallsSilentIsLeft(t *testing.T) {
	beats := func(w http.ResponseWriter, r *http.Request) {
		says(0, opened)(w, r)
		for range 10 {
			says(9*time.Second, "")(w, r)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 0, says(time.Hour, opened), beats, says(time.Hour), says(time.Hour, `{"control":"open","id":"e1-5"}`))
		want := []time.Duration{10 * time.Second, 90 * time.Second, 62500 * time.Millisecond, time.Hour}
		if got := l.gaps(); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if want := "nothing has come for 10s, not even a heartbeat; again in 0s"; l.notes[0] != want {
			t.Errorf("%q, want %q", l.notes[0], want)
		}
	})
}

// TestASlowTakerIsNoSilence has more records wait than a hearing holds, while
// nobody takes them.
func TestASlowTakerIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := []string{opened}
		for n := range 3 * records {
			lines = append(lines, message(fmt.Sprintf("e1-%d", 6+n), "1"))
		}
		c := make(scriptedFeed)
		taken := 0
		f := &follower{
			open:  func(context.Context, string) (feed, error) { return c, nil },
			flush: func() error { return nil }, note: func(text string) { t.Error(text) }, explain: error.Error,
			take: func(*record) error {
				if taken++; taken == 5 || taken == 5+records {
					<-time.After(time.Hour)
				}
				if taken == len(lines) {
					return errEnough
				}
				return nil
			},
		}
		go func() {
			for _, line := range lines {
				c <- line
			}
		}()
		if err := f.run(t.Context()); err != nil || taken != len(lines) {
			t.Errorf("%v after %d", err, taken)
		}
	})
}

func TestAMessageThatComesTwiceIsTakenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 0,
			says(0, opened, message("e1-6", "6"), message("e1-8", "8")),
			says(0, `{"control":"resumed","id":"e1-8"}`, message("e1-6", "6"), message("e1-8", "8"), message("e1-9", "9")),
			says(0, `{"control":"reset","id":"e2-2","from":"e1-9","reason":"epoch"}`, message("e2-3", "3")),
			says(0, `{"control":"reset","id":"e2-1","from":"e2-3","reason":"future"}`, message("e2-2", "2"), message("e2-3", "3")),
			says(0, `{"control":"resumed","id":"e2-3"}`, message("e2-3", "3"), message("e2-10", "10"), "no JSON", message("x", "11"), `{"id":7}`, message("x", "12")),
		)
		if got, want := strings.Join(l.got, " "), "open 6 8 resumed 9 reset 3 reset 2 3 resumed 10 11 12"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if want := []string{"", "e1-8", "e1-9", "e2-3", "e2-3", "x"}; !slices.Equal(l.since, want) {
			t.Errorf("%q, want %q", l.since, want)
		}
		if notes := strings.Join(l.notes, "\n"); strings.Count(notes, "a record cannot be read and is left out: ndjson: line 4") != 1 || strings.Count(notes, `a record is left out: {"id":7}`) != 1 {
			t.Error(notes)
		}
	})
}

func TestAnUnknownHostIsAMistakeOnlyAtFirst(t *testing.T) {
	unknown := fmt.Errorf("lookup: %w", &net.DNSError{IsNotFound: true})
	if !hopeless(unknown, false) || hopeless(unknown, true) || hopeless(errors.New("reset"), false) || !hopeless(http.ErrSchemeMismatch, true) {
		t.Error("what is hopeless is not known")
	}
}

// A scriptedFeed gives the lines that are sent to it.
type scriptedFeed chan string

func (c scriptedFeed) records(heard func()) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		for line := range c {
			heard()
			if !yield(json.RawMessage(line), nil) {
				return
			}
		}
	}
}

func (c scriptedFeed) ping() {}

func (c scriptedFeed) close() { close(c) }
