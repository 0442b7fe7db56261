package source

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhoFailsWaitsLongerAndWhoLivedWellBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lives := []time.Duration{0, time.Second, well - 1, well, 0, time.Hour, 0, 0}
		want := []int{0, 1, 2, 0, 1, 0, 1, 2}
		var nths []int
		ctx, stop := context.WithCancel(t.Context())
		s := &Source{Line: func([]byte) {}, Backoff: func(nth int) time.Duration {
			if nths = append(nths, nth); len(nths) == len(lives) {
				stop()
			}
			return time.Minute
		}}
		s.fill()
		began, lived := time.Now(), 0
		s.restart(ctx, func(context.Context) error {
			<-time.After(lives[lived])
			lived++
			return errors.New("exit status 1")
		})
		if !slices.Equal(nths, want) {
			t.Errorf("lives of %v are restarts %v, not %v", lives, nths, want)
		}
		all := time.Duration(len(lives)-1) * time.Minute
		for _, life := range lives {
			all += life
		}
		if took := time.Since(began); took != all {
			t.Errorf("all took %v, not %v: a pause was not kept, or the last one was", took, all)
		}
	})
}

func TestTheJitterIsFullAndBounded(t *testing.T) {
	for nth, bound := range []time.Duration{
		500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second,
		8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second,
	} {
		var least, most time.Duration = time.Hour, 0
		for range 1000 { // none below or above a tenth of it: a chance of 10⁻⁴⁵
			d := fullJitter(nth)
			least, most = min(least, d), max(most, d)
		}
		if least < 0 || least > bound/10 || most < bound-bound/10 || most >= bound {
			t.Errorf("start %d waits from %v to %v, not from 0 to %v", nth, least, most, bound)
		}
	}
	if d := fullJitter(1 << 40); d < 0 || d >= 30*time.Second {
		t.Errorf("a start after very many waits %v", d)
	}
}

func TestASamplerLetsABurstThroughAndThenOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sampler{burst: 3, every: time.Second}
		through := func(tries int) (n, more int) {
			for range tries {
				if m, ok := s.take(); ok {
					n, more = n+1, more+m
				}
			}
			return n, more
		}
		if n, more := through(10); n != 3 || more != 0 {
			t.Errorf("first: %d, and %d more", n, more)
		}
		<-time.After(time.Second)
		if n, more := through(10); n != 1 || more != 7 {
			t.Errorf("a second later: %d, and %d more", n, more)
		}
		<-time.After(time.Hour)
		if n, more := through(10); n != 3 || more != 9 {
			t.Errorf("an hour later: %d, and %d more", n, more)
		}
		if more := s.rest(); more != 7 {
			t.Errorf("%d are left, not 7", more)
		}
		if more := s.rest(); more != 0 {
			t.Errorf("%d are left twice", more)
		}
	})
}
