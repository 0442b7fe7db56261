package site

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat"
)

// An ear is the line of a guest of a test.
type ear struct{ heard []string }

func (e *ear) send(data []byte) error {
	var m struct{ Type, Name string }
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	e.heard = append(e.heard, m.Type+" "+m.Name)
	return nil
}

func (e *ear) end(int, string) {}

// hush has a room with one guest, who hears by the ear.
func hush(t *testing.T) (*room, *ear) {
	t.Helper()
	srv, err := leat.New(&leat.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Shutdown(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	r := newRoom(time.Now, srv.Topic("chat.room"))
	return r, listen(t, r, "Ada")
}

// listen has somebody join who hears by an ear.
func listen(t *testing.T, r *room, name string) *ear {
	t.Helper()
	e := &ear{}
	g := r.newGuest()
	g.line = e
	if d := r.join(g, wish{Name: name}, func(welcome) bool { return true }); d != nil {
		t.Fatal(d.Why)
	}
	return e
}

// send has a guest by POST send a message.
func send(t *testing.T, r *room, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r.byPost(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/chat", strings.NewReader(body)))
	return w
}

// asks is send, with what it is answered.
func asks(t *testing.T, r *room, body string) (int, welcome) {
	t.Helper()
	w := send(t, r, body)
	var hello welcome
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &hello); err != nil {
			t.Fatal(err)
		}
	}
	return w.Code, hello
}

func TestALeaseEndsTwoMinutesAfterTheLastWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, ada := hush(t)
		hears := func(want string, places int) {
			t.Helper()
			synctest.Wait()
			r.mu.Lock()
			defer r.mu.Unlock()
			if got := strings.Join(ada.heard, ", "); got != want {
				t.Errorf("heard is %q, not %q", got, want)
			}
			for address, n := range r.leases {
				if places -= n; n == 0 {
					t.Errorf("%s has a note without a place", address)
				}
			}
			if places != 0 {
				t.Errorf("the addresses hold %v", r.leases)
			}
		}
		_, silent := asks(t, r, `{"type":"join","name":"Silent"}`)
		_, alive := asks(t, r, `{"type":"join","name":"Alive"}`)
		for range 3 { // each of them says one thing, or only that it is here
			<-time.After(leaseTime - time.Second)
			if status, _ := asks(t, r, `{"type":"here","key":"`+silent.Key+`"}`); status != http.StatusNoContent {
				t.Fatalf("who is here gets %d", status)
			}
			if status, _ := asks(t, r, `{"type":"say","text":"x","key":"`+alive.Key+`"}`); status != http.StatusOK {
				t.Fatalf("who speaks gets %d", status)
			}
		}
		const before = "joined Silent, joined Alive, said Alive, said Alive, said Alive"
		<-time.After(leaseTime - time.Nanosecond)
		hears(before, 2)
		if status, _ := asks(t, r, `{"type":"here","key":"`+alive.Key+`"}`); status != http.StatusNoContent {
			t.Fatalf("who is here gets %d", status)
		}
		<-time.After(time.Nanosecond)
		hears(before+", left Silent", 1)
		if status, _ := asks(t, r, `{"type":"here","key":"`+silent.Key+`"}`); status != http.StatusForbidden {
			t.Errorf("who has left gets %d", status)
		}
		// Its name is free.
		if _, again := asks(t, r, `{"type":"join","name":"Silent"}`); again.Key == "" || again.Key == silent.Key {
			t.Errorf("the key is %q after %q", again.Key, silent.Key)
		}
		<-time.After(leaseTime - time.Nanosecond)
		hears(before+", left Silent, joined Silent, left Alive", 1)
		<-time.After(time.Nanosecond)
		hears(before+", left Silent, joined Silent, left Alive, left Silent", 0)
	})
}

func TestALeaseThatIsOverDoesNotEndTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, ada := hush(t)
		_, first := asks(t, r, `{"type":"join","name":"Grace"}`)
		<-time.After(leaseTime / 2)
		asks(t, r, `{"type":"leave","key":"`+first.Key+`"}`)
		_, second := asks(t, r, `{"type":"join","name":"Grace"}`)
		<-time.After(leaseTime / 4)
		_, third := asks(t, r, `{"type":"join","name":"Grace","key":"`+second.Key+`"}`)
		for range 10 { // long beyond the ends of the first two
			<-time.After(leaseTime / 2)
			if status, _ := asks(t, r, `{"type":"here","key":"`+third.Key+`"}`); status != http.StatusNoContent {
				t.Fatalf("who is here gets %d", status)
			}
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if got, want := strings.Join(ada.heard, ", "), "joined Grace, left Grace, joined Grace"; got != want {
			t.Errorf("heard is %q, not %q", got, want)
		}
	})
}

// Whoever has one address of IPv6 has a whole network of them.
func TestANetworkOfIPv6HoldsThePlacesOfOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := hush(t)
		joins := func(from, name string, want int) {
			t.Helper()
			w := httptest.NewRecorder()
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/chat", strings.NewReader(`{"type":"join","name":"`+name+`"}`))
			req.RemoteAddr = from
			if r.byPost(w, req); w.Code != want {
				t.Errorf("%s from %s gets %d %s", name, from, w.Code, w.Body)
			}
		}
		for i := range mostLeases {
			joins(fmt.Sprintf("[2001:db8::%x]:80", i), fmt.Sprint("Six ", i), http.StatusOK)
			joins([]string{"192.0.2.1:80", "[::ffff:192.0.2.1]:80"}[i%2], fmt.Sprint("Four ", i), http.StatusOK)
		}
		joins("[2001:db8::ffff:0:0:1]:80", "Late", http.StatusTooManyRequests)
		joins("192.0.2.1:81", "Late", http.StatusTooManyRequests)
		joins("[2001:db8:0:1::]:80", "Beside", http.StatusOK)
		joins("192.0.2.2:80", "Near", http.StatusOK)
		<-time.After(leaseTime)
		synctest.Wait()
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.leases) > 0 {
			t.Errorf("the addresses hold %v", r.leases)
		}
	})
}

func TestAFullRoomSaysWhenToTryAgain(t *testing.T) {
	r, _ := hush(t)
	for i := range mostGuests - 1 {
		listen(t, r, fmt.Sprint("Guest ", i))
	}
	const late = `{"type":"join","name":"Late"}`
	w := send(t, r, late)
	want := string(encode(refusal{"refused", "join", "the room is full: 250 are here; try again later"})) + "\n"
	if w.Code != http.StatusServiceUnavailable || w.Body.String() != want || w.Header().Get("Retry-After") != "10" {
		t.Errorf("the 251st gets %d %s, Retry-After %s", w.Code, w.Body, w.Header().Get("Retry-After"))
	}
	r.leave(r.guests["ada"])
	if w := send(t, r, late); w.Code != http.StatusOK {
		t.Errorf("when one has left it gets %d %s", w.Code, w.Body)
	}
	r.leave(r.guests["late"])
}
