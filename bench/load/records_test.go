package load_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat/bench/load"
)

func TestRecordsThatAreRightAreCounted(t *testing.T) {
	for name, c := range map[string]struct {
		kind string
		send sender
	}{
		"lines":  {load.NDJSON, line},
		"events": {load.SSE, event},
		"lines and heartbeats": {load.NDJSON, func(w http.ResponseWriter, n uint32) {
			fmt.Fprint(w, "\n\n")
			line(w, n)
		}},
		"events and comments": {load.SSE, func(w http.ResponseWriter, n uint32) {
			fmt.Fprint(w, ": still here\n\n")
			event(w, n)
		}},
		"in pieces": {load.SSE, func(w http.ResponseWriter, n uint32) {
			fmt.Fprint(w, "data:")
			_ = http.NewResponseController(w).Flush()
			fmt.Fprintf(w, "%s\n", load.Record(n))
			_ = http.NewResponseController(w).Flush()
			fmt.Fprint(w, "\n")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := load.Records{
				URL: stream(t, mimes[c.kind], c.send), Kind: c.kind, Conns: 5, Every: 5 * time.Millisecond,
				Time: 100 * time.Millisecond, PID: os.Getpid(),
			}
			got, err := r.Run()
			if err != nil {
				t.Fatal(err)
			}
			if got.Messages < 5 || got.CPU <= 0 || got.Memory <= 0 || got.Rate <= 0 {
				t.Errorf("%+v", got)
			}
		})
	}
}

var mimes = map[string]string{load.NDJSON: "application/x-ndjson", load.SSE: "text/event-stream"}

func TestRecordsThatAreWrongAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		kind string
		send sender
		want string
	}{
		"one twice":     {load.NDJSON, func(w http.ResponseWriter, n uint32) { line(w, min(n, 3)) }, "record 4 is"},
		"one left out":  {load.SSE, func(w http.ResponseWriter, n uint32) { event(w, n+n/3) }, "record 3 is"},
		"another byte":  {load.NDJSON, func(w http.ResponseWriter, n uint32) { fmt.Fprintf(w, "%s \n", load.Record(n)) }, "record 0 is"},
		"no event":      {load.SSE, line, "in an event"},
		"two of data":   {load.SSE, func(w http.ResponseWriter, n uint32) { fmt.Fprintf(w, "data: a\ndata: b\n\n") }, "two lines of data"},
		"no line":       {load.NDJSON, func(w http.ResponseWriter, n uint32) { fmt.Fprint(w, strings.Repeat("x", 70_000)) }, "a line without an end"},
		"an end":        {load.NDJSON, func(w http.ResponseWriter, n uint32) { panic(http.ErrAbortHandler) }, "connection 0:"},
		"another type":  {load.SSE, nil, `content-type is "text/html"`},
		"not the first": {load.SSE, func(w http.ResponseWriter, n uint32) { event(w, n+1) }, "record 0 is"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mime := mimes[c.kind]
			if c.send == nil {
				mime, c.send = "text/html", event
			}
			r := load.Records{URL: stream(t, mime, c.send), Kind: c.kind, Conns: 1, Every: time.Millisecond, Time: 10 * time.Second}
			if _, err := r.Run(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
