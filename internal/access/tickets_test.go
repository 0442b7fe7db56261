package access

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A clock is a time that goes on when it is told.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func TestATicketIsGoodOnceForItsPathForAMinute(t *testing.T) {
	c := &clock{now}
	tickets := NewTickets(c.Now)
	ticket := func() string {
		name, expires, err := tickets.Make("a.b.c", "/live/a")
		if err != nil || !expires.Equal(c.now.Add(time.Minute)) || len(name) != 22 {
			t.Fatalf("%q until %v, %v", name, expires, err)
		}
		return name
	}
	use := func(name, path string) string {
		token, ok := tickets.Use(name, path)
		if ok != (token != "") {
			t.Errorf("%q and %v", token, ok)
		}
		return token
	}

	name := ticket()
	if got := use(name, "/live/a"); got != "a.b.c" {
		t.Errorf("the first use gives %q", got)
	}
	if got := use(name, "/live/a"); got != "" {
		t.Errorf("the second use gives %q", got)
	}

	name = ticket()
	if got := use(name, "/live/b"); got != "" {
		t.Errorf("another path gives %q", got)
	}
	if got := use(name, "/live/a"); got != "" {
		t.Errorf("used up elsewhere it gives %q", got)
	}

	name = ticket()
	c.now = c.now.Add(time.Minute - 1)
	if got := use(name, "/live/a"); got != "a.b.c" {
		t.Errorf("at the last moment it gives %q", got)
	}
	name = ticket()
	c.now = c.now.Add(time.Minute)
	if got := use(name, "/live/a"); got != "" {
		t.Errorf("after a minute it gives %q", got)
	}

	name = ticket()
	for _, wrong := range []string{"", "x", name[:21], name + "A", name + "\n", "\r" + name, name[:21] + "!", name[:21] + "=", strings.Repeat("A", 22), strings.Repeat("A", 1<<20)} {
		if got := use(wrong, "/live/a"); got != "" {
			t.Errorf("%.30q gives %q", wrong, got)
		}
	}
	if tickets.Len() != 1 {
		t.Errorf("%d tickets are left", tickets.Len())
	}
}

func TestTheOldestTicketsGoWhenThereAreTooMany(t *testing.T) {
	for _, c := range []struct {
		what, token string
		most        int
	}{
		{"by their number", "a.b.c", MaxTickets},
		{"by their bytes", strings.Repeat("x", MaxCookieToken), maxTicketBytes / (MaxCookieToken + len("/live/a"))},
	} {
		k := &clock{now}
		tickets := NewTickets(k.Now)
		var all []string
		for range c.most + 10 {
			name, _, err := tickets.Make(c.token, "/live/a")
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, name)
		}
		if tickets.Len() != c.most {
			t.Errorf("%s: %d tickets", c.what, tickets.Len())
		}
		for i, want := range map[int]bool{0: false, 9: false, 10: true, len(all) - 1: true} {
			if _, ok := tickets.Use(all[i], "/live/a"); ok != want {
				t.Errorf("%s: ticket %d is good: %v", c.what, i, ok)
			}
		}
		k.now = k.now.Add(time.Minute)
		if tickets.Len() != 0 || tickets.bytes != 0 || tickets.order.Len() != 0 {
			t.Errorf("%s: after a minute %d are left, of %d bytes", c.what, tickets.Len(), tickets.bytes)
		}
	}
}

func TestATokenThatNoCookieCanHoldHasNoTicket(t *testing.T) {
	tickets := NewTickets(time.Now)
	const want = "the token has 4087 bytes; one with a ticket may have 4086, since browsers keep no longer cookie"
	if _, _, err := tickets.Make(strings.Repeat("x", MaxCookieToken+1), "/"); err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	if tickets.Len() != 0 {
		t.Error("it has one all the same")
	}
}

func TestOfManyWhoUseATicketOneIsLetIn(t *testing.T) {
	tickets := NewTickets(time.Now)
	for range 100 {
		name, _, err := tickets.Make("a.b.c", "/live/a")
		if err != nil {
			t.Fatal(err)
		}
		var in atomic.Int64
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if _, ok := tickets.Use(name, "/live/a"); ok {
					in.Add(1)
				}
			})
		}
		all.Wait()
		if in.Load() != 1 {
			t.Fatalf("%d are let in", in.Load())
		}
	}
}
