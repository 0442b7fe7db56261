package leat_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat"
)

func TestAStreamThatAStoppingServerRefusesLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, err := leat.New(&leat.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		srv.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			if _, err := leat.NDJSON(w, r, nil); !errors.Is(err, leat.ErrShutdown) {
				t.Errorf("got %v", err)
			}
		})
		rec := httptest.NewRecorder()
		srv.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		if rec.Code != http.StatusServiceUnavailable {
			t.Errorf("status %d", rec.Code)
		}
		time.Sleep(time.Hour) //nolint:forbidigo // in the bubble: every timeout has come
		if got := rec.Body.String(); strings.Count(got, "\n") != 1 {
			t.Errorf("got %q", got)
		}
	})
}
