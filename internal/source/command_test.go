//go:build unix

package source

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain is also the program that starts another one in a session of its own,
// and leaves it its output.
func TestMain(m *testing.M) {
	if os.Getenv("SOURCE_TEST_LEAVES") == "" {
		reapOrphans(true)
		os.Exit(m.Run()) //nolint:forbidigo // this is its main
	}
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stdout, cmd.Process.Pid)
}

func sh(script string) []string { return []string{"sh", "-c", script} }

// never is a back-off that outlasts every test.
func never(int) time.Duration { return time.Hour }

func TestTheLinesOfACommandCome(t *testing.T) {
	t.Setenv("SOURCE_TEST_SAYS", "from outside")
	r := run(t, &Source{Backoff: never, Command: sh(`echo a; printf 'b\r\n\n'; wc -c | tr -d ' '; echo "$SOURCE_TEST_SAYS"; printf c`)})
	r.want("a", "b", "", "0", "from outside", "c")
	if end := r.log.wait(t, 1, LogEnded)[0]; end["why"] != "done" || end["level"] != "INFO" || end["command"] != "sh" {
		t.Errorf("its end: %v", end)
	}
	r.stop()
	r.nothing()
}

func TestALineComesWhileTheCommandLives(t *testing.T) {
	r := run(t, &Source{Command: sh("echo a; exec sleep 1000")})
	r.want("a")
	r.stop()
	if ends, _ := r.log.of(LogEnded); len(ends) > 0 {
		t.Errorf("what was ended is no news: %v", ends)
	}
}

func TestACommandThatEndsIsStartedAgain(t *testing.T) {
	nths := make(chan int, 100)
	r := run(t, &Source{
		Command: sh("echo up; exit 3"),
		Backoff: func(nth int) time.Duration {
			nths <- nth
			if nth == 3 {
				return time.Hour
			}
			return time.Millisecond
		},
	})
	r.want("up", "up", "up", "up")
	for i, end := range r.log.wait(t, 4, LogEnded) {
		if nth := <-nths; nth != i {
			t.Errorf("the back-off of start %d is %d", i, nth)
		}
		if end["why"] != "exit status 3" || end["level"] != "WARN" {
			t.Errorf("its end: %v", end)
		}
	}
	r.stop()
	r.nothing()
}

func TestACommandThatIsNotFoundSaysSoOnceForEachStart(t *testing.T) {
	name := filepath.Join(t.TempDir(), "later")
	failed, again := make(chan int), make(chan bool)
	r := run(t, &Source{Command: []string{name}, Backoff: func(nth int) time.Duration {
		select {
		case failed <- nth:
			<-again
		case <-t.Context().Done():
		}
		return 0
	}})
	for want := range 2 {
		if nth := <-failed; nth != want {
			t.Errorf("the back-off of start %d is %d", want, nth)
		}
		if want == 1 {
			if err := os.WriteFile(name, []byte("#!/bin/sh\necho here\nexec sleep 1000\n"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		again <- true
	}
	r.want("here")
	r.stop()
	ends, _ := r.log.of(LogEnded)
	for _, end := range ends {
		if why, _ := end["why"].(string); !strings.Contains(why, "no such file") || !strings.Contains(why, name) {
			t.Errorf("its end: %v", end)
		}
	}
	if len(ends) != 2 {
		t.Errorf("2 starts failed; the log:\n%s", r.log)
	}
}

func TestStandardErrorIsLoggedAndOfMuchOnlySome(t *testing.T) {
	long := strings.Repeat("x", maxStderr)
	r := run(t, &Source{Backoff: never, Command: sh("echo first >&2; echo " + long + "yz >&2; i=0; while [ $i -lt 998 ]; do echo more; i=$((i+1)); done >&2")})
	r.log.wait(t, 1, LogEnded)
	said, _ := r.log.of(LogStderr)
	if said[0]["line"] != "first" || said[0]["command"] != "sh" || said[1]["line"] != long+"…" {
		t.Errorf("it begins with %v, %v", said[0], said[1])
	}
	lines, more := 0, 0
	for _, s := range said {
		if s["line"] != nil {
			lines++
		}
		more += int(s["more"].(float64))
	}
	if lines < 20 || lines > 25 || lines+more != 1000 {
		t.Errorf("%d lines are logged, and %d counted, of 1000", lines, more)
	}
	r.stop()
	r.nothing()
}

func TestALongLineIsLeftOutAndLogged(t *testing.T) {
	r := run(t, &Source{Backoff: never, MaxLine: 5, Command: sh(`printf 'short\nlonger\r\nshort\r\n'; i=0; while [ $i -lt 99 ]; do echo longer; i=$((i+1)); done; printf longest`)})
	r.want("short", "short")
	r.log.wait(t, 1, LogEnded)
	said, _ := r.log.of(LogLong)
	if said[0]["begins"] != "longer" || said[0]["limit"] != 5.0 || said[0]["level"] != "WARN" {
		t.Errorf("the first: %v", said[0])
	}
	all := 0
	for _, s := range said {
		if s["begins"] != nil {
			all++
		}
		all += int(s["more"].(float64))
	}
	if len(said) > 10 || all != 101 {
		t.Errorf("%d records say %d lines, not 101", len(said), all)
	}
	r.stop()
	r.nothing()
}

// A token is a file that processes hold for as long as they live.
type token struct {
	path string
	gone <-chan struct{} // closed when none has it any more
}

func newToken(t *testing.T) token {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0) // so that both ends open at once
	if err != nil {
		t.Fatal(err)
	}
	read, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		defer read.Close()
		defer f.Close()
		if _, err := read.Read(make([]byte, 1)); err != nil {
			return // all have left before one came
		}
		f.Close()
		for b, err := make([]byte, 1), error(nil); err == nil; {
			_, err = read.Read(b)
		}
	}()
	return token{path, gone}
}

func (k token) waitGone(t *testing.T) {
	t.Helper()
	select {
	case <-k.gone:
	case <-time.After(patience):
		t.Error("a process lives on")
	}
}

func TestItsChildrenEndWithACommand(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		stop   bool // by ctx, else it ends by itself
		grace  time.Duration
		atMost time.Duration
	}{
		"that is ended":                        {"sleep 1000 & echo up; wait", true, time.Hour, patience},
		"that is ended and had ended output":   {"sleep 1000 >&- 2>&- & echo up; exec >&- 2>&-; wait", true, time.Hour, patience},
		"that ignores SIGTERM":                 {"trap '' TERM; sleep 1000 & echo up; while :; do sleep 1; done", true, 50 * time.Millisecond, patience},
		"whose child ignores SIGTERM":          {"(trap '' TERM; echo up; while :; do sleep 1; done) & wait", true, 50 * time.Millisecond, patience},
		"that ends by itself":                  {"sleep 1000 & echo up", false, time.Hour, patience},
		"that ends by itself, with the output": {"sleep 1000 >&- 2>&- & echo up", false, time.Hour, patience},
		"that ends, and a child will not":      {"(trap '' TERM; echo up; while :; do sleep 1; done) & sleep 0.1", false, 50 * time.Millisecond, patience},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newToken(t)
			r := run(t, &Source{Backoff: never, grace: c.grace, Command: sh("exec 9>" + k.path + "; echo >&9; " + c.script)})
			r.want("up")
			if c.stop {
				r.stop()
			} else {
				r.log.wait(t, 1, LogEnded)
			}
			k.waitGone(t)
			r.stop()
		})
	}
}

func TestACommandMaySayWhatItHasToWhenItIsEnded(t *testing.T) {
	r := run(t, &Source{Command: sh("trap 'echo bye; printf bye; exit' TERM; echo up; while :; do sleep 0.01; done")})
	r.want("up")
	r.stop()
	r.want("bye", "bye")
	r.nothing()
}

func TestAFilterOfItsOutputOutlivesACommand(t *testing.T) {
	// The filter holds the pipe, and is slower than its command.
	r := run(t, &Source{Backoff: never, Command: sh("(sleep 0.2; echo filtered) & echo up")})
	r.want("up", "filtered")
	r.log.wait(t, 1, LogEnded)
}

func TestWhoLeavesTheGroupAndKeepsTheOutputHoldsUpNothing(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, &Source{Backoff: never, Command: []string{"env", "SOURCE_TEST_LEAVES=1", self}})
	var pid int
	select {
	case line := <-r.lines:
		if pid, err = strconv.Atoi(line); err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatalf("it does not start; the log:\n%s", r.log)
	}
	defer syscall.Kill(pid, syscall.SIGKILL)
	r.log.wait(t, 1, LogEnded)
	if kept, _ := r.log.of(LogKept); len(kept) != 1 {
		t.Errorf("the log does not say who keeps the output:\n%s", r.log)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("it was not there any more: %v", err)
	}
}
