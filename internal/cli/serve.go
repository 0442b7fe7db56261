package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/site"
)

func serveVerb() verb {
	return verb{
		name:    "serve",
		summary: "serve pages and live data",
		help: `
Without -c it serves a page of its own that shows this machine's live data, on
http://127.0.0.1:4000. SIGINT or SIGTERM stops it: streams get their last bytes
and a clean end within timeouts.drain. A second signal ends it at once.`,
		setup: newServe,
	}
}

type serveOptions struct {
	config    string
	listen    listFlag
	documents string
}

func newServe(fs *flag.FlagSet) run {
	o := &serveOptions{}
	fs.StringVar(&o.config, "c", "", "the `FILE` to serve by, in the form of web.json5")
	fs.Var(&o.listen, "listen", "a `URL` to listen on besides the file's own; may be given again")
	fs.StringVar(&o.documents, "documents", "", "serve the files of `DIR` instead of the file's own documents")
	return o.run
}

func (o *serveOptions) run(ctx context.Context, std stdio, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%q is no flag; to serve by a file write: leat serve -c %[1]s", args[0])}
	}
	config, err := o.load()
	if err != nil {
		return err
	}
	config.Logger = newLogger(std.err)
	return serve(ctx, std, config)
}

// load reads the configuration and puts the flags on top of it.
func (o *serveOptions) load() (*leat.Config, error) {
	load := func() (*leat.Config, error) { return leat.LoadFS(site.FS(), "web.json5") }
	if o.config != "" {
		load = func() (*leat.Config, error) { return leat.Load(o.config) }
	}
	config, err := load()
	if err != nil {
		return nil, err
	}
	config.Listen = append(config.Listen, o.listen...)
	if o.config == "" {
		site.Guard(config)
	}
	if o.documents != "" {
		if _, err := os.ReadDir(o.documents); err != nil {
			return nil, fmt.Errorf("--documents: %w", err)
		}
		config.Documents, config.FS = o.documents, nil
	}
	return config, nil
}

// serve runs a server with the actions that are compiled in until ctx is done
// or a signal comes.
func serve(ctx context.Context, std stdio, config *leat.Config) error {
	site.Fill(config)
	srv, err := leat.New(config)
	if err != nil {
		return err
	}
	site.Register(srv)
	if err := srv.Listen(); errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; end the program that listens there, or name another address in a file of your own", err)
	} else if err != nil {
		return err
	}
	for _, url := range srv.URLs() {
		fmt.Fprintf(std.out, "Listening on %s\n", url)
	}
	signalled, forget := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer forget()
	running, stop := context.WithCancel(ctx)
	defer stop()
	context.AfterFunc(signalled, func() {
		forget() // the next signal kills
		stop()
	})
	return srv.Run(running)
}

// newLogger writes lines for a person to a terminal, and JSON to anything else.
func newLogger(w io.Writer) *slog.Logger {
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return slog.New(slog.NewTextHandler(w, nil))
		}
	}
	return slog.New(slog.NewJSONHandler(w, nil))
}

// A listFlag collects the values of a flag that may be given again.
type listFlag []string

func (l *listFlag) String() string     { return strings.Join(*l, " ") }
func (l *listFlag) Set(v string) error { *l = append(*l, v); return nil }
