package cli_test

import (
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func TestBenchShowsOneLineOnATerminalAndThenTheResult(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, 40, nil, "leat", "bench", "--connections", "2", "--duration", "24h", peer(t)+"/echo")
	p.await("24h0m0s: 2 open, ")
	if lines := strings.Split(p.screen(), "\n"); len(lines) != 2 || len([]rune(lines[0])) > 37 {
		t.Errorf("the screen shows more than one row:\n%s", p.screen())
	}
	p.key("\x03")
	p.exits(0)
	screen := p.screen()
	if !strings.HasPrefix(screen, "ws://127.0.0.1:") || !strings.Contains(screen, "\nlatency      min ") || strings.Contains(screen, " of 24h") {
		t.Errorf("the screen shows:\n%s", screen)
	}
}

func TestBenchWritesPlainLinesWhereNoTerminalIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, says string }{
		{"/echo", " of 10s: 2 open, "},
		{"/deaf", " of 10s: 2 open, 0 echoes/s, 0 errors\n"},
	} {
		cmd := exec.Command("leat", "bench", "--connections", "2", peer(t)+c.path)
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said := readUntil(t, stderr, c.says)
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(stderr)
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil || strings.Contains(said+string(rest), "\x1b") {
			t.Errorf("%s: %v after %q", c.path, err, said+string(rest))
		}
		if !strings.Contains(out.String(), "(interrupted)\n") || !strings.Contains(out.String(), "\nmessages     ") {
			t.Errorf("%s: the result is:\n%s", c.path, &out)
		}
	}
}

func TestBenchEndsAtOnceAtASecondSignal(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("leat", "bench", "--connections", "2", peer(t)+"/mute")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	readUntil(t, stderr, "2 open")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	readUntil(t, stdout, "messages ")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil { // the server does not answer the closes
		t.Fatal(err)
	}
	err = cmd.Wait()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("it ended by %v", err)
	}
}

func TestBenchRaisesTheLimitOfDescriptorsItself(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("sh", "-c", "ulimit -S -n 40; exec leat bench --connections 60 --duration 20ms "+peer(t)+"/echo").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "60 opened") {
		t.Errorf("%v after\n%s", err, out)
	}
}
