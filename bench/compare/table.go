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
		n = max(n, s.round+1)
	}
	return n
}

// A table holds the figures of one unit.
type table struct {
	name   string // which is that of its rows, too
	title  string
	ratios bool // those of the first server to the others follow
}

const (
	echoTable    = "echo"
	streamTable  = "streams and files"
	deliverTable = "deliveries"
	lateTable    = "how late"
	segmentTable = "segments"
	readerTable  = "readers"
	connectTable = "connections"
	upgradeTable = "of the same server"
	idleTable    = "idle"
	slopeTable   = "idle, and how many"
	quietTable   = "while they are idle"
	burstTable   = "a burst"
	memoryTable  = "echoes"
)

var tables = []table{
	{echoTable, "CPU time of the server's process for a message, µs", true},
	{streamTable, "CPU time of the server's process for a record, or a MiB, µs", true},
	{deliverTable, "CPU time of the server's process for a message of 128 bytes to one reader, µs", true},
	{lateTable, "From publishing, or when it was due, to a reader's last byte, the 99th percentile, ms", false},
	{segmentTable, "Segments that the kernel has sent for a message to one reader: its writes, where the reader keeps up", false},
	{readerTable, "Memory of the server's process for each of " + thousands(manyReaders) + " readers, and what is kept for them, bytes", true},
	{connectTable, "CPU time of the server's process for a connection, µs", true},
	{upgradeTable, "Connecting and upgrading, as a multiple of connecting, one GET and the end", false},
	{idleTable, "Memory of the server's process for each of " + thousands(idleConns) + " idle connections, bytes", true},
	{slopeTable, "The same after the echo or the record, by how many connections there are, bytes", false},
	{quietTable, "Memory of the kernel and CPU time of the server's process while connections are idle", false},
	{burstTable, "Memory of the server's process around a burst of messages of 1 MiB on 8 connections", false},
	{memoryTable, "Memory of the server's process at the end of the echoes, MiB", false},
}

// writeTables writes the figures of each server, and those of the first as
// multiples of the others'.
func writeTables(w io.Writer, servers []string, all []sample) {
	first, gap := servers[0], ""
	for _, t := range tables {
		rows := rowsOf(all, t.name, servers...)
		if len(rows) == 0 {
			continue
		}
		fmt.Fprintf(w, "%s%s: median (least–most).\n\n", gap, t.title)
		gap = "\n"
		writeTable(w, t.name, rows, those(servers, all, t.name), func(row, server string) string {
			return spread(values(all, t.name, row, server))
		})
		others := those(servers[1:], all, t.name)
		if !t.ratios || len(others) == 0 {
			continue
		}
		fmt.Fprintf(w, "\nThe same of %s as a multiple of the others': the median of the rounds' ratios.\n\n", first)
		writeTable(w, t.name, rowsOf(all, t.name, others...), others, func(row, server string) string {
			if r := ratios(all, t.name, row, first, server); len(r) > 0 {
				return digits(median(r))
			}
			return "–"
		})
	}
}

func writeTable(w io.Writer, name string, rows, columns []string, cell func(row, column string) string) {
	fmt.Fprintf(w, "| %s | %s |\n|---%s|\n", name, strings.Join(columns, " | "), strings.Repeat("|--:", len(columns)))
	for _, row := range rows {
		fmt.Fprintf(w, "| %s |", row)
		for _, column := range columns {
			fmt.Fprintf(w, " %s |", cell(row, column))
		}
		fmt.Fprintln(w)
	}
}

// rowsOf are the rows of a table that any of the servers has figures of, in the
// order of the work.
func rowsOf(all []sample, table string, servers ...string) (rows []string) {
	for _, s := range all {
		if s.table == table && slices.Contains(servers, s.server) && !slices.Contains(rows, s.row) {
			rows = append(rows, s.row)
		}
	}
	return rows
}

// those are the servers that a table has figures of.
func those(servers []string, all []sample, table string) (some []string) {
	for _, server := range servers {
		if slices.ContainsFunc(all, func(s sample) bool { return s.table == table && s.server == server }) {
			some = append(some, server)
		}
	}
	return some
}

// values are a server's figures, by round.
func values(all []sample, table, row, server string) []float64 {
	var v []float64
	for _, s := range all {
		if s.table == table && s.row == row && s.server == server {
			v = append(v, s.value)
		}
	}
	return v
}

// ratios are those of two servers in the same round.
func ratios(all []sample, table, row, a, b string) []float64 {
	var r []float64
	for _, x := range all {
		for _, y := range all {
			same := x.table == table && y.table == table && x.row == row && y.row == row && x.round == y.round
			if same && x.server == a && y.server == b && y.value > 0 {
				r = append(r, x.value/y.value)
			}
		}
	}
	return r
}

// spread is the median of the figures, and how far they reach.
func spread(v []float64) string {
	switch len(v) {
	case 0:
		return "–"
	case 1:
		return digits(v[0])
	}
	return fmt.Sprintf("%s (%s–%s)", digits(median(v)), digits(slices.Min(v)), digits(slices.Max(v)))
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// digits writes three digits, and whole numbers in full.
func digits(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 0:
		return "-" + digits(-v)
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
