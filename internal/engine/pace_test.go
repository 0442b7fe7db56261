package engine

import (
	"testing"
	"time"
)

// Work on what has come would take as long on any goroutine; waiting would not.
func TestAPaceTellsWorkFromWaiting(t *testing.T) {
	for _, c := range []struct {
		name  string
		took  time.Duration
		bytes int
		slow  bool
	}{
		{"nothing to do", time.Microsecond, 0, false},
		{"a short wait", 100 * time.Microsecond, 64, false},
		{"a long wait", 300 * time.Microsecond, 64, true},
		{"work on much", 300 * time.Microsecond, 256 << 10, false},
		{"a long wait behind much", 600 * time.Microsecond, 256 << 10, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p pace
			for range 100 {
				p.note(c.took, c.bytes)
			}
			if slow := p.slow.Load(); slow != c.slow {
				t.Fatalf("slow: %v, want %v", slow, c.slow)
			}
			for range 100 {
				p.note(time.Microsecond, 64)
			}
			if p.slow.Load() {
				t.Error("it is taken for slow for ever")
			}
		})
	}
}
