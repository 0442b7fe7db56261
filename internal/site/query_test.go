package site

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestIntervals(t *testing.T) {
	for query, want := range map[string]time.Duration{
		"":            3 * time.Second,
		"steps=4":     3 * time.Second,
		"every=20ms":  20 * time.Millisecond,
		"every=100ms": 100 * time.Millisecond,
		"every=1.5s":  1500 * time.Millisecond,
		"every=1h":    time.Hour,
	} {
		w := httptest.NewRecorder()
		got, ok := interval(w, httptest.NewRequest(http.MethodGet, "/?"+query, nil), 3*time.Second)
		if !ok || got != want {
			t.Errorf("%q: %v, %v; want %v", query, got, ok, want)
		}
	}
	for _, text := range []string{"", "0", "1", "5s5", "19ms", "19.999ms", "1h1ns", "-1s", "fast", "1 s", "\r\nx", strings.Repeat("9", 5000) + "s"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/?every="+url.QueryEscape(text), nil)
		if d, ok := interval(w, r, time.Second); ok {
			t.Errorf("%.20q is %v, want a refusal", text, d)
			continue
		}
		answer := w.Body.String()
		if w.Code != http.StatusBadRequest || !strings.Contains(answer, "from 20ms to 1h") || !strings.Contains(answer, "100ms") {
			t.Errorf("%.20q: status %d, %q", text, w.Code, answer)
		}
		if strings.Count(answer, "\n") != 1 || len(answer) > 200 {
			t.Errorf("%.20q: the answer is not one short line: %q", text, answer)
		}
		if ct := w.Header().Get("Content-Type"); !strings.HasPrefix(ct, "text/plain") {
			t.Errorf("the answer is %s", ct)
		}
	}
}
