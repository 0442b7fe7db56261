package cli

import (
	"fmt"
	"strings"
	"time"
)

// A benchLine is what the live line of a measurement says.
type benchLine struct {
	l      *load
	before result
}

// text is how it goes.
func (v *benchLine) text() string {
	l, duration := v.l, time.Duration(v.l.o.duration)
	var b strings.Builder
	errors := l.failures.sum() + l.breaks.sum() + l.wrong.sum()
	if l.in(connecting) {
		fmt.Fprintf(&b, "connecting: %d of %d open", l.open.Load(), l.o.connections)
	} else {
		now, before := l.sum(), v.before
		if before.to < l.begun.to {
			before = l.begun
		}
		took := (now.to - before.to).Seconds()
		count := now.right + now.received - before.right - before.received
		fmt.Fprintf(&b, "%v of %v: %d open, %.0f %s/s", min(duration, now.to-l.begun.to).Round(time.Second), duration, l.open.Load(), float64(count)/took, l.things())
		if t := newBenchTimes(l.times()); t != nil {
			fmt.Fprintf(&b, ", p50 %s, p99 %s", short(t.P50), short(t.P99))
		}
		v.before = now
	}
	fmt.Fprintf(&b, ", %s", plural(int64(errors), "error", "errors"))
	return b.String()
}

func (l *load) things() string {
	switch {
	case l.echoing():
		return "echoes"
	case l.stream:
		return "records"
	}
	return "messages"
}
