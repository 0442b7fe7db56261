package leat_test

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat"
)

func TestReadersAreToldToComeBackBeforeAServerStops(t *testing.T) {
	for mount := range topicMounts {
		srv, base := topicMounts[mount](t, &leat.Config{Topics: []leat.TopicRule{{Publish: "public"}}})
		feeds := map[string]*topicFeed{}
		for _, over := range topicTransports {
			f := followTopic(t, over, base+"a")
			f.control("open")
			publishTo(t, srv, "a", leat.JSON(over))
			feeds[over] = f
		}
		bare := followTopic(t, "ndjson HTTP/1.1", base+"b?bare")
		waiting(t, srv, "a", len(topicTransports))
		waiting(t, srv, "b", 1)
		publishTo(t, srv, "a", leat.JSON("last"))
		for _, f := range feeds {
			for string(f.next().Data) != `"last"` {
			}
		}
		went := make(chan error, 1)
		go func() { went <- srv.Shutdown(context.Background()) }()
		for over, f := range feeds {
			r, err := f.take()
			if f.peer != nil {
				c, ok := err.(*closedWith) //nolint:errorlint // it is not wrapped
				if !ok || c.code != leat.CloseGoingAway || !namesATime(c.reason) {
					t.Errorf("%s, %s: %v, %v", mount, over, r, err)
				}
				f.peer.close(leat.CloseGoingAway, "")
				continue
			}
			if err != nil || r.Control != "drain" || r.Retry < 500 || r.Retry > 5000 || strings.HasPrefix(over, "sse") && r.field != strconv.FormatInt(r.Retry, 10) {
				t.Errorf("%s, %s: %v, %v", mount, over, r, err)
				continue
			}
			f.ends(0)
		}
		bare.ends(0)
		if err := receive(t, "the end", went); err != nil {
			t.Errorf("%s: %v", mount, err)
		}
		if s := srv.Stats(); s.Streams+s.Sockets != 0 || s.StreamsEnded["shutdown"] != 7 || s.SocketsEnded["shutdown"] != 2 {
			t.Errorf("%s: %+v", mount, s)
		}
	}
}

// namesATime says whether a close names when to come back.
func namesATime(reason string) bool {
	m := regexp.MustCompile(`^retry in (\d+) ms$`).FindStringSubmatch(reason)
	if m == nil {
		return false
	}
	ms, err := strconv.Atoi(m[1])
	return err == nil && ms >= 500 && ms <= 5000
}

func TestATokensEndIsToldAndThenTheStreamEnds(t *testing.T) {
	for mount := range topicMounts {
		t.Run(mount, func(t *testing.T) {
			t.Parallel()
			srv, base := guarded(t, mount, leat.Config{})
			auth := func(in time.Duration) string { return "Authorization: Bearer " + topicToken(in, "room.*", "room.*") }
			var soonest, later []*topicFeed
			for _, over := range topicTransports {
				soonest = append(soonest, followTopic(t, over, base+"room.a", auth(600*time.Millisecond)))
				later = append(later, followTopic(t, over, base+"room.a", auth(5300*time.Millisecond)))
			}
			bare := followTopic(t, "ndjson HTTP/1.1", base+"room.a?bare", auth(600*time.Millisecond))
			prolonged := followTopic(t, "ws", base+"room.a", auth(600*time.Millisecond))
			prolonged.control("open")
			prolonged.control("expired")
			prolonged.peer.text(`{"token":"` + topicToken(time.Hour, "room.*", "room.*") + `"}`)
			narrow := followTopic(t, "ws", base+"room.a", auth(600*time.Millisecond))
			narrow.control("open")
			narrow.control("expired")
			narrow.peer.text(`{"token":"` + topicToken(time.Hour, "room.b", "") + `","ref":1}`)
			if r := narrow.control("refused"); r.Status != http.StatusForbidden && r.Status != http.StatusUnauthorized {
				t.Error(r.raw)
			}
			for i, over := range topicTransports {
				f := soonest[i]
				f.control("open")
				if r := f.control("expired"); r.In < 0 || r.In > 0.6 || r.ID != "" {
					t.Errorf("%s, %s: %s", mount, over, r.raw)
				}
				f.ends(leat.ClosePolicy)
				if f.peer != nil {
					f.peer.close(leat.ClosePolicy, "")
				}
				f = later[i]
				f.control("open")
				if r := f.control("expired"); math.Abs(r.In-5) > 0.31 {
					t.Errorf("%s, %s: %s", mount, over, r.raw)
				}
				f.leave()
			}
			narrow.ends(leat.ClosePolicy)
			narrow.peer.close(leat.ClosePolicy, "")
			bare.ends(0)
			publishTo(t, srv, "room.a", leat.JSON("on"))
			prolonged.message(`"on"`)
			eventually(t, "the ends are counted", func() bool {
				s := srv.Stats()
				return s.StreamsEnded["token expired"] == 7 && s.SocketsEnded["token expired"] == 3
			})
			prolonged.leave()
		})
	}
}

func TestATokenThatDoesNotComeEndsTheWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, err := leat.New(&leat.Config{
			Topics: []leat.TopicRule{{Subscribe: "token"}}, Limits: leat.Limits{StreamsPerAddress: 1},
			Tokens: leat.Tokens{Keys: []leat.TokenKey{{Algorithm: "HS256", File: secretFile(t)}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		hs := &http.Server{Handler: srv.Topics("/live/")}
		go func() { _ = hs.Serve(l) }()
		near, far := net.Pipe()
		l.conns <- near
		p := shakeOn(t, far, "x", "/live/a")
		began := time.Now()
		p.text(`{"token":"bad"}`)
		if r, err := p.record(); err != nil || r.Control != "refused" || r.Status != http.StatusUnauthorized {
			t.Errorf("%v, %v", r, err)
		}
		r, err := p.record()
		c, ok := err.(*closedWith) //nolint:errorlint // it is not wrapped
		if !ok || c.code != leat.ClosePolicy || !strings.Contains(c.reason, "token") || time.Since(began) != 10*time.Second {
			t.Errorf("%v, %v after %v", r, err, time.Since(began))
		}
		p.close(leat.ClosePolicy, "")
		_ = far.Close()
		_ = hs.Close()
		_ = srv.Close()
		sleep(time.Minute)
	})
}

func TestTheLogAndTheCountsKnowReadersOfTopics(t *testing.T) {
	for _, over := range topicTransports {
		t.Run(over, func(t *testing.T) {
			j := newJournal()
			srv, base := topicMounts["route"](t, &leat.Config{Logger: j.logger()})
			f := followTopic(t, over, base+"a?secret=1")
			bytes := len(f.control("open").raw)
			for i := range 20 {
				publishTo(t, srv, "a", leat.Text(strings.Repeat("x", 100*i)))
				bytes += len(f.next().raw)
			}
			stats := srv.Topic("a").Stats()
			kind, _, _ := strings.Cut(strings.Replace(over, "ws", "websocket", 1), " ")
			if stats.Subscribers[kind] != 1 || stats.Published != 20 || stats.Kept != 20 {
				t.Errorf("%+v", stats)
			}
			if s := srv.Stats(); s.Records != 20 || s.Streams+s.Sockets != 1 {
				t.Errorf("%+v", s)
			}
			f.leave()
			eventually(t, "the reader has gone", func() bool { s := srv.Stats(); return s.Streams+s.Sockets == 0 })
			s := srv.Stats()
			if ended := s.StreamsEnded["reader gone"] + s.SocketsEnded["reader gone"]; ended != 1 {
				t.Errorf("%+v", s)
			}
			line := j.wait(t, map[string]any{"msg": "request", "path": "/live/a", "end": "reader gone"})
			n, ok := line["bytes"].(float64)
			if extra := int(n) - bytes; !ok || over != "ws deflated" && (extra < 0 || extra > 21*8) || over == "ws deflated" && (int(n) > bytes || n < 1000) {
				t.Errorf("%v, and %d have come", line, bytes)
			}
			if strings.Contains(fmt.Sprint(line), "secret") {
				t.Errorf("the line has the query: %v", line)
			}
		})
	}
}

// shortRate is a rate that people can read.
var shortRate = regexp.MustCompile(`"rate":\d(\.\d{1,3})?,`)

func TestTheNumberOfMessagesKeptIsThatOfTheArray(t *testing.T) {
	srv, base := openTopics(t, leat.Config{Topics: []leat.TopicRule{
		{Match: "few", History: leat.History{Count: 5}}, {Match: "none", History: leat.History{None: true}}, {},
	}})
	for topic, want := range map[string]int{"few": 5, "none": 0, "all": 20} {
		for i := range 20 {
			publishTo(t, srv, topic, leat.JSON(i))
		}
		_, _, text := ask(t, http.MethodGet, base+topic, "", "Accept", "application/json")
		if list, s := array(t, text), srv.Topic(topic).Stats(); len(list) != want || s.Kept != want || s.Published != 20 {
			t.Errorf("%s: %d in the array, %+v, want %d", topic, len(list), s, want)
		}
		if _, _, text := ask(t, http.MethodGet, base+topic+"?stats", ""); !shortRate.MatchString(text) {
			t.Error(text)
		}
	}
}

func TestASlowReaderThatIsToEndIsCounted(t *testing.T) {
	srv, base := openTopics(t, leat.Config{
		Topics: []leat.TopicRule{{Slow: "disconnect", History: leat.History{Count: 4}}}, Limits: leat.Limits{SendBuffer: 4096, MaxMessage: 1 << 20},
	})
	for _, over := range []string{"ndjson HTTP/1.1", "sse HTTP/1.1", "ws"} {
		f := followTopic(t, over, base+"a")
		f.control("open")
		before := srv.Stats()
		big := leat.Binary(make([]byte, 200<<10))
		for range 200 {
			publishTo(t, srv, "a", big)
		}
		for r := f.next(); r.Control != "gap"; r = f.next() {
			if r.Control != "" {
				t.Fatalf("%s: %s", over, r.raw)
			}
		}
		f.ends(leat.CloseTryAgain)
		f.leave()
		eventually(t, "it is counted", func() bool {
			s := srv.Stats()
			return s.StreamsEnded["topics.slow"]+s.SocketsEnded["topics.slow"] == before.StreamsEnded["topics.slow"]+before.SocketsEnded["topics.slow"]+1
		})
	}
}

func TestTopicsLeaveNoGoroutineBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	for mount := range topicMounts {
		t.Run(mount, func(t *testing.T) {
			srv, base := topicMounts[mount](t, &leat.Config{Topics: []leat.TopicRule{{Publish: "public"}}})
			for _, query := range []string{"a", "a?maxRate=3", "%3E?history=all", "a?bare"} {
				for _, over := range topicTransports {
					f := followTopic(t, over, base+query)
					publishTo(t, srv, "a", leat.JSON(1))
					f.leave()
				}
			}
			ask(t, http.MethodGet, base+"a?wait=10ms", "")
			eventually(t, "all have left", func() bool { s := srv.Stats(); return s.Streams+s.Sockets == 0 })
			waiting(t, srv, "a", 0)
		})
	}
	http.DefaultClient.CloseIdleConnections()
	eventually(t, "their goroutines have ended", func() bool {
		runtime.GC() // which ends the engines' loops
		return runtime.NumGoroutine() <= before
	})
}

func TestNoMessageFollowsTheCloseOfAReader(t *testing.T) {
	t.Parallel()
	srv, base := guarded(t, "route", leat.Config{})
	other := followTopic(t, "ndjson HTTP/1.1", base+"room.kitchen", "Authorization: Bearer "+topicToken(time.Hour, "room.*", ""))
	other.control("open")
	for _, over := range []string{"ws", "ws deflated"} {
		f := followTopic(t, over, base+"room.kitchen", "Authorization: Bearer "+topicToken(2*time.Second, "room.*", ""))
		f.control("open")
		var err error
		for err == nil {
			_, err = f.take()
		}
		if c, ok := err.(*closedWith); !ok || c.code != leat.ClosePolicy { //nolint:errorlint // it is not wrapped
			t.Fatalf("%s: %v", over, err)
		}
		publishTo(t, srv, "room.kitchen", leat.JSON("late"))
		other.message(`"late"`) // so it has gone out to all
		f.peer.close(leat.ClosePolicy, "")
		if h, payload, err := f.peer.next(); err == nil {
			t.Errorf("%s: behind the close comes %s", over, describe(h, payload))
		}
		f.leave()
	}
}
