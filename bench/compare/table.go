package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/leat-dev/leat/bench/load"
)

// writeMachine says what the figures depend on, and no more about the machine.
func writeMachine(w io.Writer, rounds int, each time.Duration) {
	system, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	fmt.Fprintf(w, "%d cores (%s), Linux %s, %s; %d rounds, %v each.\n\n",
		runtime.NumCPU(), processor(), bytes.TrimSpace(system), runtime.Version(), rounds, each)
}

func processor() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func rounds(all []sample) int {
	n := 0
	for _, s := range all {
		n = max(n, s.Round+1)
	}
	return n
}

// writeTables writes the figures of each server, and those of the first as
// multiples of the others'.
func writeTables(w io.Writer, servers []string, all []sample) {
	first, others := servers[0], servers[1:]
	cpu := func(r load.Result) float64 { return r.CPU }
	fmt.Fprintf(w, "CPU time of the server's process for a message, µs: median (least–most).\n\n")
	writeTable(w, servers, all, func(work, server string) string {
		v := values(all, work, server, cpu)
		if len(v) == 0 {
			return "–"
		}
		return fmt.Sprintf("%s (%s–%s)", figure(median(v)), figure(slices.Min(v)), figure(slices.Max(v)))
	})
	fmt.Fprintf(w, "\nThe same of %s as a multiple of the others': the median of the rounds' ratios.\n\n", first)
	writeTable(w, others, all, func(work, server string) string {
		r := ratios(all, work, first, server)
		if len(r) == 0 {
			return "–"
		}
		return fmt.Sprintf("%.2f", median(r))
	})
	fmt.Fprintf(w, "\nMemory of the server's process at the end, MiB: median.\n\n")
	writeTable(w, servers, all, func(work, server string) string {
		v := values(all, work, server, func(r load.Result) float64 { return r.Memory / (1 << 20) })
		if len(v) == 0 {
			return "–"
		}
		return figure(median(v))
	})
}

func writeTable(w io.Writer, columns []string, all []sample, cell func(work, column string) string) {
	fmt.Fprintf(w, "| echo | %s |\n|---%s|\n", strings.Join(columns, " | "), strings.Repeat("|--:", len(columns)))
	for _, work := range works {
		if !slices.ContainsFunc(all, func(s sample) bool { return s.Work == work.name }) {
			continue
		}
		fmt.Fprintf(w, "| %s |", work.name)
		for _, column := range columns {
			fmt.Fprintf(w, " %s |", cell(work.name, column))
		}
		fmt.Fprintln(w)
	}
}

// values are a server's figures, by round.
func values(all []sample, work, server string, of func(load.Result) float64) []float64 {
	var v []float64
	for _, s := range all {
		if s.Work == work && s.Server == server {
			v = append(v, of(s.Result))
		}
	}
	return v
}

// ratios are those of the CPU times of two servers in the same round.
func ratios(all []sample, work, a, b string) []float64 {
	var r []float64
	for _, x := range all {
		for _, y := range all {
			if x.Work == work && y.Work == work && x.Server == a && y.Server == b && x.Round == y.Round {
				r = append(r, x.Result.CPU/y.Result.CPU)
			}
		}
	}
	return r
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// figure writes three digits.
func figure(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}

const (
	beginMark = "<!-- table -->\n"
	endMark   = "<!-- end of table -->\n"
)

// writeBetweenMarks replaces what is between the marks of a file.
func writeBetweenMarks(file string, text []byte) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(b, []byte(beginMark))
	_, after, ok2 := bytes.Cut(rest, []byte(endMark))
	if !ok || !ok2 {
		return fmt.Errorf("%s: want the lines %q and %q", file, beginMark, endMark)
	}
	return os.WriteFile(file, slices.Concat(before, []byte(beginMark), text, []byte(endMark), after), 0o644)
}
