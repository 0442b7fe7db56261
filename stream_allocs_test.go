package leat_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/leat-dev/leat"
)

func TestARecordAllocatesNothing(t *testing.T) {
	const together = 20 // so that a part of an allocation is seen
	held := make(chan *leat.Stream, 1)
	_, url := start(t, nil, func(srv *leat.Server) {
		srv.HandleFunc("/live", func(w http.ResponseWriter, r *http.Request) {
			if s, err := leat.NDJSON(w, r, nil); err == nil {
				s.Hold()
				held <- s
			}
		})
	})
	p := reach(t, url, "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = p.in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	want := bytes.Repeat([]byte("1c\r\n{\"name\":\"boiler\",\"value\":7}\n\r\n"), together)
	got := make([]byte, len(want))
	s, record := <-held, &struct {
		Name  string `json:"name"`
		Value int    `json:"value"`
	}{"boiler", 7}
	n := leastAllocs(func() {
		for range together {
			if err := s.Send(record); err != nil {
				t.Error(err)
			}
		}
		if _, err := io.ReadFull(p.in, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%q (%v)", got, err)
		}
	})
	if n > 0 && !underRace {
		t.Errorf("%v allocations in %d records", n, together)
	}
}
