//go:build amd64 || arm64

package engine

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/buffer"
)

// resident is what the system holds for this process, of which the race detector's
// own memory is no part: it grows and shrinks as it likes.
func resident(t *testing.T) int {
	t.Helper()
	if UnderRace {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.Sys - m.HeapReleased) //nolint:gosec // it fits
	}
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

func TestWhatABurstHasTakenIsGivenBackOnceItIsCalm(t *testing.T) {
	const much = 64 << 20
	var trim trimmer
	trim.look()
	burst := make([][]byte, 0, much>>16)
	var lent []*buffer.Buffer
	for i := range much >> 16 {
		b := make([]byte, 64<<10)
		if i%2 == 0 {
			lent = append(lent, buffer.Get(len(b)))
			b = lent[len(lent)-1].B[:len(b)]
		}
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		burst = append(burst, b)
	}
	full := resident(t)
	trim.look() // it is not calm yet
	if trim.trims > 1 {
		t.Error("it gives back what has just been taken")
	}
	runtime.KeepAlive(burst)
	for i, b := range lent { // the pool has them, and nobody else
		b.Free()
		lent[i] = nil
	}
	trim.look()
	if less := full - resident(t); less < much/4*3 {
		t.Errorf("%d bytes of %d are given back", less, much)
	}
	before := trim.trims
	for range 5 {
		trim.look()
	}
	if trim.trims > before {
		t.Errorf("%d collections while nothing happens", trim.trims-before)
	}
}
