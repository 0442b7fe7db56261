package site

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat"
)

// A house is a machine whose topics are read, in the time of a synctest.
type house struct {
	t       *testing.T
	srv     *leat.Server
	sampler *sampler
	reads   atomic.Int64
}

func newHouse(t *testing.T) *house {
	t.Helper()
	srv, err := leat.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	h := &house{t: t, srv: srv}
	fake := newFakeMachine()
	h.sampler = newSampler(func() *reading {
		h.reads.Add(1)
		fake.t = time.Now()
		return fake.read()
	}, time.Now)
	newMachine(h.sampler).publish(srv)
	h.reads.Store(0)
	return h
}

// pass lets time pass.
func pass(d time.Duration) { time.Sleep(d) } //nolint:forbidigo // in a bubble

// enter has somebody read: by a long poll for an event that never comes.
func (h *house) enter(query string) (leave func()) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/live/?wait=1h&event=never&"+query, nil)
	go h.srv.Topics("/live/").ServeHTTP(httptest.NewRecorder(), r)
	pass(gather)
	synctest.Wait()
	return func() { cancel(); synctest.Wait() }
}

// published is how many messages each topic has had.
func (h *house) published() map[string]int64 {
	all := map[string]int64{}
	for _, p := range parts {
		if n := h.srv.Topic(p.topic).Stats().Published; n > 0 {
			all[p.topic] = n
		}
	}
	return all
}

func (h *house) want(when string, reads int64, published map[string]int64) {
	h.t.Helper()
	synctest.Wait()
	if got := h.reads.Load(); got != reads {
		h.t.Errorf("%s: the machine was read %d times, want %d", when, got, reads)
	}
	if got := h.published(); !maps.Equal(got, published) {
		h.t.Errorf("%s: published %v, want %v", when, got, published)
	}
}

func TestNothingIsCollectedWhileNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		pass(time.Hour)
		h.want("after an hour", 0, nil)
		leave := h.enter("topic=other.>")
		pass(time.Minute)
		h.want("with a reader of others", 0, map[string]int64{})
		leave()
	})
}

func TestTheMachineIsReadOnceASecondForAnyNumberOfReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		var leave []func()
		for range 50 {
			leave = append(leave, h.enter("topic=machine"))
		}
		h.want("at once", 1, map[string]int64{"machine": 1})
		pass(10 * time.Second)
		h.want("after ten seconds", 11, map[string]int64{"machine": 11})
		for _, l := range leave[1:] {
			l()
		}
		pass(10 * time.Second)
		h.want("for the last reader", 21, map[string]int64{"machine": 21})
		leave[0]()
		pass(5 * time.Minute)
		h.want("after the last one", 21, map[string]int64{"machine": 21})
		defer h.enter("topic=machine")()
		h.want("for one who comes later, at once", 22, map[string]int64{"machine": 22})
	})
}

func TestOnlyWhatIsReadIsPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		leave := h.enter("topic=machine.cpu&topic=machine.load")
		pass(2 * time.Second)
		h.want("two parts", 3, map[string]int64{"machine.cpu": 3, "machine.load": 3})
		leave()
		leave = h.enter("topic=machine.*")
		pass(time.Second)
		h.want("all parts", 4, map[string]int64{
			"machine.cpu": 4, "machine.load": 4, "machine.memory": 1, "machine.network": 1, "machine.disk": 1, "machine.process": 1,
		})
		leave()
	})
}

func TestWhatTheSystemDoesNotTellIsNotPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, err := leat.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = srv.Close() }()
		h := &house{t: t, srv: srv}
		newMachine(newSampler(func() *reading { return &reading{} }, time.Now)).publish(srv)
		leave := h.enter("topic=>")
		h.want("a mute system", 0, map[string]int64{"machine": 1, "machine.process": 1})
		leave()
	})
}

// Who polls comes and goes all the time.
func TestReadersWhoComeAndGoHaveNoMoreReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		end := time.Now().Add(20*time.Second - time.Millisecond)
		for time.Now().Before(end) {
			leave := h.enter("topic=machine")
			pass(rand.N(300 * time.Millisecond))
			leave()
			pass(rand.N(100 * time.Millisecond))
		}
		if n := h.reads.Load(); n < 15 || n > 21 {
			t.Errorf("the machine was read %d times in 20 seconds", n)
		}
	})
}

func TestRatesOfATopicBeginAnewBehindAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.enter("topic=machine")()
		stream := h.sampler.watch(100 * time.Millisecond) // which goes on meanwhile
		for range 100 {
			pass(100 * time.Millisecond)
			stream()
		}
		leave := h.enter("topic=machine")
		pass(time.Second + 100*time.Millisecond) // the first look waits a little, the second is a second behind it
		leave()
		var records []status
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/live/machine?bare", nil)
		r.Header.Set("Accept", "application/json")
		h.srv.Topics("/live/").ServeHTTP(w, r)
		if err := json.Unmarshal(w.Body.Bytes(), &records); err != nil {
			t.Fatal(err)
		}
		if len(records) != 3 || records[1].Over > 0.6 || math.Abs(records[2].Over-1) > 0.1 {
			t.Errorf("the records are %s; want one over half a second, and one over one", w.Body)
		}
		checkRates(t, &records[2])
	})
}

func TestTheEndOfTheServerEndsTheCollector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		leave := h.enter("topic=machine")
		_ = h.srv.Close()
		pass(time.Minute)
		h.want("a minute after its end", 1, map[string]int64{"machine": 1})
		leave()
	})
}
