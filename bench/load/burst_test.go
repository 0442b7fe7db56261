package load_test

import (
	"os"
	"testing"
	"time"

	"github.com/leat-dev/leat/bench/load"
)

func TestWhatABurstLeavesIsWatched(t *testing.T) {
	b := load.Burst{URL: serve(t, right), Conns: 2, Size: 1 << 20, Depth: 2, Time: 100 * time.Millisecond, Limit: 300 * time.Millisecond, PID: os.Getpid()}
	r, err := b.Run()
	if err != nil || r.Before <= 0 || r.Peak < r.Before || r.Second <= 0 || r.End <= 0 || r.Back <= 0 || r.Back > 5 {
		t.Errorf("%+v, %v", r, err)
	}
}
