package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// pub runs leat pub without its pauses.
func pub(t *testing.T, in io.Reader, args ...string) (out, notes string, err error) {
	t.Helper()
	return pubUntil(t.Context(), in, args...)
}

func pubUntil(ctx context.Context, in io.Reader, args ...string) (out, notes string, err error) {
	fs := flag.NewFlagSet("pub", flag.ContinueOnError)
	o := &pubOptions{retry: durationFlag(time.Minute), random: func() float64 { return 0 }}
	o.flags(fs)
	if args, err = parse(fs, args); err != nil {
		return "", "", err
	}
	var stdout, stderr said
	err = o.run(ctx, stdio{in, &stdout, &stderr}, args)
	return stdout.String(), stderr.String(), err
}

// sizes are how many messages each request has published.
func (p *TopicPeer) sizes() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var sizes []int
	for _, post := range p.Posts {
		sizes = append(sizes, post.Messages)
	}
	return sizes
}

func TestPubPublishesWhatIsJSONAsJSON(t *testing.T) {
	const euro, latin = "€", "\xe4"
	for _, c := range []struct{ flags, message, media, data string }{
		{"", `{"a": 1}`, "application/json", `{"a": 1}`},
		{"", "7", "application/json", "7"},
		{"", "07", "text/plain", `"07"`},
		{"", euro, "text/plain", `"€"`},
		{"", "", "text/plain", `""`},
		{"", latin, "application/octet-stream", `"\ufffd"`},
		{"", `"` + latin + `"`, "application/octet-stream", `"\"\ufffd\""`},
		{"--json", `"x"`, "application/json", `"x"`},
		{"--text", "7", "text/plain", `"7"`},
	} {
		p, url := aPeer(t)
		args := append(strings.Fields(c.flags), url, c.message)
		out, notes, err := pub(t, nil, args...)
		if err != nil || out+notes != "" || p.Data() != c.data+"\n" || p.messages[0].media != c.media {
			t.Errorf("%q: %v %q, %+v", args, err, out+notes, p.messages)
		}
		// Two of them, and in one request where they are no bytes.
		p, url = aPeer(t)
		_, _, err = pub(t, nil, append(strings.Fields(c.flags), url, "--", c.message, c.message)...)
		data := strings.ReplaceAll(c.data, ": ", ":") + "\n" // a line of NDJSON is compact
		want := []int{2}
		if c.media == "application/octet-stream" {
			want = []int{1, 1}
		}
		if err != nil || p.Data() != data+data || !slices.Equal(p.sizes(), want) {
			t.Errorf("%q twice: %v %+v", args, err, p.Posts)
		}
	}
}

func TestPubNamesEventAndKey(t *testing.T) {
	p, url := aPeer(t)
	out, _, err := pub(t, nil, "--event", "Größe", "--key", "a&b", "--id", "--token", "secret", url+"?x=1", "1")
	if err != nil || out != "e1-1\n" {
		t.Fatalf("%v %q", err, out)
	}
	if _, _, err := pub(t, strings.NewReader("2\n3\n"), "--event", "Größe", "--key", "a&b", url); err != nil {
		t.Fatal(err)
	}
	for _, m := range p.messages {
		if m.Event != "Größe" || m.Key != "a&b" {
			t.Errorf("%+v", m)
		}
	}
	if len(p.messages) != 3 {
		t.Errorf("%+v", p.messages)
	}
}

// TestPubSendsTogetherWhatIsThere has lines come while a request is under way.
func TestPubSendsTogetherWhatIsThere(t *testing.T) {
	t.Parallel()
	p, url := aPeer(t)
	arrived, answer := make(chan bool), make(chan bool)
	p.Refuse = func(http.ResponseWriter, *http.Request) bool {
		arrived <- true
		<-answer
		return false
	}
	in, lines := io.Pipe()
	ended := make(chan error)
	go func() {
		_, _, err := pub(t, in, url)
		ended <- err
	}()
	write := func(text string) {
		if _, err := io.WriteString(lines, text); err != nil {
			t.Error(err)
		}
	}
	write("1\n") // a lone line waits for nothing
	<-arrived
	write(strings.Join(numbers(2, 256), "\n") + "\n")
	write(strings.Join(numbers(257, 301), "\n") + "\n")
	write("") // the pipe takes this when those have been put
	for range 2 {
		answer <- true
		<-arrived
	}
	for range 3 {
		write(strings.Repeat("x", 100<<10) + "\n")
	}
	write("")
	go func() {
		for answer <- true; <-arrived; {
			answer <- true
		}
	}()
	write(`"` + strings.Repeat("y", 300<<10) + `"` + "\n")
	lines.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	close(arrived)
	if got, want := p.sizes(), []int{1, 256, 44, 2, 1, 1}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if want := strings.Join(numbers(1, 301), "\n"); !strings.HasPrefix(p.Data(), want) || len(p.messages) != 305 {
		t.Errorf("%d messages", len(p.messages))
	}
}

func TestPubPublishesEachLineOnceWhereverConnectionsBreak(t *testing.T) {
	const count = 300
	p, url, cuts := aCutPeer(t, 900)
	in, lines := io.Pipe()
	go func() {
		defer lines.Close()
		for n := 1; n <= count; n += 3 {
			_, _ = io.WriteString(lines, strings.Join(numbers(n, n+2), "\n")+"\n")
			p.Wait(t, n+2)
		}
	}()
	_, notes, err := pub(t, in, url)
	if want := strings.Join(numbers(1, count), "\n") + "\n"; err != nil || p.Data() != want {
		t.Errorf("%v; %d messages, not %d in order\n%s", err, len(p.messages), count, notes)
	}
	if cuts.count < 10 {
		t.Errorf("%d connections", cuts.count)
	}
}

func TestPubTriesAgainWhereThatHelps(t *testing.T) {
	for code, again := range map[int]bool{
		204: false, 301: false, 400: false, 401: false, 403: false, 404: false, 405: false, 409: false,
		408: true, 425: true, 429: true, 500: true, 502: true, 503: true,
	} {
		p, url := aPeer(t)
		var keys []string
		p.Refuse = func(w http.ResponseWriter, r *http.Request) bool {
			if keys = append(keys, r.Header.Get("Idempotency-Key")); len(keys) > 2 {
				return false
			}
			w.WriteHeader(code)
			if code != 204 {
				_, _ = io.WriteString(w, "so it says\n")
			}
			return true
		}
		_, notes, err := pub(t, nil, url, "1")
		if again {
			if err != nil || p.Data() != "1\n" || len(keys) != 3 || keys[0] == "" || keys[0] != keys[2] || strings.Count(notes, "again in 0s\n") != 1 {
				t.Errorf("%d: %v %q %q", code, err, keys, notes)
			}
		} else if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("message 1 was not published: the answer is %d", code)) || len(keys) != 1 ||
			code == 403 && !strings.HasSuffix(err.Error(), `it says "so it says"`) {
			t.Errorf("%d: %v %q", code, err, keys)
		}
	}
}

func TestPubTriesNoLongerThanItMay(t *testing.T) {
	p, url := aPeer(t)
	asked := 0
	p.Refuse = func(w http.ResponseWriter, _ *http.Request) bool {
		asked++
		w.Header().Set("Retry-After", "61")
		http.Error(w, "busy", http.StatusTooManyRequests)
		return true
	}
	_, notes, err := pub(t, nil, url, "1", "2", "3")
	if want := `messages 1 to 3 were not published: the answer is 429 Too Many Requests; try again after "61"; it says "busy"`; err == nil || err.Error() != want || asked != 1 || notes != "" {
		t.Errorf("%v after %d, %q", err, asked, notes)
	}
}

func TestPubCutsABatchThatIsTooLargeAsAWhole(t *testing.T) {
	p, url := aPeer(t)
	p.Refuse = func(w http.ResponseWriter, r *http.Request) bool {
		if r.ContentLength <= 100 {
			return false
		}
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return true
	}
	_, _, err := pub(t, nil, append([]string{url}, numbers(1, 20)...)...)
	if want := strings.Join(numbers(1, 20), "\n") + "\n"; err != nil || p.Data() != want || len(p.Posts) != 4 {
		t.Errorf("%v %+v", err, p.Posts)
	}
	long := strings.Repeat("x", 101)
	for what, messages := range map[string][]string{
		"message 1 was not published, and none behind it": {long, "1"},
		"message 2 was not published, and none behind it": {"1", long, "2", "3"},
		"message 3 was not published":                     {"1", "2", long},
	} {
		_, _, err := pub(t, nil, append([]string{url}, messages...)...)
		if want := what + `: the answer is 413 Request Entity Too Large; it says "too large"`; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	p.Refuse = func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "no", http.StatusForbidden)
		return true
	}
	_, _, err = pub(t, nil, append([]string{url}, numbers(1, 300)...)...)
	if want := `messages 1 to 256 were not published, and none behind them: the answer is 403 Forbidden; it says "no"`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestPubNamesTheLineThatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ flags, in, says, published string }{
		{"--json", "1\n\n 2 \r\nx\n3\n", "line 4 is not JSON: invalid character 'x' looking for beginning of value", "1\n 2 \n"},
		{"--text", "a\n\xff\nb\n", "line 2 is not UTF-8", "\"a\"\n"},
		{"", "a\n" + strings.Repeat("x", longestLine+1), "the input, line 2: longer than 16 MiB", "\"a\"\n"},
	} {
		p, url := aPeer(t)
		_, _, err := pub(t, strings.NewReader(c.in), append(strings.Fields(c.flags), url)...)
		if got := strings.ReplaceAll(p.Data(), " ", ""); err == nil || err.Error() != c.says || got != strings.ReplaceAll(c.published, " ", "") {
			t.Errorf("%q: %v %q", c.flags, err, got)
		}
		if errors.As(err, new(usageError)) {
			t.Errorf("%v is no mistake of the command line", err)
		}
	}
	_, url := aPeer(t)
	_, _, err := pub(t, nil, "--json", url, "1", "x")
	if !errors.As(err, new(usageError)) || !strings.HasPrefix(err.Error(), "message 2 is not JSON") {
		t.Errorf("%v", err)
	}
}

func TestPubSendsWhatWaitsWhenItIsInterrupted(t *testing.T) {
	p, url := aPeer(t)
	arrived, answer := make(chan bool), make(chan bool)
	var asked atomic.Int32
	p.Refuse = func(http.ResponseWriter, *http.Request) bool {
		if asked.Add(1) == 1 {
			arrived <- true
			<-answer
		}
		return false
	}
	in, lines := io.Pipe()
	defer lines.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, _, err := pubUntil(ctx, in, url)
		ended <- err
	}()
	_, _ = io.WriteString(lines, "1\n")
	<-arrived
	_, _ = io.WriteString(lines, "2\n3\n")
	_, _ = io.WriteString(lines, "") // when the reader has put those
	interrupt()
	answer <- true
	if err := <-ended; err != nil || p.Data() != "1\n2\n3\n" {
		t.Errorf("%v %q", err, p.Data())
	}
}

func TestPubThatIsInterruptedDoesNotWaitForAServerThatIsAway(t *testing.T) {
	t.Parallel()
	p, url := aPeer(t)
	ctx, interrupt := context.WithCancel(t.Context())
	p.Refuse = func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		interrupt()
		<-r.Context().Done()
		return true
	}
	_, _, err := pubUntil(ctx, strings.NewReader("1\n2\n"), url)
	if want := "lines 1 to 2 were not published: interrupted while no answer came"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestPubRefusesACommandLineThatIsWrong(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"", "name a URL, as in: leat pub localhost:4000/live/room.kitchen Hello"},
		{"--json --text localhost/a 1", "--json and --text exclude each other"},
		{"mailto://me 1", "the URL must name a host and begin with http://, https://, ws:// or wss://"},
		{"--token a\u00a0b localhost/a 1", "the token has white space in it"},
	} {
		args := strings.Split(c.args, " ")
		if c.args == "" {
			args = nil
		}
		_, _, err := pub(t, nil, args...)
		if !errors.As(err, new(usageError)) || err.Error() != c.says {
			t.Errorf("%s: %v, want %s", c.args, err, c.says)
		}
	}
}

func TestPubSaysThatNothingListens(t *testing.T) {
	_, _, err := pub(t, nil, "--retry", "0s", "127.0.0.1:1/live/a", "1")
	if want := "message 1 was not published: connect: connection refused; nothing listens there"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
