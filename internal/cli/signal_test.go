//go:build unix

package cli_test

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestASecondSignalEndsLeatAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.json5")
	config := `{ web: {
		listen: ['http://127.0.0.1:0'],
		routes: [{ match: '/api/', handler: 'action' }],
		timeouts: { drain: 'never', write: 'never' },
	} }`
	if err := os.WriteFile(file, []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("leat", "-c", file)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	said, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}

	// A download that is not read keeps the server from ending by itself.
	c, err := net.Dial("tcp", strings.TrimPrefix(strings.TrimSpace(said), "Listening on http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /api/download HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}

	cmd.Process.Signal(syscall.SIGTERM)
	lines := bufio.NewScanner(log)
	for lines.Scan() && !strings.Contains(lines.Text(), `"msg":"stopping"`) {
	}
	cmd.Process.Signal(syscall.SIGTERM)
	io.Copy(io.Discard, log)
	cmd.Wait()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended by %v", cmd.ProcessState)
	}
}
