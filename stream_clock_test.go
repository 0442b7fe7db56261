package leat

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAClockThatIsSetMovesNoTimeout(t *testing.T) {
	s, err := NDJSON(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), &StreamOptions{Request: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(1); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	for name, ticks := range map[string]int64{"inactivity": s.idleBy(), "heartbeat": s.beatBy(), "request": s.endBy} {
		at := timeOf(ticks)
		if !strings.Contains(at.String(), " m=") { // it has no monotonic reading
			t.Errorf("%s goes by the calendar: %v", name, at)
		}
		if left := time.Until(at); left < 15*time.Second {
			t.Errorf("%s: %v left", name, left)
		}
	}
	s.mu.Unlock()
	_ = s.Close()
}
