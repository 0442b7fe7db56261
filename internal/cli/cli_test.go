package cli

import (
	"bufio"
	"context"
	"flag"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestWithoutAVerbLeatServes(t *testing.T) {
	for _, args := range [][]string{nil, {"-c", "web.json5"}, {"--listen", "http://127.0.0.1:0"}} {
		v, rest, err := choose(args)
		if err != nil || v.name != "serve" || !slices.Equal(rest, args) {
			t.Errorf("%q: %s %q %v", args, v.name, rest, err)
		}
	}
}

func TestBehindTwoDashesNothingIsAFlag(t *testing.T) {
	for args, want := range map[string]string{"-n 1 a -- -2 --n": "a -2 --n", "a -n 1 b": "a b", "-- a -n": "a -n", "a --": "a"} {
		fs := flag.NewFlagSet("", flag.ContinueOnError)
		fs.Int("n", 0, "")
		rest, err := parse(fs, strings.Fields(args))
		if got := strings.Join(rest, " "); err != nil || got != want {
			t.Errorf("%s: %q %v, want %q", args, got, err, want)
		}
	}
}

// TestTheEmbeddedSiteShowsLiveData runs what leat does without arguments, on a
// port that is free.
func TestTheEmbeddedSiteShowsLiveData(t *testing.T) {
	config, err := new(serveOptions).load()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"http://127.0.0.1:4000"}; !slices.Equal(config.Listen, want) {
		t.Errorf("it listens on %q, not %q", config.Listen, want)
	}
	config.Listen = []string{"http://127.0.0.1:0"}

	out, in := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- serve(ctx, stdio{nil, in, io.Discard}, config) }()
	said, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url, ok := strings.CutPrefix(strings.TrimSpace(said), "Listening on ")
	if !ok {
		t.Fatalf("it said %q", said)
	}

	for path, want := range map[string]string{"/": "<title>", "/api/machine": `{"`} {
		res, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		for lines := bufio.NewScanner(res.Body); !strings.Contains(lines.Text(), want); {
			if !lines.Scan() {
				t.Fatalf("%s: %s, and no %s", path, res.Status, want)
			}
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("after a stop: %v", err)
	}
}

func TestAMistakeInTheCommandLineHasAnExitCodeOfItsOwn(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
	}{
		{"version", 0},
		{"help serve", 0},
		{"check --schema", 0},
		{"check nowhere.json5", 1},
		{"serve -c nowhere.json5", 1},
		{"check", 2},
		{"chekc", 2},
		{"serve --nonsense", 2},
		{"serve web.json5", 2},
		{"help serve check", 2},
		{"version now", 2},
	} {
		if got := Main(t.Context(), strings.Fields(c.args), strings.NewReader(""), io.Discard, io.Discard); got != c.code {
			t.Errorf("leat %s: exit code %d, want %d", c.args, got, c.code)
		}
	}
}
