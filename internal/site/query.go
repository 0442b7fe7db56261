package site

import (
	"fmt"
	"net/http"
	"time"
)

const (
	shortest = 20 * time.Millisecond
	longest  = time.Hour
)

// interval reads ?every=, the time between two records. Without it the answer
// is usual. A value that is no duration from 20ms to 1h is answered with 400.
func interval(w http.ResponseWriter, r *http.Request, usual time.Duration) (d time.Duration, ok bool) {
	q := r.URL.Query()
	if !q.Has("every") {
		return usual, true
	}
	text := q.Get("every")
	d, err := time.ParseDuration(text)
	if err != nil || d < shortest || d > longest {
		refuse(w, "every", text, "a duration from 20ms to 1h; write 100ms or 2s")
		return 0, false
	}
	return d, true
}

// refuse answers 400 and says what the query's key should hold.
func refuse(w http.ResponseWriter, key, got, want string) {
	http.Error(w, fmt.Sprintf("%s: %q is not %s", key, clip(got), want), http.StatusBadRequest)
}

// clip shortens somebody else's text that an answer repeats.
func clip(text string) string {
	const most = 40 // characters
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}
