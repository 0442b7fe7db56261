package source

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
	"testing"
	"time"
)

// reapOrphans makes this process the one that orphans below it come to, as the
// first process of a container is, or not.
func reapOrphans(yes bool) {
	const setChildSubreaper = 36
	var arg uintptr
	if yes {
		arg = 1
	}
	if _, _, err := syscall.Syscall(syscall.SYS_PRCTL, setChildSubreaper, arg, 0); err != 0 {
		panic(err)
	}
}

func TestOrphansEndWhoeverReapsThem(t *testing.T) {
	defer reapOrphans(true)
	for _, own := range []bool{true, false} {
		reapOrphans(own)
		k := newToken(t)
		r := run(t, &Source{Backoff: never, Command: sh("exec 9>" + k.path + "; echo >&9; sleep 1000 & echo up")})
		r.want("up")
		r.log.wait(t, 1, LogEnded)
		k.waitGone(t)
		r.stop()
	}
}

// held counts the goroutines and descriptors of this process, and its children.
func held(t *testing.T) (goroutines, descriptors, children int) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		b, _ := os.ReadFile(task) // a thread may have ended
		children += len(bytes.Fields(b))
	}
	return runtime.NumGoroutine(), len(fds), children
}

func TestWhatHasEndedLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	once := func() {
		r := run(t, &Source{Command: sh("echo up; echo up >&2; exit 1"), Backoff: func(int) time.Duration { return 0 }})
		r.want(slices.Repeat([]string{"up"}, 20)...)
		r.stop()
		r = run(t, &Source{Command: sh("sleep 1000 & echo up; wait")})
		r.want("up")
		r.stop()
		r = run(t, &Source{Command: []string{"/nowhere/at/all"}, Backoff: func(int) time.Duration { return 0 }})
		r.log.wait(t, 20, LogEnded)
		r.stop()

		file := filepath.Join(dir, "log")
		os.Remove(file)
		r = run(t, &Source{File: file, Poll: time.Millisecond})
		r.log.wait(t, 1, LogAbsent)
		for range 20 {
			if err := os.WriteFile(file+".new", []byte("up\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(file+".new", file); err != nil {
				t.Fatal(err)
			}
			r.want("up")
		}
		r.stop()
	}
	once()                                           // what is begun once, such as the poller
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the collector closes files too
	goroutines, descriptors, children := held(t)
	once()
	late := time.After(patience)
	for {
		g, d, c := held(t)
		if g <= goroutines && d <= descriptors && c <= children {
			return
		}
		select {
		case <-late:
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines were %d, %d descriptors %d, %d children %d\n%s", g, goroutines, d, descriptors, c, children, stacks[:runtime.Stack(stacks, true)])
		default:
			runtime.Gosched()
		}
	}
}
