package cli_test

import (
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// peer is a server for one test.
func peer(t *testing.T) (address string) {
	plain, tls := peers()
	t.Cleanup(plain.Close)
	t.Cleanup(tls.Close)
	return plain.Listener.Addr().String()
}

func TestConnectAnswersWhatIsTypedAndLeavesTheTerminalAsItWas(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, 80, nil, "leat", "connect", peer(t)+"/echo")
	p.see("connected to ws://*/echo; Ctrl-C closes", ">")
	p.key("hello\r")
	p.see("connected *", "> hello", "< hello", ">")
	p.key("\r\x1b[A!\r") // an empty line is none; the last one comes back
	p.see("connected *", "> hello", "< hello", ">", "> hello!", "< hello!", ">")
	for _, colour := range []string{"\x1b[32m> ", "\x1b[36m< hello", "\x1b[2mconnected"} {
		if !strings.Contains(p.bytes(), colour) {
			t.Errorf("no %q in %q", colour, p.bytes())
		}
	}
	p.key("never sent\x03")
	p.exits(0)
	p.see("connected *", "> hello", "< hello", ">", "> hello!", "< hello!", "closed with 1000 (normal)")
}

func TestConnectKeepsWhatIsBeingTypedBelowWhatComes(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, 40, nil, "leat", "connect", peer(t)+"/late")
	p.see("connected *", "*Ctrl-C closes", ">")
	p.key("one\r")
	half := strings.Repeat("0123456789", 5)
	p.key(half)
	p.see("connected *", "*Ctrl-C closes", "> one", "< late one", "> "+half[:38], half[38:])
	p.key("\x7f\x7fend\r")
	p.see("connected *", "*Ctrl-C closes", "> one", "< late one", "> "+half[:38], half[38:48]+"end", "< late "+half[:33], half[33:48]+"end", ">")
	p.key("\x04")
	p.exits(0)
}

func TestConnectShowsWhatAServerSendsAndObeysNoneOfIt(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, 80, nil, "leat", "connect", peer(t)+"/control")
	p.exits(0) // the emulator has seen no other sequence than the prompt's
	p.see("connected *",
		`< a\x1b]0;title\a\x1b[2Jb\u009b31m\u202ec\rd`,
		`  > forged`,
		`  *üñí 日本`,
		`< 4 bytes`,
		`00000000  1b 5b 32 4a *|.[2J|`,
		`the server closed with 1000 (normal)`)
}

func TestConnectShowsTheBeginningOfAMessageThatIsTooLongForATerminal(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, 1<<15, nil, "leat", "connect", peer(t)+"/long")
	p.exits(0)
	long := strings.Repeat("ä", 1<<15)
	p.see("connected *", "< "+long[:2*(1<<15-2)], "ää", "  these are the first 65536 of 4194304 bytes; a pipe gets them all", "the server closed *")
}

func TestConnectSaysWhyAServerClosedWhileALineWasTyped(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, 80, nil, "leat", "connect", peer(t)+"/close/1011")
	p.exits(1)
	p.see("connected *", `leat connect: the server closed with 1011 (internal error), "because \x1b[31m"`)
}

func TestConnectIsPlainWhereColoursAreNotWanted(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, 80, []string{"NO_COLOR=1"}, "leat", "connect", peer(t)+"/echo")
	p.see("connected *", ">")
	p.key("hello\r")
	p.see("connected *", "> hello", "< hello", ">")
	if strings.Contains(p.bytes(), "m<") || strings.Contains(p.bytes(), "m>") {
		t.Errorf("coloured: %q", p.bytes())
	}
	p.check(p.cmd.Process.Signal(syscall.SIGTERM))
	p.exits(0)
	p.see("connected *", "> hello", "< hello", "closed with 1000 (normal)")
}

func TestConnectDrawsNothingOnADumbTerminal(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, 80, []string{"TERM=dumb"}, "leat", "connect", "--wait", "50ms", peer(t)+"/echo")
	p.see("connected to ws://*/echo")
	p.key("hello\n")
	p.see("connected *", "hello", "hello")
	p.key("\x04")
	p.exits(0)
	if strings.Contains(p.bytes(), "\x1b") {
		t.Errorf("escape sequences: %q", p.bytes())
	}
}

func TestConnectEscapesOnATerminalWhatAPipeHasAskedFor(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, 80, nil, "sh", "-c", "leat connect "+peer(t)+"/control </dev/null")
	p.exits(0)
	p.see("connected *",
		`a\x1b]0;title\a\x1b[2Jb\u009b31m\u202ec\rd`,
		`> forged`,
		`*üñí 日本`,
		`4 bytes`,
		`00000000  1b 5b 32 4a *|.[2J|`,
		`the server closed with 1000 (normal)`)
}

func TestConnectRefusesALineThatTheTerminalHasCut(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, 8192, nil, "leat", "connect", peer(t)+"/echo")
	p.see("connected *", ">")
	line := strings.Repeat("x", 5000)
	p.key(line + "\r")
	p.see("connected *", "> "+line[:4096], "not sent: a line that is typed ends after 4096 characters; a pipe takes any", ">")
	p.key("\x03")
	p.exits(0)
}

func TestConnectHearsCtrlCInAFlood(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, 80, nil, "leat", "connect", peer(t)+"/flood")
	p.await("flood flood")
	p.key("\x03")
	p.exits(0)
}

func TestConnectEndsAtOnceAtASecondSignal(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, 80, nil, "leat", "connect", peer(t)+"/mute")
	p.see("connected *", ">")
	p.key("\x03") // the server does not answer the close
	p.see("connected *")
	p.key("\x03")
	err := <-p.ended
	if status := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("it ended by %v", err)
	}
}

func TestConnectClosesInOrderAtASignal(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("leat", "connect", "--ping", "10ms", peer(t)+"/echo")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := readUntil(t, stderr, "pong")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	said += readUntil(t, stderr, "closed with 1000 (normal)")
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v after %q", err, said)
	}
}

// readUntil reads until the text has come.
func readUntil(t *testing.T, r io.Reader, text string) string {
	t.Helper()
	var b strings.Builder
	chunk := make([]byte, 512)
	for !strings.Contains(b.String(), text) {
		n, err := r.Read(chunk)
		b.Write(chunk[:n])
		if err != nil {
			t.Fatalf("%v after %q, and no %q", err, &b, text)
		}
	}
	return b.String()
}
