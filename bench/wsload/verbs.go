package main

import (
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/leat-dev/leat/bench/load"
)

// common are the flags of most verbs.
func common(f *flag.FlagSet, url *string, like string, pid, conns *int, n int) {
	f.StringVar(url, "url", like, "the server, on loopback")
	f.IntVar(pid, "pid", 0, "the server's process")
	f.IntVar(conns, "conns", n, "connections")
}

// times are the flags of verbs that measure for a while.
func times(f *flag.FlagSet, warm, measure *time.Duration) {
	f.DurationVar(warm, "warm", 500*time.Millisecond, "time before the measurement")
	f.DurationVar(measure, "time", 3*time.Second, "time of the measurement")
}

func echo(f *flag.FlagSet) func() (any, error) {
	var e load.Echo
	common(f, &e.URL, "ws://127.0.0.1:9000/ws", &e.PID, &e.Conns, 100)
	times(f, &e.Warm, &e.Time)
	f.IntVar(&e.Size, "size", 64, "bytes of a message")
	f.IntVar(&e.Depth, "depth", 0, "messages under way on each connection, 1 by default")
	f.Float64Var(&e.Rate, "rate", 0, "messages a second in all; 0: as fast as they come back")
	f.IntVar(&e.Fragments, "fragments", 1, "fragments of a message")
	f.BoolVar(&e.Text, "text", false, "text messages")
	f.BoolVar(&e.Deflate, "deflate", false, "compressed messages, of JSON")
	return func() (any, error) { return e.Run() }
}

func burst(f *flag.FlagSet) func() (any, error) {
	var b load.Burst
	common(f, &b.URL, "ws://127.0.0.1:9000/ws", &b.PID, &b.Conns, 8)
	f.IntVar(&b.Size, "size", 1<<20, "bytes of a message")
	f.IntVar(&b.Depth, "depth", 4, "messages under way on each connection")
	f.DurationVar(&b.Time, "time", 2*time.Second, "time of the burst")
	f.DurationVar(&b.Limit, "limit", time.Minute, "how long what it has left is watched")
	return func() (any, error) { return b.Run() }
}

func idle(f *flag.FlagSet) func() (any, error) {
	var i load.Idle
	common(f, &i.URL, "ws://127.0.0.1:9000/ws", &i.PID, &i.Conns, 19_500)
	f.StringVar(&i.Kind, "kind", load.WebSocket, "ws, sse or ndjson; the latter two want a URL of http")
	f.IntVar(&i.Size, "size", 1<<10, "bytes of the message that each WebSocket echoes")
	f.DurationVar(&i.Hold, "hold", 2*time.Second, "time before memory is read")
	return func() (any, error) { return i.Run() }
}

func records(f *flag.FlagSet) func() (any, error) {
	var r load.Records
	common(f, &r.URL, "http://127.0.0.1:9000/ndjson", &r.PID, &r.Conns, 500)
	times(f, &r.Warm, &r.Time)
	f.StringVar(&r.Kind, "kind", load.NDJSON, "sse or ndjson")
	f.DurationVar(&r.Every, "every", 20*time.Millisecond, "time between the records of a reader")
	return func() (any, error) { return r.Run() }
}

func deliveries(f *flag.FlagSet) func() (any, error) {
	var d load.Deliveries
	common(f, &d.URL, "http://127.0.0.1:9000/topic?bare", &d.PID, &d.Conns, 10_000)
	f.StringVar(&d.Kind, "kind", load.NDJSON, "ws, sse or ndjson; the first wants a URL of ws")
	f.StringVar(&d.Publish, "publish", "http://127.0.0.1:9000/topic", "where messages are posted to")
	f.Func("header", "`line` of a post, in place of Content-Type: application/json; may be repeated", func(line string) error {
		d.Headers = append(d.Headers, line)
		return nil
	})
	f.StringVar(&d.Body, "body", "", "what is posted, with MESSAGE for the message; it alone by default")
	f.BoolVar(&d.Within, "within", false, "what comes is more than the message: it is a record")
	f.IntVar(&d.Size, "size", 128, "bytes of a message")
	f.IntVar(&d.Count, "count", 50, "messages of a pass")
	depths := f.String("depth", "1,8", "messages under way, a pass for each")
	f.Float64Var(&d.Rate, "rate", 0, "messages a second, in one pass without -depth")
	f.DurationVar(&d.Time, "time", 3*time.Second, "time of the pass at a rate")
	return func() (any, error) {
		for s := range strings.SplitSeq(*depths, ",") {
			n, err := strconv.Atoi(s)
			if err != nil || n < 1 {
				return nil, fmt.Errorf("-depth %s: want numbers from 1", *depths)
			}
			if d.Rate == 0 {
				d.Depths = append(d.Depths, n)
			}
		}
		return d.Run()
	}
}

func download(f *flag.FlagSet) func() (any, error) {
	var d load.Download
	common(f, &d.URL, "http://127.0.0.1:9000/file", &d.PID, &d.Conns, 8)
	times(f, &d.Warm, &d.Time)
	f.IntVar(&d.Size, "size", 8<<20, "bytes of the file, as -files of the server has it")
	return func() (any, error) { return d.Run() }
}

func handshakes(f *flag.FlagSet) func() (any, error) {
	var s load.Handshakes
	common(f, &s.URL, "ws://127.0.0.1:9000/ws", &s.PID, &s.Open, 10_000)
	f.StringVar(&s.Plain, "plain", "http://127.0.0.1:9000/plain", "what answers a plain request")
	f.IntVar(&s.Count, "count", 50_000, "connections in all; -conns are open at once")
	return func() (any, error) { return s.Run() }
}
