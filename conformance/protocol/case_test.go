package protocol_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A testCase is what the raw peer does and what must come back.
type testCase struct {
	// id is Autobahn's number, with a word behind it where the same thing comes
	// in another form; or a word and a number of our own.
	id, name string
	how      setup
	only     role
	steps    steps
	code     int  // what the application hears of the end
	broken   bool // and whether because the peer broke the protocol
}

// A role is which side the subject is; "" for both.
type role string

const (
	asServer role = "server"
	asClient role = "client"
)

// holds is a case whose connection is still open after the steps: it closes in
// order.
func holds(id, name string, parts ...any) testCase {
	return testCase{id: id, name: name, steps: append(parts, closes(1000, "")), code: 1000}
}

// breaks is a case whose last step is a violation: the other side must close with
// the code.
func breaks(code int, id, name string, parts ...any) testCase {
	return testCase{id: id, name: name, steps: append(parts, fails(code)), code: code, broken: true}
}

// with gives every case a setup.
func with(how setup, cases ...testCase) []testCase {
	for i := range cases {
		cases[i].how = how
	}
	return cases
}

func allCases() []testCase {
	return slices.Concat(framingCases(), pingCases(), reservedCases(), opcodeCases(), fragmentCases(),
		utf8Cases(), closeCases(), largeCases(), autoFragmentCases(), deflateCases(),
		maskCases(), lengthCases(), limitCases(), sendingCases(), zippedCases())
}

// category is the part of an id that tells what it is about.
func (c testCase) category() string {
	word, _, _ := strings.Cut(c.id, ".")
	return word
}

// perform plays a case with the subject, within the time.
func perform(t *testing.T, s *subject, c testCase, most time.Duration) error {
	t.Helper()
	c.how.name = t.Name()
	l, ended, err := s.open(t, c.how)
	if err != nil {
		return err
	}
	l.hurry(most)
	l.anyText = c.how.anyText
	all := c.steps.all()
	for i, do := range all {
		if err := do(l); err != nil {
			return fmt.Errorf("step %d of %d: %w", i+1, len(all), err)
		}
	}
	if ended != nil {
		return hear(ended, c)
	}
	return nil
}

func (s *subject) role() role {
	if s.dial != nil {
		return asClient
	}
	return asServer
}

func (c testCase) String() string { return c.id + " " + c.name }

// TestEveryCaseOfAutobahnHasItsCounterpart holds the numbers of Autobahn's cases
// in the categories that Leat has a part in.
func TestEveryCaseOfAutobahnHasItsCounterpart(t *testing.T) {
	want := map[string]int{
		"1.1": 8, "1.2": 8, "2": 11, "3": 7, "4.1": 5, "4.2": 5, "5": 20,
		"6.1": 3, "6.2": 4, "6.3": 2, "6.4": 4, "6.5": 5, "6.6": 11, "6.7": 4, "6.8": 2, "6.9": 4, "6.10": 3,
		"6.11": 5, "6.12": 8, "6.13": 5, "6.14": 10, "6.15": 1, "6.16": 3, "6.17": 5, "6.18": 5, "6.19": 5,
		"6.20": 7, "6.21": 8, "6.22": 34, "6.23": 7,
		"7.1": 6, "7.3": 6, "7.5": 1, "7.7": 13, "7.9": 9, "7.13": 2,
		"9.1": 6, "9.2": 6, "9.3": 9, "9.4": 9, "9.5": 6, "9.6": 6, "9.7": 6, "9.8": 6, "10.1": 1,
		"12.1": 18, "12.2": 18, "12.3": 18, "12.4": 18, "12.5": 18,
		"13.1": 18, "13.2": 18, "13.3": 18, "13.4": 18, "13.5": 18, "13.6": 18, "13.7": 18,
	}
	have := map[string]bool{}
	for _, c := range allCases() {
		if have[c.id] {
			t.Errorf("%s is there twice", c.id)
		}
		have[c.id] = true
	}
	sum := 0
	for group, n := range want {
		for i := range n {
			if id := fmt.Sprintf("%s.%d", group, i+1); !have[id] {
				t.Errorf("%s is missing", id)
			}
		}
		sum += n
	}
	if sum != 517 {
		t.Errorf("Autobahn has 517 cases; these are %d", sum)
	}
}
