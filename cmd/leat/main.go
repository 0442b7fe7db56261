// Command leat serves web pages and live data: see leat help.
package main

import (
	"context"
	"os"

	"github.com/leat-dev/leat/internal/cli"
)

func main() {
	os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
