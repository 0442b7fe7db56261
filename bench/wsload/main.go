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

	"github.com/leat-dev/leat/bench/load"
)

// A verb takes its flags from a set and returns what runs the load.
type verb func(f *flag.FlagSet) func() (any, error)

var verbs = map[string]verb{
	"burst":      burst,
	"deliveries": deliveries,
	"download":   download,
	"echo":       echo,
	"handshakes": handshakes,
	"idle":       idle,
	"records":    records,
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
