package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"
)

func benchVerb() verb {
	return verb{
		name:    "bench",
		args:    "URL",
		summary: "load a WebSocket or a stream, and say what its server holds",
		help: `
    leat bench localhost:4000/ws/echo
    leat bench --connections 1000 --rate 5000 --size 1KB wss://example.com/echo
    leat bench --connections 5000 --duration 1m http://localhost:4000/api/machine

A URL that begins with ws:// or wss://, or has no scheme, is that of a WebSocket
that echoes. Each connection sends a text and, when its echo has come, the next
one; with --rate they are sent evenly, whether or not echoes come, and a latency
counts from when its message was due. Every echo is compared with what was sent.
With --listen nothing is sent and any WebSocket will do.

A URL that begins with http:// or https:// is that of a stream, SSE or NDJSON.
It is read.

The time begins when all connections are open. Ctrl-C ends it early. The exit
code is 0 when all that was asked for went well; it is 1 after a connection that
could not be opened or did not end in order, and after an echo that was wrong or
did not come.`,
		setup: newBench,
	}
}

type benchOptions struct {
	requestFlags
	connections int
	duration    durationFlag
	json        bool
	listen      bool
	rate        float64
	size        sizeFlag
}

func newBench(fs *flag.FlagSet) run {
	o := &benchOptions{duration: durationFlag(10 * time.Second), size: 64}
	o.define(fs)
	fs.IntVar(&o.connections, "connections", 100, "the `NUMBER` of connections (100)")
	fs.Var(&o.duration, "duration", "the `TIME` to measure for (10s)")
	fs.BoolVar(&o.json, "json", false, "say the result as JSON, and nothing before")
	fs.BoolVar(&o.listen, "listen", false, "send nothing to a WebSocket")
	fs.Float64Var(&o.rate, "rate", 0, "the `NUMBER` of messages to send a second, in all (0: when the echo has come)")
	fs.Var(&o.size, "size", "the `BYTES` of a message, as 64, 1KB or 1MB (64)")
	return func(ctx context.Context, std stdio, args []string) error {
		set := map[string]bool{}
		fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
		l, err := o.prepare(args, set)
		if err != nil {
			return err
		}
		return o.run(ctx, std, l)
	}
}

// prepare judges the command line.
func (o *benchOptions) prepare(args []string, set map[string]bool) (*load, error) {
	switch {
	case len(args) == 0:
		return nil, usageError{errors.New("name a URL, as in: leat bench localhost:4000/ws/echo")}
	case len(args) > 1:
		return nil, usageError{fmt.Errorf("%q is one argument too many", args[1])}
	case o.connections < 1:
		return nil, usageError{errors.New("--connections must be 1 or more")}
	case !(o.rate >= 0 && o.rate <= math.MaxInt32):
		return nil, usageError{errors.New("--rate must be 0 or more")}
	case o.size < stampSize || o.size > mostSize:
		return nil, usageError{fmt.Errorf("--size must be from %d, since a message holds its number and its time, to 1GB", stampSize)}
	case time.Duration(o.duration) > longest:
		return nil, usageError{fmt.Errorf("--duration must be at most %v", longest)}
	}
	target, stream := benchURL(args[0])
	u, err := url.Parse(target)
	if err != nil || u.Hostname() == "" || !strings.Contains(" ws wss http https ", " "+u.Scheme+" ") {
		return nil, usageError{fmt.Errorf("the URL must name a host and begin with ws://, wss://, http:// or https://")}
	}
	set["rate"] = o.rate > 0
	for _, name := range []string{"rate", "size", "listen", "subprotocol"} {
		switch {
		case set[name] && stream:
			return nil, usageError{fmt.Errorf("--%s is for WebSockets, and this is a stream; a WebSocket's URL begins with ws://", name)}
		case set[name] && o.listen && (name == "rate" || name == "size"):
			return nil, usageError{fmt.Errorf("--%s is for messages that are sent, and with --listen none are", name)}
		}
	}
	if err := allowFiles(o.connections); err != nil {
		return nil, err
	}
	return newLoad(o, target, stream), nil
}

// benchURL makes a URL of what people write, and says whether it is a stream's:
// where connect takes http for ws, here it is meant.
func benchURL(s string) (target string, stream bool) {
	scheme, _, _ := strings.Cut(s, "://")
	if strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https") {
		return s, true
	}
	return socketURL(s), false
}

func (o *benchOptions) run(ctx context.Context, std stdio, l *load) error {
	signalled, forget := untilSignal(ctx)
	defer forget()

	watched := func() {}
	if !o.json {
		live := newLiveLine(std, max(time.Second, time.Duration(o.duration)/10))
		watched = live.watch((&benchLine{l: l}).text)
	}
	defer l.close()
	err := l.measure(signalled)
	watched()
	if err != nil {
		return err
	}
	r := newBenchReport(l)
	if o.json {
		out := json.NewEncoder(std.out)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		err = out.Encode(r)
	} else {
		err = r.write(std.out)
	}
	if err != nil {
		return err
	}
	return r.verdict()
}
