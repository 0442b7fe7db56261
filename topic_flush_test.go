package leat_test

import (
	"context"
	"encoding/json"
	"io"
	"testing"

	"github.com/leat-dev/leat"
)

func TestWhatIsPublishedBeforeAShutdownArrivesBeforeItsEnd(t *testing.T) {
	for range 20 {
		c := &leat.Config{}
		srv, url := start(t, c, func(srv *leat.Server) { srv.Handle("/live/", srv.Topics("/live/")) })
		resp := get(t, url+"/live/a?topic=b.*")
		next := json.NewDecoder(resp.Body)
		var r struct {
			Control string
			Data    any
		}
		if err := next.Decode(&r); err != nil || r.Control != "open" {
			t.Fatalf("%+v (%v)", r, err)
		}
		for _, name := range []string{"a", "b.x", "a"} {
			if _, err := srv.Topic(name).Publish(t.Context(), leat.Text("last words")); err != nil {
				t.Fatal(err)
			}
		}
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		data, control := 0, ""
		for {
			r.Control, r.Data = "", nil
			if err := next.Decode(&r); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if r.Data != nil {
				data++
			}
			control = r.Control
		}
		if data != 3 || control != "drain" {
			t.Fatalf("%d messages came, and then %q", data, control)
		}
	}
}
