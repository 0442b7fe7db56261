package load_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat/bench/load"
)

func file(t *testing.T, content []byte) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "file", time.Time{}, bytes.NewReader(content))
	}))
	t.Cleanup(s.Close)
	return s.URL + "/"
}

func TestFilesThatAreRightAreCounted(t *testing.T) {
	d := load.Download{URL: file(t, load.File(2<<20)), Conns: 3, Size: 2 << 20, Time: 100 * time.Millisecond, PID: os.Getpid()}
	r, err := d.Run()
	if err != nil || r.Messages < 2 || r.CPU <= 0 || r.Rate <= 0 || r.Memory <= 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestFilesThatAreWrongAreTold(t *testing.T) {
	wrong := load.File(1 << 20)
	wrong[1<<20-1]++
	for want, url := range map[string]string{
		"is not the file":             file(t, wrong),
		`content-length is "1048577"`: file(t, load.File(1<<20+1)),
	} {
		d := load.Download{URL: url, Conns: 1, Size: 1 << 20, Time: 10 * time.Second}
		if _, err := d.Run(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
