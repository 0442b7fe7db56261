// Command compare runs WebSocket servers beside each other, in turn (A B C A B
// C), and writes what a message cost each as tables in Markdown. See ../README.md.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/leat-dev/leat/bench/load"
)

type options struct {
	bin     string
	servers []string
	works   *regexp.Regexp
	rounds  int
	limit   time.Duration
	warm    time.Duration
	measure time.Duration
	raw     string
	readme  string
	log     io.Writer
}

func main() {
	o := options{log: os.Stderr}
	servers := flag.String("servers", "leat,gws,coder,gorilla,floor", "programs in -bin, first the one to compare")
	works := flag.String("work", "", "run the work whose name matches this `expression`")
	flag.StringVar(&o.bin, "bin", "bin", "`folder` of the servers' programs")
	flag.IntVar(&o.rounds, "rounds", 99, "most rounds")
	flag.DurationVar(&o.limit, "limit", 4*time.Minute, "no round begins that would end later")
	flag.DurationVar(&o.warm, "warm", 250*time.Millisecond, "time before each measurement")
	flag.DurationVar(&o.measure, "time", 600*time.Millisecond, "time of each measurement")
	flag.StringVar(&o.raw, "raw", "", "append each run's result to this `file`, as JSON lines")
	flag.StringVar(&o.readme, "readme", "", "write the tables into this `file`, between its marks")
	flag.Parse()
	o.servers = strings.Split(*servers, ",")
	var err error
	if o.works, err = regexp.Compile(*works); err == nil {
		err = run(o, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(o options, out io.Writer) error {
	load.RaiseFiles()
	debug.SetGCPercent(400)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	all, failed := measure(ctx, o)
	if len(all) == 0 {
		return errors.Join(errors.New("no run has succeeded"), failed)
	}
	var text bytes.Buffer
	writeMachine(&text, rounds(all), o.measure)
	writeTables(&text, o.servers, all)
	if _, err := out.Write(text.Bytes()); err != nil {
		return err
	}
	if o.readme != "" && failed == nil {
		return writeBetweenMarks(o.readme, text.Bytes())
	}
	return failed
}

// A sample is the result of one run.
type sample struct {
	Work   string      `json:"work"`
	Server string      `json:"server"`
	Round  int         `json:"round"`
	Result load.Result `json:"result"`
}

// measure runs as many whole rounds as there is time for, at least one.
func measure(ctx context.Context, o options) (all []sample, failed error) {
	raw, err := openRaw(o.raw)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	begin := time.Now()
	for round := range o.rounds {
		roundBegin := time.Now()
		for _, w := range works {
			if !o.works.MatchString(w.name) {
				continue
			}
			for _, server := range o.servers {
				if w.load.Deflate && server == "floor" {
					continue
				}
				result, err := once(ctx, o, w.load, server)
				if ctx.Err() != nil {
					return all, errors.Join(failed, ctx.Err())
				}
				if err != nil {
					failed = errors.Join(failed, fmt.Errorf("%s, %s: %w", w.name, server, err))
					continue
				}
				s := sample{w.name, server, round, result}
				fmt.Fprintf(o.log, "%d  %-27s %-8s %9.2f µs\n", round+1, s.Work, s.Server, s.Result.CPU)
				if err := json.NewEncoder(raw).Encode(s); err != nil {
					return all, err
				}
				all = append(all, s)
			}
		}
		if time.Since(begin)+time.Since(roundBegin) > o.limit {
			break
		}
	}
	return all, failed
}

type nowhere struct{ io.Writer }

// Close does nothing.
func (nowhere) Close() error { return nil }

func openRaw(file string) (io.WriteCloser, error) {
	if file == "" {
		return nowhere{io.Discard}, nil
	}
	return os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
}
