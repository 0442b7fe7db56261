package leat_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

func TestASecondAttemptIsAnsweredAsTheFirst(t *testing.T) {
	srv, base := openTopics(t, leat.Config{})
	send := func(path, body string, header ...string) string {
		t.Helper()
		code, _, text := postTo(t, base+path, body, header...)
		if code != http.StatusOK {
			t.Fatalf("%d %s", code, text)
		}
		return text
	}
	one := send("a", "1", "Idempotency-Key", "k")
	if two := send("a", "2", "Idempotency-Key", "k"); two != one {
		t.Errorf("%s, then %s", one, two)
	}
	if two := send("?topic=a", "2", "Idempotency-Key", "k"); two != one {
		t.Errorf("%s, then %s", one, two)
	}
	if other := send("b", "1", "Idempotency-Key", "k"); other == one {
		t.Error("another topic's attempt is taken for it")
	}
	send("a", "3", "Idempotency-Key", "K")
	send("a", "4")
	batch := send("a", `{"data":5}`+"\n"+`{"data":6}`, "Idempotency-Key", "batch", "Content-Type", "application/x-ndjson")
	if again := send("a", `{"data":5}`+"\n"+`{"data":6}`, "Idempotency-Key", "batch", "Content-Type", "application/x-ndjson"); again != batch {
		t.Errorf("%s, then %s", batch, again)
	}
	f := followTopic(t, "ws", base+"a?history=all")
	f.control("open")
	for _, want := range []string{"1", "3", "4", "5", "6"} {
		f.message(want)
	}
	f.peer.text(`{"data":"never","idempotencyKey":"k","ref":1}`)
	if r := f.control("published"); !strings.Contains(one, `"`+r.ID+`"`) || string(r.Ref) != "1" {
		t.Errorf("%s, want the answer of before: %s", r.raw, one)
	}
	if n := srv.Topic("a").Stats().Published; n != 5 {
		t.Errorf("%d are published", n)
	}
	m := leat.Text("x")
	m.IdempotencyKey = "k"
	if r := publishTo(t, srv, "a", m); !strings.Contains(one, r.ID) {
		t.Errorf("%v, want the answer of before: %s", r, one)
	}
	long := strings.Repeat("k", 1025)
	if code, _, text := postTo(t, base+"a", "7", "Idempotency-Key", long); code != http.StatusBadRequest {
		t.Errorf("a key of %d bytes: %d %s", len(long), code, text)
	}
}

func TestAnAttemptIsItsPublishersAlone(t *testing.T) {
	of := func(subject string) string { return topicTokenOf(subject, time.Hour, ">", ">") }
	for mount := range topicMounts {
		srv, base := guarded(t, mount, leat.Config{})
		send := func(topic, token, key, body string) string {
			t.Helper()
			header := []string{"Idempotency-Key", key}
			if token != "" {
				header = append(header, "Authorization", "Bearer "+token)
			}
			code, _, text := postTo(t, base+topic, body, header...)
			if code != http.StatusOK {
				t.Fatalf("%s: %d %s", mount, code, text)
			}
			return text
		}
		long := strings.Repeat("k", 1024)
		for _, topic := range []string{"room.kitchen", "open.a"} {
			for _, key := range []string{"k", long} {
				first := map[string]string{}
				for _, subject := range []string{"ada", "bob", "ad", ""} {
					first[subject] = send(topic, of(subject), key, `"`+subject+`"`)
				}
				for _, subject := range []string{"ada", "bob", "ad", ""} { // with other tokens
					if again := send(topic, topicTokenOf(subject, 2*time.Hour, "", ">"), key, `"again"`); again != first[subject] {
						t.Errorf("%s, %s by %q: %s, then %s", mount, topic, subject, first[subject], again)
					}
				}
			}
			send(topic, of("a"), "d"+"k", `"apart"`) // and not of "ad", with "k"
			if n := srv.Topic(topic).Stats().Published; n != 9 {
				t.Errorf("%s: %d are published to %s", mount, n, topic)
			}
		}
		open := send("open.b", "", "k", `"nobody"`)
		if again := send("open.b", "", "k", `"again"`); again != open {
			t.Errorf("%s, without a token: %s, then %s", mount, open, again)
		}
		ada, bob := send("room.hall", of("ada"), "k", `"ada"`), send("room.hall", of("bob"), "k", `"bob"`)
		f := followTopic(t, "ws", base+"room.hall", "Authorization: Bearer "+of("bob"))
		f.control("open")
		publish := func(want string) {
			t.Helper()
			f.peer.text(`{"data":"never","idempotencyKey":"k"}`)
			if r := f.control("published"); !strings.Contains(want, `"`+r.ID+`"`) {
				t.Errorf("%s: %s, want the answer of before: %s", mount, r.raw, want)
			}
		}
		publish(bob)
		f.peer.text(`{"token":"` + of("ada") + `"}`)
		publish(ada)
		f.leave()
	}
}

func TestWhatIsTooLargeIs413(t *testing.T) {
	srv, base := openTopics(t, leat.Config{Limits: leat.Limits{MaxMessage: 1000}})
	host := strings.TrimSuffix(base, "/live/")
	for name, raw := range map[string]string{
		"by its length":     "POST /live/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\r\n", // and no body
		"with Expect":       "POST /live/a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n",
		"without a length":  "POST /live/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + strings.Repeat("x", 1001) + "\r\n0\r\n\r\n",
		"without an end":    "POST /live/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n" + strings.Repeat("x", 2000),
		"a batch by length": "POST /live/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 16001\r\n\r\n",
	} {
		resp := reach(t, host, raw).response()
		if text := body(t, resp); resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(text, "limits.maxMessage") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
	}
	if code, _, text := postTo(t, base+"a", strings.Repeat("x", 1000)); code != http.StatusOK {
		t.Errorf("one that fits: %d %s", code, text)
	}
	f := followTopic(t, "ws", base+"a")
	f.control("open")
	f.peer.text(`{"data":"` + strings.Repeat("x", 900) + `"}`)
	f.next()
	f.next()
	f.peer.text(`{"data":"` + strings.Repeat("x", 1000) + `"}`)
	f.ends(leat.CloseTooBig)
	if n := srv.Topic("a").Stats().Published; n != 2 {
		t.Errorf("%d are published", n)
	}
	if _, err := srv.Topic("a").Publish(context.Background(), leat.Binary(make([]byte, 1001))); !errors.Is(err, leat.ErrTooLarge) {
		t.Error(err)
	}
	_, base = openTopics(t, leat.Config{Limits: leat.Limits{MaxMessage: leat.Unlimited, Body: leat.Unlimited}})
	if code, _, text := postTo(t, base+"a", strings.Repeat("x", 3<<20)); code != http.StatusOK {
		t.Errorf("without a bound: %d %s", code, text)
	}
}

func TestABodyIsBoundedBeforeItsMessages(t *testing.T) {
	srv, base := openTopics(t, leat.Config{})
	host := strings.TrimSuffix(base, "/live/")
	large := strings.Repeat(`{"data":"0123456789"}`+"\n", 100<<10/20)
	for _, media := range []string{"text/plain", "application/x-ndjson"} {
		for name, rest := range map[string]string{
			"by its length":    fmt.Sprintf("Content-Length: %d\r\n\r\n", len(large)), // and no body
			"without a length": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(large), large),
		} {
			resp := reach(t, host, "POST /live/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: "+media+"\r\n"+rest).response()
			if text := body(t, resp); resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(text, "limits.body") {
				t.Errorf("%s %s: %d %s", media, name, resp.StatusCode, text)
			}
		}
	}
	if n := srv.Topic("a").Stats().Published; n != 0 {
		t.Errorf("%d are published", n)
	}
}

func TestATopicTooManyIs503(t *testing.T) {
	srv, base := openTopics(t, leat.Config{Limits: leat.Limits{Topics: 2, TopicsPerAddress: 3}})
	for range 5 {
		if code, h, text := postTo(t, base+"a", `{"data":1,"topic":"b"}`+"\n"+`{"data":1,"topic":"c"}`+"\n"+`{"data":1}`, "Content-Type", "application/x-ndjson"); code != http.StatusServiceUnavailable ||
			!strings.Contains(text, "(limits.topics); nothing is published") || h.Get("Retry-After") == "" {
			t.Errorf("%d %s", code, text)
		}
	}
	for _, name := range []string{"a", "b", "a"} {
		if code, _, text := postTo(t, base+name, "1"); code != http.StatusOK {
			t.Errorf("%d %s", code, text)
		}
	}
	f := followTopic(t, "ws", base+"a?topic=c")
	f.control("open")
	f.peer.text(`{"publish":"c","data":1}`)
	if r := f.control("refused"); r.Status != http.StatusServiceUnavailable || !strings.Contains(r.Error, "limits.topics)") {
		t.Error(r.raw)
	}
	if _, err := srv.Topic("c").Publish(context.Background(), leat.JSON(1)); !errors.Is(err, leat.ErrTopics) {
		t.Error(err)
	}
}

func TestWhatOneAddressMayHaveIsBounded(t *testing.T) {
	srv, base := openTopics(t, leat.Config{Limits: leat.Limits{StreamsPerAddress: 3, TopicsPerAddress: 2, PublishesPerAddress: 5}})
	refused := func(what, key string, code int, h http.Header, text string) {
		t.Helper()
		if code != http.StatusTooManyRequests || !strings.Contains(text, key) || h.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v %s", what, code, h, text)
		}
	}
	var feeds []*topicFeed
	for _, over := range []string{"ndjson HTTP/1.1", "ws", "sse HTTP/2"} {
		f := followTopic(t, over, base+"a")
		f.control("open")
		feeds = append(feeds, f)
	}
	for _, over := range topicTransports {
		f := beginFeed(t, over, base+"a")
		refused(over, "limits.streamsPerAddress", f.resp.StatusCode, f.resp.Header, body(t, f.resp))
	}
	if code, _, _ := ask(t, http.MethodHead, base+"a", ""); code != http.StatusTooManyRequests {
		t.Errorf("HEAD: %d", code)
	}
	for _, f := range feeds {
		f.leave()
	}
	for _, over := range topicTransports {
		eventually(t, "another one is let in", func() bool {
			f := beginFeed(t, over, base+"a")
			defer f.leave()
			return f.resp.StatusCode < 300
		})
	}
	eventually(t, "all have left", func() bool { return srv.Stats().Streams+srv.Stats().Sockets == 0 })
	for range 5 { // HEAD takes no place for good
		if code, _, text := ask(t, http.MethodHead, base+"a", ""); code != http.StatusOK {
			t.Errorf("HEAD: %d %s", code, text)
		}
	}
	codes := map[int]int{}
	for i := range 3 {
		code, h, text := postTo(t, base+fmt.Sprintf("made%d", i), "1")
		if codes[code]++; code != http.StatusOK {
			refused("topics", "limits.topicsPerAddress", code, h, text)
		}
	}
	if codes[http.StatusOK] != 2 {
		t.Errorf("%v topics are made", codes)
	}
	for range 50 {
		code, h, text := postTo(t, base+"made0", "1")
		if code == http.StatusOK {
			continue
		}
		refused("publishes", "limits.publishesPerAddress", code, h, text)
		return
	}
	t.Error("publishing has no bound")
}

// Who has not heard the answer tries again at once, and has no part of the rate left.
func TestASecondAttemptIsNotCounted(t *testing.T) {
	_, base := openTopics(t, leat.Config{Limits: leat.Limits{PublishesPerAddress: 1}})
	batch := strings.Repeat(`{"data":1}`+"\n", 1000) // the first may be more than a second's
	header := []string{"Content-Type", "application/x-ndjson", "Idempotency-Key", "k"}
	code, _, first := postTo(t, base+"a", batch, header...)
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, first)
	}
	for range 3 {
		if code, _, again := postTo(t, base+"a", batch, header...); code != http.StatusOK || again != first {
			t.Errorf("%d %s, want the answer of before: %s", code, again, first)
		}
	}
	for _, key := range []string{"", "other"} {
		if code, _, text := postTo(t, base+"a", "1", "Idempotency-Key", key); code != http.StatusTooManyRequests {
			t.Errorf("another, with the key %q: %d %s", key, code, text)
		}
	}
	f := followTopic(t, "ws", base+"a")
	f.control("open")
	f.peer.text(`{"data":1,"idempotencyKey":"k"}`)
	if r := f.control("published"); !strings.Contains(first, `"`+r.ID+`"`) {
		t.Errorf("%s, want the answer of before: %s", r.raw, first)
	}
	f.peer.text(`{"data":1,"idempotencyKey":"other"}`)
	if r := f.control("refused"); r.Status != http.StatusTooManyRequests {
		t.Error(r.raw)
	}
}

// Whoever has one address of IPv6 has a whole network of them.
func TestANetworkOfIPv6HasWhatOneAddressMay(t *testing.T) {
	srv, err := leat.New(&leat.Config{
		Topics: []leat.TopicRule{{Publish: "public"}}, Limits: leat.Limits{StreamsPerAddress: 1, TopicsPerAddress: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	do := func(from, method, path string) int {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader("1"))
		r.RemoteAddr = from
		srv.Topics("/live/").ServeHTTP(w, r)
		return w.Code
	}
	ctx, leave := context.WithCancel(t.Context())
	polled := make(chan struct{})
	go func() {
		defer close(polled)
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/live/a?wait=100s", nil)
		r.RemoteAddr = "[2001:db8::1]:1"
		srv.Topics("/live/").ServeHTTP(httptest.NewRecorder(), r)
	}()
	waiting(t, srv, "a", 1)
	for i, row := range []struct {
		from          string
		read, publish int
	}{
		{"[2001:db8::1]:1", 429, 200},
		{"[2001:db8::ffff:0:0:2]:2", 429, 429},
		{"[2001:db8:0:1::1]:1", 200, 200},
		{"[2001:db8:0:1::2]:1", 200, 429},
		{"[::ffff:192.0.2.1]:1", 200, 200},
		{"192.0.2.1:1", 200, 429},
		{"192.0.2.2:1", 200, 200},
	} {
		if code := do(row.from, http.MethodHead, "/live/a"); code != row.read {
			t.Errorf("%s reads: %d, want %d", row.from, code, row.read)
		}
		if code := do(row.from, http.MethodPost, fmt.Sprintf("/live/made%d", i)); code != row.publish {
			t.Errorf("%s publishes: %d, want %d", row.from, code, row.publish)
		}
	}
	leave()
	receive(t, "the end of the poll", polled)
}

func TestAReaderThatHasLeftBeforeItBeganHoldsNoPlace(t *testing.T) {
	c := &leat.Config{Limits: leat.Limits{StreamsPerAddress: 4}}
	path := "/live/?"
	for i := range 2000 { // so that it takes a while to begin
		c.Topics = append(c.Topics, leat.TopicRule{Match: fmt.Sprintf("rule.%d", i)})
	}
	for i := range 100 {
		path += fmt.Sprintf("topic=name.%d&", i)
	}
	srv, err := leat.New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	read := func(ctx context.Context, method string) int {
		w := httptest.NewRecorder()
		srv.Topics("/live/").ServeHTTP(w, httptest.NewRequestWithContext(ctx, method, path, nil))
		return w.Code
	}
	gone, leave := context.WithCancel(context.Background())
	leave()
	for range 4 {
		read(gone, http.MethodGet)
	}
	eventually(t, "all have ended", func() bool { return srv.Stats().Streams == 0 })
	if code := read(context.Background(), http.MethodHead); code != http.StatusOK {
		t.Errorf("%d: those who have gone hold the places", code)
	}
}
