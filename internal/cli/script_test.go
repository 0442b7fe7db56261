package cli_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/leat-dev/leat/internal/cli"
)

func TestMain(m *testing.M) {
	exit := os.Exit //nolint:forbidigo // each of these is the main function of a program
	testscript.Main(m, map[string]func(){
		"leat": func() { exit(cli.Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) },
		"get":  func() { exit(get()) },
	})
}

// get is a small curl: get [-n LINES] [-H HEADER] URL prints what URL answers,
// or only its first lines.
func get() int {
	lines := flag.Int("n", 0, "stop after so many lines")
	header := flag.String("H", "", "a header to send")
	flag.Parse()
	req, err := http.NewRequest("GET", flag.Arg(0), nil)
	if err != nil {
		return failed(err)
	}
	if name, value, ok := strings.Cut(*header, ": "); ok {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return failed(err)
	}
	defer res.Body.Close()
	fmt.Fprintln(os.Stderr, res.Status, res.Header.Get("Content-Type"))
	if *lines == 0 {
		if _, err := io.Copy(os.Stdout, res.Body); err != nil {
			return failed(err)
		}
		return 0
	}
	in := bufio.NewScanner(res.Body)
	for range *lines {
		if !in.Scan() {
			return failed(errors.Join(in.Err(), io.ErrUnexpectedEOF))
		}
		fmt.Fprintln(os.Stdout, in.Text())
	}
	return 0
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// TestScripts runs the shell sessions in testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			// A new project is built with the modules that are here already.
			out, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS").Output()
			if err != nil {
				return err
			}
			values := strings.Split(string(out), "\n")
			for i, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS"} {
				env.Setenv(name, values[i])
			}
			env.Setenv("GORACE", "atexit_sleep_ms=0") // or each leat under the race detector takes a second to end
			env.Values[serverKey{}] = new(server)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": start,
			"stop":  stop,
		},
	})
}

var update = flag.Bool("update", false, "rewrite golden files")

// A server is the program that a script started.
type server struct {
	cmd   *exec.Cmd
	first string // the first line it wrote
	lines *bufio.Reader
}

// start PROGRAM ARGS... starts a server, waits until it has said where it
// listens, and puts that in $URL. What it writes goes to the files server.out
// and server.err.
func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: start PROGRAM ARGS...")
	}
	program := args[0]
	if strings.Contains(program, "/") {
		program = ts.MkAbs(program)
	}
	errFile, err := os.Create(ts.MkAbs("server.err"))
	ts.Check(err)
	cmd := exec.Command(program, args[1:]...)
	cmd.Dir, cmd.Stderr = ts.MkAbs("."), errFile
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		cmd.Process.Kill()
		cmd.Wait()
		errFile.Close()
	})

	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	_, url, ok := strings.Cut(strings.TrimSpace(first), "Listening on ")
	if err != nil || !ok {
		ts.Fatalf("it said %q and not where it listens (%v)\n%s", first, err, ts.ReadFile("server.err"))
	}
	ts.Setenv("URL", url)
	*ts.Value(serverKey{}).(*server) = server{cmd, first, lines}
}

type serverKey struct{}

// stop SIGNAL sends the server a signal and waits for its end, which must be
// exit code 0.
func stop(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: stop INT|TERM")
	}
	s := ts.Value(serverKey{}).(*server)
	signals := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM}
	ts.Check(s.cmd.Process.Signal(signals[args[0]]))
	rest, err := io.ReadAll(s.lines)
	ts.Check(err)
	ts.Check(s.cmd.Wait())
	ts.Check(os.WriteFile(ts.MkAbs("server.out"), append([]byte(s.first), rest...), 0o666))
}
