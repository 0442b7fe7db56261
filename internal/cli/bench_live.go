package cli

import (
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// A liveLine says how a measurement goes: on a terminal in one line that changes,
// elsewhere in a line now and then.
type liveLine struct {
	std      stdio
	quiet    bool
	terminal *os.File // nil for another place
	every    time.Duration
	duration time.Duration

	before result
}

func newLiveLine(std stdio, o *benchOptions) *liveLine {
	v := &liveLine{std: std, quiet: o.json, duration: time.Duration(o.duration)}
	v.every = max(time.Second, v.duration/10)
	if isTerminal(std.err) && os.Getenv("TERM") != "dumb" {
		v.terminal, v.every = std.err.(*os.File), time.Second
	}
	return v
}

// watch shows the line until the returned function is called.
func (v *liveLine) watch(l *load) (stop func()) {
	if v.quiet {
		return func() {}
	}
	restore := func() {}
	if v.terminal != nil {
		var err error
		if restore, err = understandEscapes(v.terminal); err != nil {
			v.terminal, restore = nil, func() {}
		}
	}
	stopping, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticks := time.NewTicker(v.every)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
				v.show(v.text(l))
			case <-stopping:
				return
			}
		}
	}()
	return func() {
		close(stopping)
		<-stopped
		if v.terminal != nil {
			fmt.Fprint(v.terminal, "\r\x1b[J")
		}
		restore()
	}
}

// show shows a text in place of the one before.
func (v *liveLine) show(text string) {
	if v.terminal == nil {
		fmt.Fprintln(v.std.err, text)
		return
	}
	width, _, err := term.GetSize(int(v.terminal.Fd()))
	if err != nil || width < 4 {
		width = 80
	}
	if most := width - 3; utf8.RuneCountInString(text) > most { // one row, with the ^C behind it
		text = string([]rune(text)[:most])
	}
	fmt.Fprint(v.terminal, "\r\x1b[J"+text)
}

// text is how it goes.
func (v *liveLine) text(l *load) string {
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
		fmt.Fprintf(&b, "%v of %v: %d open, %.0f %s/s", min(v.duration, now.to-l.begun.to).Round(time.Second), v.duration, l.open.Load(), float64(count)/took, v.things(l))
		if t := newBenchTimes(l.times()); t != nil {
			fmt.Fprintf(&b, ", p50 %s, p99 %s", short(t.P50), short(t.P99))
		}
		v.before = now
	}
	fmt.Fprintf(&b, ", %s", plural(int64(errors), "error", "errors"))
	return b.String()
}

func (v *liveLine) things(l *load) string {
	switch {
	case l.echoing():
		return "echoes"
	case l.stream:
		return "records"
	}
	return "messages"
}
