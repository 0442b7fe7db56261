package cli_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// A terminal is a pseudo terminal with a program on it, and what its screen
// shows.
type terminal struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	before unix.Termios
	ended  chan error

	mu      sync.Mutex
	raw     strings.Builder
	cut     string // the beginning of a character or sequence
	rows    [][]rune
	x, y    int
	width   int
	changed chan struct{}
}

// onTerminal runs a program on a terminal that is so many columns wide.
func onTerminal(t *testing.T, width int, env []string, args ...string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &terminal{t: t, master: master, ended: make(chan error, 1), width: width, rows: [][]rune{{}}, changed: make(chan struct{}, 1)}
	fd := int(master.Fd())
	number, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	p.check(err)
	p.check(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	p.check(unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(width)}))
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	p.check(err)
	p.before = p.settings()

	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, slave, slave
	p.cmd.Env = append(os.Environ(), append([]string{"TERM=xterm", "NO_COLOR="}, env...)...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p.check(p.cmd.Start())
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			p.show(string(b[:n]))
			if err != nil {
				return
			}
		}
	}()
	go func() {
		err := p.cmd.Wait()
		_ = slave.Close() // the last: the reader comes to the end
		<-shown
		p.ended <- err
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = master.Close()
	})
	return p
}

func (p *terminal) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// settings are those of the line discipline.
func (p *terminal) settings() unix.Termios {
	p.t.Helper()
	s, err := unix.IoctlGetTermios(int(p.master.Fd()), unix.TCGETS)
	p.check(err)
	return *s
}

// key types.
func (p *terminal) key(text string) {
	p.t.Helper()
	_, err := io.WriteString(p.master, text)
	p.check(err)
}

// see waits until the screen shows this, and nothing else. A * stands for any
// text in a row.
func (p *terminal) see(rows ...string) {
	p.t.Helper()
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(row), `\*`, ".*") + "\n")
	}
	want := regexp.MustCompile("^" + b.String() + "$")
	p.until(func() bool { return want.MatchString(p.screen()) }, strings.Join(rows, "\n"))
}

// await waits until the program has written this.
func (p *terminal) await(text string) {
	p.t.Helper()
	p.until(func() bool { return strings.Contains(p.bytes(), text) }, text)
}

func (p *terminal) until(done func() bool, want string) {
	p.t.Helper()
	late := time.After(20 * time.Second)
	for !done() {
		select {
		case <-p.changed:
		case <-late:
			p.t.Fatalf("the screen shows:\n%s\nwant:\n%s", p.screen(), want)
		}
	}
}

// exits waits for the program's end, which gives the terminal back as it was.
func (p *terminal) exits(code int) {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		p.t.Fatalf("it does not end; the screen shows:\n%s", p.screen())
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("exit code %d, want %d", got, code)
	}
	if p.settings() != p.before {
		p.t.Error("the terminal is not as it was")
	}
}

func (p *terminal) screen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for _, row := range p.rows {
		b.WriteString(strings.TrimRight(string(row), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// bytes are all that the program has written.
func (p *terminal) bytes() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.raw.String()
}

var (
	sequence    = regexp.MustCompile(`^\x1b\[(\d*)([A-Za-z])`)
	cutSequence = regexp.MustCompile(`^\x1b(\[\d*)?$`)
)

// show does what a terminal does with a few sequences; any other is an error.
func (p *terminal) show(text string) {
	p.mu.Lock()
	p.raw.WriteString(text)
	for text = p.cut + text; text != ""; {
		if p.cut = text; !utf8.FullRuneInString(text) || cutSequence.MatchString(text) {
			break // the rest comes with the next read
		}
		p.cut = ""
		if m := sequence.FindStringSubmatch(text); m != nil {
			n, _ := strconv.Atoi(m[1])
			p.obey(m[2], n)
			text = text[len(m[0]):]
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		switch {
		case r == '\r':
			p.x = 0
		case r == '\n':
			p.y++
		case r == '\t':
			p.x += 8 - p.x%8
		case r < ' ' || r >= 0x7f && r < 0xa0:
			p.t.Errorf("the terminal is sent %q", r)
		default:
			if p.x == p.width {
				p.x, p.y = 0, p.y+1
			}
			p.cell(r)
			p.x++
		}
		p.cell(0)
	}
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// cell sets the cell at the cursor, or with 0 makes its row be there.
func (p *terminal) cell(r rune) {
	for len(p.rows) <= p.y {
		p.rows = append(p.rows, nil)
	}
	for len(p.rows[p.y]) <= p.x {
		p.rows[p.y] = append(p.rows[p.y], ' ')
	}
	if r != 0 {
		p.rows[p.y][p.x] = r
	}
}

func (p *terminal) obey(command string, n int) {
	count := max(n, 1)
	switch command {
	case "A":
		p.y = max(0, p.y-count)
	case "B":
		p.y += count
	case "C":
		p.x = min(p.width-1, p.x+count)
	case "D":
		p.x = max(0, p.x-count)
	case "K":
		p.rows[p.y] = p.rows[p.y][:p.x]
	case "J":
		p.rows[p.y] = p.rows[p.y][:p.x]
		p.rows = p.rows[:p.y+1]
	case "m":
	default:
		p.t.Errorf("the terminal is sent ESC [ %d %s", n, command)
	}
}
