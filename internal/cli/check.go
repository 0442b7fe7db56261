package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/leat-dev/leat"
)

func checkVerb() verb {
	return verb{
		name:    "check",
		args:    "FILE...",
		summary: "say what is wrong with a configuration, and where",
		help: `
Every mistake in the files is printed with its line and column, what is wrong
and what would be right. Notes follow: keys that are known and not yet in
effect, and defaults that differ from Ioto's.`,
		setup: newCheck,
	}
}

type checkOptions struct {
	schema bool
}

func newCheck(fs *flag.FlagSet) run {
	o := &checkOptions{}
	fs.BoolVar(&o.schema, "schema", false, "print the JSON Schema of web.json5, for editors")
	return o.run
}

func (o *checkOptions) run(_ context.Context, std stdio, args []string) error {
	if o.schema {
		_, err := std.out.Write(leat.Schema())
		return err
	}
	if len(args) == 0 {
		return usageError{errors.New("name a file, as in: leat check web.json5")}
	}
	mistakes := 0
	for _, file := range args {
		notes, err := leat.Check(file)
		found := flatten(err)
		for _, e := range found {
			fmt.Fprintln(std.out, e)
		}
		for _, note := range notes {
			fmt.Fprintln(std.out, note)
		}
		if err == nil {
			fmt.Fprintf(std.out, "%s: no mistakes\n", file)
		}
		mistakes += len(found)
	}
	switch mistakes {
	case 0:
		return nil
	case 1:
		return errors.New("1 mistake")
	default:
		return fmt.Errorf("%d mistakes", mistakes)
	}
}

// flatten returns the errors that err joins, or err itself.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
