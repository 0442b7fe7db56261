package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"

	"github.com/leat-dev/leat"
)

func versionVerb() verb {
	return verb{
		name:    "version",
		summary: "print the version of leat",
		setup:   newVersion,
	}
}

type versionOptions struct{}

func newVersion(*flag.FlagSet) run { return versionOptions{}.run }

func (versionOptions) run(_ context.Context, std stdio, args []string) error {
	if len(args) > 0 {
		return usageError{errors.New("version takes no arguments")}
	}
	_, err := fmt.Fprintf(std.out, "leat %s (%s, %s/%s)\n", leat.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
