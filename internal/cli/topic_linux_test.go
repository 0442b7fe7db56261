package cli_test

import (
	"bufio"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/leat-dev/leat/internal/cli"
)

// topicPeer is a topic and its URL.
func topicPeer(t *testing.T) (*cli.TopicPeer, string) {
	p := cli.NewTopicPeer()
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return p, s.Listener.Addr().String() + "/live/numbers"
}

func TestSubEndsInOrderAtASignal(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"ndjson", "sse", "websocket"} {
		p, url := topicPeer(t)
		p.Publish("1", "2")
		cmd := exec.Command("leat", "sub", "--transport", transport, "--history", "all", url)
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var notes strings.Builder
		cmd.Stderr = &notes
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		readUntil(t, stdout, "1\n2\n")
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(stdout)
		if err := cmd.Wait(); err != nil || notes.Len() > 0 || len(rest) > 0 {
			t.Errorf("%s: %v %q %q", transport, err, rest, &notes)
		}
	}
}

func TestSubEndsInOrderWhenNobodyReadsItsOutput(t *testing.T) {
	t.Parallel()
	p, url := topicPeer(t)
	p.Publish("1")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("leat", "sub", "--history", "all", url)
	var notes strings.Builder
	cmd.Stdout, cmd.Stderr = w, &notes
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if line, err := bufio.NewReader(r).ReadString('\n'); line != "1\n" {
		t.Fatalf("%q %v", line, err)
	}
	r.Close()
	p.Publish("2")
	if err := cmd.Wait(); err != nil || notes.Len() > 0 {
		t.Errorf("%v %q", err, &notes)
	}
}

func TestPubEndsInOrderAtASignal(t *testing.T) {
	t.Parallel()
	p, url := topicPeer(t)
	cmd := exec.Command("leat", "pub", "--id", url)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	var out, notes strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &notes
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	io.WriteString(stdin, "1\n")
	p.Wait(t, 1)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || out.String() != "e1-1\n" || notes.Len() > 0 {
		t.Errorf("%v %q %q", err, &out, &notes)
	}
}

func TestSubShowsItsProgressBelowTheMessages(t *testing.T) {
	t.Parallel()
	p, url := topicPeer(t)
	p.Publish("1")
	s := onTerminal(t, 80, nil, "leat", "sub", "--history", "all", url)
	s.see("1", "1 message, */s, last id e1-1, open")
	p.Publish(`"two \u001b[2J"`)
	s.see("1", `two \x1b[2J`, "2 messages, */s, last id e1-2, open")
	s.key("\x03")
	s.exits(0)
	s.see("1", `two \x1b[2J`, "2 messages, last id e1-2")
}

func TestPubShowsItsProgressOnATerminal(t *testing.T) {
	t.Parallel()
	p, url := topicPeer(t)
	s := onTerminal(t, 80, nil, "sh", "-c", "(echo 1; echo 2; exec cat) </dev/tty | leat pub "+url)
	p.Wait(t, 2)
	s.see("2 messages, */s, last id e1-2")
	s.key("\x04")
	s.exits(0)
	s.see("2 messages published, last id e1-2")
}

func TestPubPublishesWhatIsTyped(t *testing.T) {
	t.Parallel()
	p, url := topicPeer(t)
	s := onTerminal(t, 80, nil, "leat", "pub", url)
	s.see("each line is a message; Ctrl-D ends")
	s.key("hello\n")
	p.Wait(t, 1)
	s.key("\x04")
	s.exits(0)
	s.see("each line is a message; Ctrl-D ends", "hello", "1 message published, last id e1-1")
	if p.Data() != "\"hello\"\n" {
		t.Errorf("%q", p.Data())
	}
}
