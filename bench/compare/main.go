// Command compare runs servers beside each other, in turn (A B C A B C), and
// writes what work cost each as tables in Markdown. See ../README.md.
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
	"path/filepath"
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
	full    bool
	rounds  int
	limit   time.Duration
	warm    time.Duration
	measure time.Duration
	hold    time.Duration // before the memory of idle connections is read
	files   string        // the folder of the file to download
	raw     string
	readme  string
	log     io.Writer
}

func main() {
	o := options{log: os.Stderr}
	servers := flag.String("servers", "leat,gws,nbio,gosse,stdlib,floor", "programs in -bin, first the one to compare")
	works := flag.String("work", "", "run the work whose name matches this `expression`")
	flag.BoolVar(&o.full, "full", false, "run all the work, not only what five minutes allow")
	flag.StringVar(&o.bin, "bin", "bin", "`folder` of the servers' programs")
	flag.IntVar(&o.rounds, "rounds", 99, "most rounds")
	flag.DurationVar(&o.limit, "limit", 4*time.Minute, "no round begins that would end later")
	flag.DurationVar(&o.warm, "warm", 250*time.Millisecond, "time before each measurement")
	flag.DurationVar(&o.measure, "time", 600*time.Millisecond, "time of each measurement")
	flag.DurationVar(&o.hold, "hold", 5*time.Second, "time before the memory of idle connections is read")
	flag.StringVar(&o.raw, "raw", "", "append each run's result to this `file`, as JSON lines")
	flag.StringVar(&o.readme, "readme", "", "write the tables into this `file`, between its marks")
	flag.Parse()
	o.servers = strings.Split(*servers, ",")
	var err error
	if o.works, err = regexp.Compile(*works); err == nil {
		o.bin, err = filepath.Abs(o.bin) // a program without a slash is looked for in $PATH
	}
	if err == nil {
		err = run(o, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(o options, out io.Writer) (err error) {
	load.RaiseFiles()
	debug.SetGCPercent(400)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.files, err = os.MkdirTemp("", "leat-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(o.files)
	if err := os.WriteFile(filepath.Join(o.files, "file"), load.File(fileSize), 0o644); err != nil {
		return err
	}
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

// A sample is a figure of one run.
type sample struct {
	figure
	server string
	round  int
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
		var again time.Duration // what the next round takes
		for _, w := range works {
			if !w.quick && !o.full || w.once && round > 0 || !o.works.MatchString(w.name) {
				continue
			}
			workBegin := time.Now()
			for _, server := range o.servers {
				if !can(server, w.needs) {
					continue
				}
				figures, result, err := try(ctx, o, w, server)
				if ctx.Err() != nil {
					return all, errors.Join(failed, ctx.Err())
				}
				if err != nil {
					failed = errors.Join(failed, fmt.Errorf("%s, %s: %w", w.name, server, err))
					continue
				}
				if err := json.NewEncoder(raw).Encode(rawRun{w.name, server, round, result}); err != nil {
					return all, err
				}
				for i, f := range figures {
					all = append(all, sample{f, server, round})
					if i == 0 {
						fmt.Fprintf(o.log, "%d  %-30s %-8s %9s\n", round+1, w.name, server, digits(f.value))
					}
				}
			}
			if !w.once {
				again += time.Since(workBegin)
			}
		}
		if again == 0 || time.Since(begin)+again > o.limit {
			break
		}
	}
	return all, failed
}

// A rawRun is a line of -raw.
type rawRun struct {
	Work   string `json:"work"`
	Server string `json:"server"`
	Round  int    `json:"round"`
	Result any    `json:"result"`
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
