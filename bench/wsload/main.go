// Command wsload loads one server on loopback, and prints what that cost it as
// JSON. See ../README.md.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/leat-dev/leat/bench/load"
)

// A verb takes its flags from a set and returns what runs the load.
type verb func(f *flag.FlagSet) func() (any, error)

var verbs = map[string]verb{
	"echo": echo,
	"idle": idle,
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "wsload:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 || verbs[args[0]] == nil {
		return fmt.Errorf("want one of %s, and flags: -h lists them", strings.Join(slices.Sorted(maps.Keys(verbs)), ", "))
	}
	flags := flag.NewFlagSet(args[0], flag.ExitOnError)
	do := verbs[args[0]](flags)
	_ = flags.Parse(args[1:]) // it exits on errors
	load.RaiseFiles()
	debug.SetGCPercent(400)
	result, err := do()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// common are the flags of every verb.
func common(f *flag.FlagSet, url *string, pid, conns *int, like string, n int) {
	f.StringVar(url, "url", like, "the server, on loopback")
	f.IntVar(pid, "pid", 0, "the server's process")
	f.IntVar(conns, "conns", n, "connections")
}

func echo(f *flag.FlagSet) func() (any, error) {
	var e load.Echo
	common(f, &e.URL, &e.PID, &e.Conns, "ws://127.0.0.1:9000/ws", 100)
	f.IntVar(&e.Size, "size", 64, "bytes of a message")
	f.IntVar(&e.Depth, "depth", 0, "messages under way on each connection, 1 by default")
	f.Float64Var(&e.Rate, "rate", 0, "messages a second in all; 0: as fast as they come back")
	f.IntVar(&e.Fragments, "fragments", 1, "fragments of a message")
	f.BoolVar(&e.Text, "text", false, "text messages")
	f.BoolVar(&e.Deflate, "deflate", false, "compressed messages, of JSON")
	f.DurationVar(&e.Warm, "warm", 500*time.Millisecond, "time before the measurement")
	f.DurationVar(&e.Time, "time", 3*time.Second, "time of the measurement")
	return func() (any, error) { return e.Run() }
}

func idle(f *flag.FlagSet) func() (any, error) {
	var i load.Idle
	common(f, &i.URL, &i.PID, &i.Conns, "ws://127.0.0.1:9000/ws", 19_500)
	f.StringVar(&i.Kind, "kind", load.WebSocket, "ws, sse or ndjson; the URL is http://… for the latter two")
	f.IntVar(&i.Size, "size", 1<<10, "bytes of the message that each WebSocket echoes")
	f.DurationVar(&i.Hold, "hold", 2*time.Second, "time before memory is read")
	return func() (any, error) { return i.Run() }
}
