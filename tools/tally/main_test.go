package main

import (
	"strings"
	"testing"
)

func TestGoCountsTestsSubtestsAndPackagesThatDoNotRun(t *testing.T) {
	const in = `go: downloading example.com/m v1.0.0
{"Action":"start","Package":"a"}
{"Action":"run","Package":"a","Test":"TestX"}
{"Action":"output","Package":"a","Test":"TestX","Output":"noise\n"}
{"Action":"pass","Package":"a","Test":"TestX/sub","Elapsed":0.1}
{"Action":"pass","Package":"a","Test":"TestX","Elapsed":0.1}
{"Action":"output","Package":"a","Test":"TestY","Output":"reason\n"}
{"Action":"fail","Package":"a","Test":"TestY","Elapsed":0.1}
{"Action":"output","Package":"a","Test":"TestZ","Output":"no such platform\n"}
{"Action":"skip","Package":"a","Test":"TestZ","Elapsed":0}
{"Action":"fail","Package":"a","Elapsed":0.5}
{"Action":"skip","Package":"empty","Elapsed":0}
{"ImportPath":"b [b.test]","Action":"build-output","Output":"b.go:1: nonsense\n"}
{"ImportPath":"b [b.test]","Action":"build-fail"}
{"Action":"output","Package":"b","Output":"FAIL b [build failed]\n"}
{"Action":"fail","Package":"b","Elapsed":0,"FailedBuild":"b [b.test]"}
`
	const out = `go: downloading example.com/m v1.0.0
a TestY
reason
a TestZ
no such platform
FAIL a: 4 tests, 0.5 s
b.go:1: nonsense
FAIL b [build failed]
FAIL b: 1 tests, 0.0 s
`
	check(t, Go, in, out, Counts{Passed: 2, Failed: 2, Skipped: 1})
}

func TestTAPTakesTheTotalsAndShowsWhatFailed(t *testing.T) {
	const in = `TAP version 13
# hello
# Subtest: one
ok 1 - one
  ---
  duration_ms: 2
  ...
# Subtest: two
    # Subtest: sub
    not ok 1 - sub
      ---
      error: '1 == 2'
      ...
    1..1
not ok 2 - two
  ---
  error: '1 subtest failed'
  ...
# Subtest: three
ok 3 - three # SKIP
1..3
# tests 4
# suites 0
# pass 1
# fail 2
# cancelled 1
# skipped 1
# todo 0
`
	const out = `# hello
ok 1 - one
    not ok 1 - sub
      ---
      error: '1 == 2'
      ...
not ok 2 - two
  ---
  error: '1 subtest failed'
  ...
ok 3 - three # SKIP
# tests 4
# suites 0
`
	check(t, TAP, in, out, Counts{Passed: 1, Failed: 3, Skipped: 1})
}

func check(t *testing.T, read reader, in, out string, want Counts) {
	t.Helper()
	var w strings.Builder
	got, err := read(&w, strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	if w.String() != out {
		t.Errorf("shows:\n%s\nwant:\n%s", w.String(), out)
	}
}
