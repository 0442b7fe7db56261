// Package cli is the command line of leat: a table of verbs, each in a file of
// its own that has the same shape: an options struct, its flags, its run
// function.
package cli

// Where output goes: what was asked for is written to stdout, everything else
// (errors, the log) to stderr. Errors begin with "leat VERB:", say what would
// be right, and have no capital and no full stop.

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/leat-dev/leat/internal/nearest"
)

// Exit codes of Main.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // the command line is wrong
)

// A verb is one thing that leat does.
type verb struct {
	name    string
	args    string // what follows the flags, for the usage line
	summary string // one line
	help    string // what --help says besides the flags
	// setup defines the verb's flags and returns what runs once they are set.
	setup func(fs *flag.FlagSet) run
}

// A run carries out a verb with the arguments that are not flags.
type run func(ctx context.Context, std stdio, args []string) error

// stdio is where a verb reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// A usageError is a mistake in the command line, not in what it asked for.
type usageError struct{ error }

// verbs is the table of verbs. The first is what leat does without one.
func verbs() []verb {
	return []verb{
		serveVerb(), pubVerb(), subVerb(), connectVerb(), benchVerb(), checkVerb(), tokenVerb(), initVerb(),
		versionVerb(), helpVerb(),
	}
}

// Main runs leat with args, the program's name left out, and returns its exit
// code. A server that it runs stops when ctx is done, or at a signal.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	std := stdio{stdin, stdout, stderr}
	v, args, err := choose(args)
	name := "leat"
	if err == nil {
		name += " " + v.name
		err = v.run(ctx, std, args)
	}
	if err == nil {
		return exitDone
	}
	// Several errors are the mistakes of a file: each on a line of its own that
	// begins with its place.
	if mistakes := flatten(err); len(mistakes) > 1 {
		for _, e := range mistakes {
			fmt.Fprintln(stderr, e)
		}
		err = fmt.Errorf("%d mistakes; nothing was started", len(mistakes))
	}
	fmt.Fprintf(stderr, "%s: %s\n", name, strings.TrimPrefix(err.Error(), "leat: "))
	if errors.As(err, new(usageError)) {
		fmt.Fprintf(stderr, "%s --help says more\n", name)
		return exitUsage
	}
	return exitFailed
}

// untilSignal answers a context that is done when ctx is, or at a signal to stop.
// The next signal kills.
func untilSignal(ctx context.Context) (signalled context.Context, forget context.CancelFunc) {
	signalled, forget = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(signalled, forget)
	return signalled, forget
}

// waited returns after a pause, or once ctx is done: then with false.
func waited(ctx context.Context, pause time.Duration) bool {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// choose takes the verb off args. Flags alone are those of the first verb,
// except for the two that every program is asked for.
func choose(args []string) (verb, []string, error) {
	all := verbs()
	if len(args) == 0 {
		return all[0], nil, nil
	}
	switch name := args[0]; {
	case name == "-h" || name == "-help" || name == "--help":
		return helpVerb(), nil, nil
	case name == "--version":
		return versionVerb(), nil, nil
	case strings.HasPrefix(name, "-"):
		return all[0], args, nil
	default:
		v, err := find(name)
		return v, args[1:], err
	}
}

// find returns the verb of that name.
func find(name string) (verb, error) {
	all := verbs()
	if i := slices.IndexFunc(all, func(v verb) bool { return v.name == name }); i >= 0 {
		return all[i], nil
	}
	var names []string
	for _, v := range all {
		names = append(names, v.name)
	}
	return verb{}, usageError{fmt.Errorf("there is no verb %q%s", name, didYouMean(name, names))}
}

func (v verb) run(ctx context.Context, std stdio, args []string) error {
	fs := flag.NewFlagSet(v.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors are reported once, by Main
	fs.Usage = func() {}
	do := v.setup(fs)
	args, err := parse(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		return v.usage(std.out)
	} else if err != nil {
		return err
	}
	return do(ctx, std, args)
}

// parse sets the flags in args, which may stand before, between and after the
// other arguments, and returns those others.
func parse(fs *flag.FlagSet, args []string) ([]string, error) {
	var rest []string
	for {
		if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, err
		} else if err != nil {
			return nil, usageError{explain(fs, err)}
		}
		if fs.NArg() == 0 {
			return rest, nil
		}
		if n := len(args) - fs.NArg(); n > 0 && args[n-1] == "--" { // nothing behind it is a flag
			return append(rest, fs.Args()...), nil
		}
		rest = append(rest, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

// oneDash finds a flag as package flag writes it in its errors.
var oneDash = regexp.MustCompile(`^(flag needs an argument: |invalid .* for (?:flag )?)(-\w{2})`)

// noNumber finds what package flag says of a value that is no number.
var noNumber = regexp.MustCompile(`^(invalid value .*): parse error$`)

// explain adds the nearest name to the error for a flag that does not exist.
func explain(fs *flag.FlagSet, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		text := oneDash.ReplaceAllString(err.Error(), "$1-$2")
		return errors.New(noNumber.ReplaceAllString(text, "$1: write a number, as 10"))
	}
	var names []string
	fs.VisitAll(func(f *flag.Flag) { names = append(names, dashed(f.Name)) })
	return fmt.Errorf("there is no flag %s%s", dashed(name), didYouMean(dashed(name), names))
}

// didYouMean names the word that was meant, if one is near enough.
func didYouMean(word string, words []string) string {
	if near, far := nearest.Word(word, words); far <= 1+len(word)/4 {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

// dashed returns a flag as people write it.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}
