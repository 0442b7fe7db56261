// Package peer is what the servers that are compared have in common: flags,
// their end, and profiles.
package peer

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"syscall"

	"github.com/leat-dev/leat/bench/load"
)

// Options are a server's flags.
type Options struct {
	Addr    string // to listen on
	Deflate bool   // permessage-deflate, without context takeover
	Files   string // the folder of files to serve; "": none
}

// Main runs a server until SIGTERM and returns the program's exit code. The
// server takes handshakes of /ws, where it knows WebSockets, and echoes every
// message.
func Main(run func(context.Context, Options) error) int {
	if err := start(run); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func start(run func(context.Context, Options) error) error {
	var o Options
	flag.StringVar(&o.Addr, "addr", "127.0.0.1:9000", "`address` to listen on")
	flag.BoolVar(&o.Deflate, "deflate", false, "permessage-deflate, without context takeover")
	flag.StringVar(&o.Files, "files", "", "serve the files of this `folder`, where the server can")
	profile := flag.String("cpuprofile", "", "write a CPU profile to this `file`")
	allocs := flag.String("allocprofile", "", "write a profile of every allocation to this `file`")
	flag.Parse()
	load.RaiseFiles()
	if *allocs != "" {
		runtime.MemProfileRate = 1
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		return err
	}
	if *allocs == "" {
		return nil
	}
	f, err := os.Create(*allocs)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}

// Plain answers a plain request.
func Plain(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, load.Plain)
}

// Serve runs a handler of WebSockets under net/http until ctx is done. It
// answers plain requests of /plain, too.
func Serve(ctx context.Context, addr string, webSocket http.HandlerFunc) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/", webSocket)
	mux.HandleFunc("GET /plain", Plain)
	return ServeAll(ctx, addr, mux)
}

// ServeAll runs a handler under net/http until ctx is done.
func ServeAll(ctx context.Context, addr string, h http.Handler) error {
	s := &http.Server{Addr: addr, Handler: h}
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
