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
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/leat-dev/leat/internal/cli"
)

func TestMain(m *testing.M) {
	exit := os.Exit //nolint:forbidigo // each of these is the main function of a program
	testscript.Main(m, map[string]func(){
		"leat": func() { exit(cli.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
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
			plain, tls := peers()
			env.Defer(plain.Close)
			env.Defer(tls.Close)
			env.Setenv("PEER", plain.Listener.Addr().String())
			env.Setenv("TLSPEER", tls.Listener.Addr().String())
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
	cmd  *exec.Cmd
	said io.Reader
}

type serverKey struct{}

var address = regexp.MustCompile(`http://[^\s"]+`)

// start PROGRAM ARGS... starts a server, waits until it names the address where
// it listens, and puts that in $URL.
func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: start PROGRAM ARGS...")
	}
	program := args[0]
	if strings.Contains(program, "/") {
		program = ts.MkAbs(program)
	}
	cmd := exec.Command(program, args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	out, in, err := os.Pipe()
	ts.Check(err)
	cmd.Stdout, cmd.Stderr = in, in
	ts.Check(cmd.Start())
	in.Close()
	ts.Defer(func() {
		cmd.Process.Kill()
		cmd.Wait()
		out.Close()
	})

	var before strings.Builder
	lines := bufio.NewReader(out)
	for url := ""; url == ""; {
		line, err := lines.ReadString('\n')
		before.WriteString(line)
		if err != nil {
			ts.Fatalf("it does not say where it listens:\n%s", &before)
		}
		url = address.FindString(line)
		ts.Setenv("URL", url)
	}
	*ts.Value(serverKey{}).(*server) = server{cmd, io.MultiReader(strings.NewReader(before.String()), lines)}
}

// stop SIGNAL sends the server a signal and waits for its end, which must be
// exit code 0. What it wrote is then in the file server.out.
func stop(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: stop INT|TERM")
	}
	s := ts.Value(serverKey{}).(*server)
	signals := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM}
	ts.Check(s.cmd.Process.Signal(signals[args[0]]))
	said, err := io.ReadAll(s.said)
	ts.Check(err)
	ts.Check(s.cmd.Wait())
	ts.Check(os.WriteFile(ts.MkAbs("server.out"), said, 0o666))
}
