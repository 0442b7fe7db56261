package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/leat-dev/leat"
)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// said is a buffer that several may write to.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// sub runs leat sub without its pauses.
func sub(t *testing.T, args ...string) (out, notes string, err error) {
	t.Helper()
	return subUntil(t.Context(), args...)
}

func subUntil(ctx context.Context, args ...string) (out, notes string, err error) {
	fs := flag.NewFlagSet("sub", flag.ContinueOnError)
	o := &subOptions{random: func() float64 { return 0 }}
	o.flags(fs)
	if args, err = parse(fs, args); err != nil {
		return "", "", err
	}
	var stdout, stderr said
	err = o.run(ctx, stdio{strings.NewReader(""), &stdout, &stderr}, args)
	return stdout.String(), stderr.String(), err
}

var transports = []string{ndjsonKind, sseKind, socketKind}

func numbers(from, to int) []string {
	var list []string
	for n := from; n <= to; n++ {
		list = append(list, fmt.Sprint(n))
	}
	return list
}

// TestSubPrintsEachNumberOnceWhereverConnectionsBreak cuts them at random bytes
// of answers, records and frames.
func TestSubPrintsEachNumberOnceWhereverConnectionsBreak(t *testing.T) {
	const count = 2000
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			p, url, cuts := aCutPeer(t, 8000)
			p.Publish(numbers(1, count/2)...)
			go func() {
				for n := count/2 + 1; n <= count; n++ {
					p.Publish(fmt.Sprint(n))
				}
			}()
			out, notes, err := sub(t, "--transport", transport, "--history", "all", "--count", fmt.Sprint(count), url)
			if want := strings.Join(numbers(1, count), "\n") + "\n"; err != nil || out != want {
				t.Fatalf("%v; %d lines came, not %d in order\n%s", err, strings.Count(out, "\n"), count, notes)
			}
			if cuts.count < 10 || !strings.Contains(notes, "connected again; nothing is missing\n") {
				t.Errorf("%d connections; %s", cuts.count, notes)
			}
		})
	}
}

func TestSubAsksForWhatItsFlagsSay(t *testing.T) {
	t.Setenv(tokenVariable, "theirs")
	for _, c := range []struct{ flags, token, since, query string }{
		{"", "theirs", "", "a=%2A&history=all&topic=machine.%3E"},
		{"--topic room.* --event said --event= --max-rate 2.5", "theirs", "", "a=%2A&event=said&event=&history=all&maxRate=2.5&topic=room.%2A&topic=machine.%3E"},
		{"--transport sse", "theirs", "", "a=%2A&envelope=&history=all&topic=machine.%3E"},
		{"--transport websocket --since e1-0 --token mine", "mine", "e1-0", "a=%2A&history=all&topic=machine.%3E"},
	} {
		p, url := aPeer(t)
		args := append(strings.Fields(c.flags), "--history", "all", "--count", "1", url+"?a=*", "machine.>")
		p.Publish("1")
		if _, notes, err := sub(t, args...); err != nil || notes != "" {
			t.Fatalf("%s: %v %s", c.flags, err, notes)
		}
		r := p.Gets[0]
		if r.URL.RawQuery != c.query || r.Header.Get("Authorization") != "Bearer "+c.token || r.Header.Get("Last-Event-ID") != c.since {
			t.Errorf("%s: %s %v", c.flags, r.URL, r.Header)
		}
	}
}

func TestSubPrintsALineForEachMessage(t *testing.T) {
	data := []string{`{"a": [1]}`, `"text"`, `"two\nlines"`, `""`, `null`, `"\u001b[2J"`, `7`}
	for _, transport := range transports {
		p, url := aPeer(t)
		p.Publish(data...)
		out, notes, err := sub(t, "--transport", transport, "--history", "all", "--count", "7", url)
		if want := "{\"a\":[1]}\ntext\n\"two\\nlines\"\n\nnull\n\x1b[2J\n7\n"; err != nil || out != want || notes != "" {
			t.Errorf("%s: %v %q, want %q; %s", transport, err, out, want, notes)
		}
		out, _, err = sub(t, "--json", "--transport", transport, "--since", "e1-6", "--count", "1", url)
		want := `{"control":"resumed","heartbeat":25,"id":"e1-6"}` + "\n" + `{"id":"e1-7","topic":"numbers","count":7,"data":7}` + "\n"
		if err != nil || out != want {
			t.Errorf("%s: %v %q, want %q", transport, err, out, want)
		}
	}
}

func TestBytesAreALineOfBase64(t *testing.T) {
	r, err := readRecord([]byte(`{"id":"a-1","encoding":"base64","data":"AP8="}`))
	if err != nil || r.line() != "AP8=" {
		t.Errorf("%+v %v", r, err)
	}
}

func TestSubGivesUpWhereAnotherAttemptWouldBeOfNoUse(t *testing.T) {
	for _, transport := range transports {
		for code, again := range map[int]bool{
			301: false, 400: false, 401: false, 403: false, 404: false, 413: false,
			408: true, 425: true, 429: true, 500: true, 502: true, 503: true,
		} {
			p, url := aPeer(t)
			p.Publish("1")
			var asked atomic.Int32
			p.Refuse = func(w http.ResponseWriter, _ *http.Request) bool {
				if asked.Add(1) > 2 {
					return false
				}
				http.Error(w, "it reaches room.* only", code)
				return true
			}
			out, notes, err := sub(t, "--transport", transport, "--history", "all", "--count", "1", url)
			switch {
			case again && (err != nil || out != "1\n" || strings.Count(notes, "\n") != 2 || !strings.Contains(notes, fmt.Sprint(code))):
				t.Errorf("%s, %d: %v %q %q", transport, code, err, out, notes)
			case !again && (err == nil || asked.Load() != 1 || !strings.Contains(err.Error(), fmt.Sprintf("the answer is %d", code))):
				t.Errorf("%s, %d: %v after %d", transport, code, err, asked.Load())
			case code == 403 && !strings.HasSuffix(err.Error(), `it says "it reaches room.* only"`):
				t.Errorf("%s: %v", transport, err)
			case code == 401 && !strings.HasSuffix(err.Error(), "; --token TOKEN sends one"):
				t.Errorf("%s: %v", transport, err)
			}
		}
	}
}

func TestSubComesBackWhenAWebSocketSaysSo(t *testing.T) {
	p, url := aPeer(t)
	p.Publish("1")
	var asked atomic.Int32
	p.Refuse = func(w http.ResponseWriter, r *http.Request) bool {
		if asked.Add(1) > 1 {
			return false
		}
		s, err := leat.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return true
		}
		_, _ = s.SendText(`{"control":"open","id":"e1-0","heartbeat":25}`)
		_ = s.CloseWith(leat.CloseGoingAway, "retry in 7 ms")
		<-s.Done()
		return true
	}
	out, notes, err := sub(t, "--count", "1", strings.Replace(url, "http", "ws", 1))
	if want := "the server stops; again in 7ms\nconnected again; nothing is missing\n"; err != nil || out != "1\n" || notes != want {
		t.Errorf("%v %q %q", err, out, notes)
	}
}

func TestSubPingsAWebSocketThatIsSilent(t *testing.T) {
	t.Parallel()
	for _, answers := range []bool{true, false} {
		p, url := aPeer(t)
		p.Publish("1")
		var asked, pings atomic.Int32
		p.Refuse = func(w http.ResponseWriter, r *http.Request) bool {
			if asked.Add(1) > 1 {
				return false
			}
			enough := make(chan struct{})
			s, err := leat.Upgrade(w, r, &leat.SocketOptions{Ping: func(s *leat.Socket, _ []byte) {
				if pings.Add(1) == 2 {
					close(enough)
				}
				if !answers {
					<-t.Context().Done() // nothing is read, and no other ping answered
				}
			}})
			if err != nil {
				t.Error(err)
				return true
			}
			_, _ = s.SendText(`{"control":"open","id":"e1-0","heartbeat":0.8}`)
			select {
			case <-enough:
				_, _ = s.SendText(`{"id":"e1-1","data":"it lives"}`)
				<-s.Done()
			case <-s.Done():
			}
			return true
		}
		out, notes, err := sub(t, "--transport", "websocket", "--count", "1", url)
		if answers && (err != nil || out != "it lives\n" || notes != "") {
			t.Errorf("%v %q %q", err, out, notes)
		}
		if !answers && (err != nil || out != "1\n" || !strings.HasPrefix(notes, "nothing has come for ") || pings.Load() != 1) {
			t.Errorf("%v %q %q after %d pings", err, out, notes, pings.Load())
		}
	}
}

func TestSubReadsNothingButTopics(t *testing.T) {
	p, url := aPeer(t)
	p.Refuse = func(w http.ResponseWriter, r *http.Request) bool {
		s, err := leat.Records(w, r, nil)
		if err == nil {
			_ = s.Send(map[string]any{"load": 1})
		}
		return true
	}
	for _, transport := range []string{ndjsonKind, sseKind} {
		_, _, err := sub(t, "--transport", transport, url)
		if err == nil || err.Error() != `this is no topic: {"load":1}: it has no id and data, and is no control record` {
			t.Errorf("%s: %v", transport, err)
		}
	}
	_, _, err := sub(t, "--transport", "websocket", url)
	if err == nil || !strings.Contains(err.Error(), "no WebSocket is at this URL") {
		t.Errorf("%v", err)
	}
}

func TestSubSaysWhatIsMissing(t *testing.T) {
	for text, want := range map[string]string{
		`{"control":"open","id":"a-1"}`:                                           "",
		`{"control":"position","id":"a-1"}`:                                       "",
		`{"control":"gap","missed":{"machine.cpu":12},"reason":"slow"}`:           "12 messages of machine.cpu are missing: the reader was too slow",
		`{"control":"gap","missed":{"machine.cpu":1},"reason":"history"}`:         "1 message of machine.cpu is missing: the server does not keep them any more",
		`{"control":"gap","missed":{"b":1,"a":2},"reason":"restart"}`:             "2 messages of a, 1 of b are missing: the server has started anew",
		`{"control":"gap","missed":{"a\u001b":3},"atLeast":true,"reason":"x\n"}`:  `at least 3 messages of a\x1b are missing: x\n`,
		`{"control":"gap","missed":{"b":0,"a":0},"atLeast":true,"reason":"slow"}`: "messages of a, b may be missing: the reader was too slow",
		`{"control":"reset","id":"b-1","from":"a-7","reason":"epoch"}`:            "the position a-7 is of a server that has started anew since, without its history; what has been missed is unknown",
		`{"control":"expired","in":5}`:                                            "the token ends in 5s, and the stream with it",
		`{"control":"drain","retry":1500}`:                                        "the server is about to stop; again in 1.5s",
		`{"control":"later","id":"b-1"}`:                                          `the server says: {"control":"later","id":"b-1"}`,
	} {
		r, err := readRecord([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := r.sentence(); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestSubRefusesACommandLineThatIsWrong(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"", "name a URL, as in: leat sub localhost:4000/live/machine.cpu"},
		{"--transport see localhost/a", `--transport "see" is not one of ndjson, sse, websocket; did you mean sse?`},
		{"--history some localhost/a", `--history "some" is no number, and not one of none, last, all`},
		{"--max-rate -1 localhost/a", "--max-rate must be above 0"},
		{"--count -1 localhost/a", "--count must be 1 or more"},
		{"--since é localhost/a", `--since "é" is no id`},
		{"localhost/a?bare", "?bare is not for leat sub, which needs the records; curl -N reads it"},
		{"localhost/a localhost/b", `"localhost/b" is not the name of a topic; there is one URL, and behind it names as machine.cpu or room.*`},
		{"ftp://localhost/a", "the URL must name a host and begin with http://, https://, ws:// or wss://"},
		{"localhost/a#b", "the URL has a fragment, which is not sent; write # as %23"},
		{"http://me:secret@localhost:x/a", "the URL is wrong: invalid port \":x\" after host"},
		{"--token a --header Authorization:b localhost/a", "--token is an Authorization, and --header has one, too"},
		{"--header a:\x1b localhost/a", `--header "A: \x1b": a header has no such characters`},
	} {
		_, _, err := sub(t, strings.Fields(c.args)...)
		if !errors.As(err, new(usageError)) || err.Error() != c.says {
			t.Errorf("%s: %v, want %s", c.args, err, c.says)
		}
	}
}

func TestSubEndsInOrderWhenItsTimeIsOver(t *testing.T) {
	for _, transport := range transports {
		_, url := aPeer(t)
		if out, notes, err := sub(t, "--transport", transport, "--for", "50ms", url); err != nil || out+notes != "" {
			t.Errorf("%s: %v %q %q", transport, err, out, notes)
		}
	}
}

func TestSubDoesNotComeBackWhenAskedNotTo(t *testing.T) {
	p, url := aPeer(t)
	end := "in order"
	p.Refuse = func(w http.ResponseWriter, r *http.Request) bool {
		s, err := leat.NDJSON(w, r, nil)
		if err != nil {
			t.Error(err)
			return true
		}
		_ = s.Send(map[string]any{"control": "open", "id": "e1-0"})
		if end != "in order" {
			panic(http.ErrAbortHandler)
		}
		return true
	}
	if _, notes, err := sub(t, "--once", url); err != nil || notes != "" {
		t.Errorf("%v %q", err, notes)
	}
	end = "broken"
	if _, _, err := sub(t, "--once", url); err == nil || err.Error() != "the connection broke off" {
		t.Errorf("%v", err)
	}
}
