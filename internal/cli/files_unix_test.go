//go:build unix

package cli

import "testing"

func TestTooManyConnectionsAreToldHowToHaveThem(t *testing.T) {
	for _, c := range []struct {
		soft, hard uint64
		want       string
	}{
		{10128, 20000, ""},
		{1000, 1000, "--connections 10000 needs 10128 descriptors, and this process may have 1000, for up to 872 connections; raise the limit, as root: ulimit -n 10128"},
		{20, 20000, "--connections 10000 needs 10128 descriptors, and this process may have 20, for up to 0 connections; raise the limit: ulimit -n 10128"},
	} {
		got := ""
		if err := enoughFiles(10000, c.soft, c.hard); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%d of %d: %q, want %q", c.soft, c.hard, got, c.want)
		}
	}
}
