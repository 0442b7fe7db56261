package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// A liveLine says how something goes: on a terminal in one line that changes,
// elsewhere in a line now and then. Its methods may be called from any goroutine.
type liveLine struct {
	std      stdio
	terminal *os.File // nil for another place
	shared   bool     // what goes to stdout is on that terminal, too
	every    time.Duration

	mu   sync.Mutex
	line string // what stands there now
}

// newLiveLine says it every so often where no terminal is; 0 is never.
func newLiveLine(std stdio, every time.Duration) *liveLine {
	v := &liveLine{std: std, every: every}
	if isTerminal(std.err) && os.Getenv("TERM") != "dumb" {
		v.terminal, v.every = std.err.(*os.File), time.Second
		v.shared = isTerminal(std.out)
	}
	return v
}

// watch shows what text answers, until the returned function is called.
func (v *liveLine) watch(text func() string) (stop func()) {
	if v.every == 0 {
		return func() {}
	}
	restore := func() {}
	if v.terminal != nil {
		var err error
		if restore, err = understandEscapes(v.terminal); err != nil {
			v.terminal, v.shared, restore = nil, false, func() {}
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
				v.show(text())
			case <-stopping:
				return
			}
		}
	}()
	return func() {
		close(stopping)
		<-stopped
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.terminal != nil {
			fmt.Fprint(v.terminal, eraseLine)
			v.line = ""
		}
		restore()
	}
}

// eraseLine goes to the line's beginning and takes away what follows.
const eraseLine = "\r\x1b[J"

// show shows a text in place of the one before.
func (v *liveLine) show(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
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
	v.line = text
	fmt.Fprint(v.terminal, eraseLine+text)
}

// note says something once, above the line.
func (v *liveLine) note(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.terminal == nil {
		fmt.Fprintln(v.std.err, text)
		return
	}
	if os.Getenv("NO_COLOR") == "" {
		text = faint + text + plain
	}
	fmt.Fprint(v.terminal, v.erase()+text+"\n"+v.line)
}

// Write writes whole lines to stdout, above the line.
func (v *liveLine) Write(b []byte) (int, error) {
	if !v.shared {
		return v.std.out.Write(b)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	_, _ = io.WriteString(v.terminal, v.erase()) // a terminal that is gone fails the next
	n, err := v.std.out.Write(b)
	_, _ = io.WriteString(v.terminal, v.line)
	return n, err
}

// erase takes away the line, if there is one.
func (v *liveLine) erase() string {
	if v.line == "" {
		return ""
	}
	return eraseLine
}
