// Command tally reads the results of a test run, shows them for a person and
// writes three numbers for a script: passed, failed, skipped.
//
//	go test -json ./... | tally -as go -to counts
//	node --test --test-reporter=tap | tally -as tap -to counts
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	as := flag.String("as", "go", "what is read: `go` (go test -json) or tap (node --test)")
	to := flag.String("to", "counts", "the `file` that gets the three numbers")
	flag.Parse()
	read := map[string]reader{"go": Go, "tap": TAP}[*as]
	if read == nil {
		fail(fmt.Errorf("-as %q is not go or tap", *as))
	}
	c, err := read(os.Stdout, os.Stdin)
	if err != nil {
		fail(err)
	}
	line := fmt.Sprintln(c.Passed, c.Failed, c.Skipped)
	if err := os.WriteFile(*to, []byte(line), 0o644); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "tally:", err)
	os.Exit(1)
}

// Counts says how many tests ended how. Subtests count as tests.
type Counts struct{ Passed, Failed, Skipped int }

func (c Counts) plus(d Counts) Counts {
	return Counts{c.Passed + d.Passed, c.Failed + d.Failed, c.Skipped + d.Skipped}
}

// A reader shows what it reads on w and counts it.
type reader func(w io.Writer, r io.Reader) (Counts, error)

// An event is one line of go test -json; see `go doc test2json`.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

// Go reads the output of go test -json: one line for each package, and all
// that a failed or skipped test printed. A package that fails without a failed
// test (it does not build, it panics) counts as one failure.
func Go(w io.Writer, r io.Reader) (Counts, error) {
	var sum Counts
	packages := map[string]Counts{}
	said := map[string][]byte{} // by package and test
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return sum, nil
		} else if err != nil && err != io.EOF {
			return sum, err
		}
		var e event
		if json.Unmarshal(line, &e) != nil {
			fmt.Fprintf(w, "%s", line) // go's own words: a module it downloads
			continue
		}
		key, c := e.Package+" "+e.Test, packages[e.Package]
		switch e.Action {
		case "build-output":
			fmt.Fprint(w, e.Output)
			continue
		case "output":
			said[key] = append(said[key], e.Output...)
			continue
		case "pass":
			c.Passed++
		case "fail":
			c.Failed++
		case "skip":
			c.Skipped++
		default:
			continue
		}
		if e.Test != "" {
			packages[e.Package] = c
			if e.Action != "pass" {
				fmt.Fprintf(w, "%s\n%s", key, said[key])
			}
		} else {
			sum = sum.plus(closePackage(w, e, packages[e.Package], said[key]))
			delete(packages, e.Package)
		}
		delete(said, key)
	}
}

// closePackage prints the line of a package and returns its final counts.
func closePackage(w io.Writer, e event, c Counts, said []byte) Counts {
	word := "ok  "
	switch {
	case e.Action == "skip": // it has no tests
		return c
	case e.Action == "fail":
		word = "FAIL"
		if c.Failed == 0 {
			c.Failed++
			w.Write(said)
		}
	}
	fmt.Fprintf(w, "%s %s: %d tests, %.1f s\n", word, e.Package, c.Passed+c.Failed+c.Skipped, e.Elapsed)
	return c
}

// TAP reads what node --test prints with its tap reporter: a line for each test
// at the top level, what the tests print, and why a test failed.
func TAP(w io.Writer, r io.Reader) (Counts, error) {
	var c Counts
	totals := map[string]*int{"pass": &c.Passed, "fail": &c.Failed, "cancelled": &c.Failed, "skipped": &c.Skipped, "todo": &c.Skipped}
	failing := false // between a "not ok" and the "..." that ends its facts
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		line := lines.Text()
		trimmed := strings.TrimLeft(line, " ")
		var word string
		var n int
		fmt.Sscanf(line, "# %s %d", &word, &n)
		switch {
		case totals[word] != nil:
			*totals[word] += n
			continue
		case strings.HasPrefix(trimmed, "not ok "):
			failing = true
		}
		said := strings.HasPrefix(trimmed, "# ") && !strings.HasPrefix(trimmed, "# Subtest: ")
		if failing || said || strings.HasPrefix(line, "ok ") {
			fmt.Fprintln(w, line)
		}
		failing = failing && trimmed != "..."
	}
	return c, lines.Err()
}
