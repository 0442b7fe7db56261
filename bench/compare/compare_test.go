package main

import (
	"context"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// TestMain makes the test's own program the servers, told apart by its name.
func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); name == "right" || name == "wrong" {
		addr := flag.String("addr", "", "")
		flag.Bool("deflate", false, "")
		flag.Parse()
		up := websocket.Upgrader{EnableCompression: true}
		_ = http.ListenAndServe(*addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := up.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			for {
				kind, b, err := c.ReadMessage()
				if err != nil {
					return
				}
				if name == "wrong" {
					b[len(b)-1]++
				}
				_ = c.WriteMessage(kind, b)
			}
		}))
		return
	}
	m.Run()
}

func compare(t *testing.T, works string, servers ...string) (string, error) {
	t.Helper()
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"right", "wrong"} {
		if err := os.Symlink(self, filepath.Join(bin, s)); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	err = run(options{
		bin: bin, servers: servers, works: regexp.MustCompile(works), rounds: 2, limit: time.Minute,
		warm: time.Millisecond, measure: 50 * time.Millisecond, hold: time.Millisecond, log: io.Discard,
	}, &out)
	return out.String(), err
}

func TestServersAreComparedInTurn(t *testing.T) {
	out, err := compare(t, "64 B$|JSON", "right", "right")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		" 2 rounds, 50ms each.", "| echo | right | right |\n|---|--:|--:|\n| 64 B | ", "| 1 KiB JSON, deflate | ", "| echoes | right | right |",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestAServerThatEchoesWronglyFails(t *testing.T) {
	out, err := compare(t, "64 B$", "right", "wrong", "missing")
	if err == nil || !strings.Contains(err.Error(), "64 B, wrong: connection ") || !strings.Contains(err.Error(), "64 B, missing: ") {
		t.Error(err)
	}
	if strings.Contains(out, "wrong") || strings.Contains(out, "missing") {
		t.Errorf("the server that fails has figures:\n%s", out)
	}
}

func TestTheTablesSayMediansAndRatiosOfRounds(t *testing.T) {
	var all []sample
	for round, v := range [][2]float64{{2, 1}, {30, 10}, {4, 4}} {
		for i, server := range []string{"a", "b"} {
			all = append(all,
				sample{figure{echoTable, "64 B", v[i]}, server, round},
				sample{figure{memoryTable, "64 B", 100}, server, round})
		}
	}
	all = append(all,
		sample{figure{idleTable, "SSE", 25_000.4}, "c", 0},
		sample{figure{idleTable, "SSE", 500}, "a", 0},
		sample{figure{quietTable, "SSE: CPU", 0}, "a", 0})
	var out strings.Builder
	writeTables(&out, []string{"a", "b", "c"}, all)
	if got, want := out.String(), `CPU time of the server's process for a message, µs: median (least–most).

| echo | a | b |
|---|--:|--:|
| 64 B | 4.00 (2.00–30.0) | 4.00 (1.00–10.0) |

The same of a as a multiple of the others': the median of the rounds' ratios.

| echo | b |
|---|--:|
| 64 B | 2.00 |

Memory of the server's process for each of 19,500 idle connections, bytes: median (least–most).

| idle | a | c |
|---|--:|--:|
| SSE | 500 | 25000 |

The same of a as a multiple of the others': the median of the rounds' ratios.

| idle | c |
|---|--:|
| SSE | 0.02 |

Memory of the kernel and CPU time of the server's process while connections are idle: median (least–most).

| while they are idle | a |
|---|--:|
| SSE: CPU | 0 |

Memory of the server's process at the end of the echoes, MiB: median (least–most).

| echoes | a | b |
|---|--:|--:|
| 64 B | 100 (100–100) | 100 (100–100) |
`; got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestServersGetTheWorkThatTheyCan(t *testing.T) {
	for _, c := range []struct {
		server string
		a      ability
		want   bool
	}{
		{"leat", closure, true},
		{"leat@goroutine", streams, true},
		{"floor", deflate, false},
		{"gobwas", anything, true},
		{"gosse", topicEvents, true},
		{"gws", topicLines, false},
		{"a server of your own", webSockets, true},
		{"a server of your own", streams, false},
	} {
		if can(c.server, c.a) != c.want {
			t.Errorf("%s, %s: %v", c.server, c.a, !c.want)
		}
	}
	if name, engine := program("leat@goroutine"); name != "leat" || engine != "goroutine" {
		t.Error(name, engine)
	}
}

func TestEveryWorkHasANameOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range works {
		if seen[w.name] {
			t.Errorf("two works are called %q", w.name)
		}
		seen[w.name] = true
	}
	for n, want := range map[int]string{7: "7", 1000: "1,000", 19_500: "19,500", 1_000_050: "1,000,050"} {
		if got := thousands(n); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestTheTablesGoBetweenTheMarks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(file, []byte("before\n"+beginMark+"old\n"+endMark+"after\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := writeBetweenMarks(file, []byte("new\n")); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(file); string(b) != "before\n"+beginMark+"new\n"+endMark+"after\n" {
		t.Errorf("%q", b)
	}
	_ = os.WriteFile(file, []byte(beginMark), 0o644)
	if err := writeBetweenMarks(file, nil); err == nil {
		t.Error("a file without an end of the table is written")
	}
}

func TestAMeasurementThatIsInterruptedEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := measure(ctx, options{bin: t.TempDir(), servers: []string{"right"}, works: regexp.MustCompile(""), rounds: 1, log: io.Discard})
	if err == nil {
		t.Error("no error")
	}
}
