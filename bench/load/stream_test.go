package load_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/leat-dev/leat/bench/load"
)

// A sender writes the n-th record of a stream; it may do so wrongly.
type sender func(w http.ResponseWriter, n uint32)

func line(w http.ResponseWriter, n uint32) { fmt.Fprintf(w, "%s\n", load.Record(n)) }

func event(w http.ResponseWriter, n uint32) {
	fmt.Fprintf(w, "id: %d\ndata: %s\n\n", n, load.Record(n))
}

func stream(t *testing.T, mime string, send sender) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mime)
		every, err := time.ParseDuration(r.FormValue("every"))
		if err != nil {
			t.Error(err)
		}
		for n := uint32(0); ; n++ {
			send(w, n)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(every):
			case <-r.Context().Done():
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/"
}
