package site

import (
	"net/http"
	"strconv"
	"time"

	"github.com/leat-dev/leat"
)

const mostSteps = 10000

// A step is one record of /api/progress.
type step struct {
	Step            int     `json:"step"`
	TotalSteps      int     `json:"totalSteps"`
	PercentComplete float64 `json:"percentComplete"`
	Status          string  `json:"status"` // processing, then complete
}

// progress streams the steps of a long task: ?steps= of them, 10 without, one
// each ?every=, 500ms without. The last record says complete.
func progress(w http.ResponseWriter, r *http.Request) {
	every, ok := interval(w, r, 500*time.Millisecond)
	if !ok {
		return
	}
	steps, ok := stepCount(w, r)
	if !ok {
		return
	}
	s, err := leat.Records(w, r, nil)
	if err != nil {
		return
	}
	record := func(n int, status string) step {
		return step{Step: n, TotalSteps: steps, PercentComplete: float64(n) / float64(steps) * 100, Status: status}
	}
	done := 0
	s.Every(every, func() error {
		// A slow reader misses no step: the same one is sent again at the next tick.
		if done < steps {
			if err := s.Send(record(done+1, "processing")); err != nil {
				return err
			}
			done++
		}
		if done < steps {
			return nil
		}
		if err := s.Send(record(steps, "complete")); err != nil {
			return err
		}
		return leat.Done
	})
}

func stepCount(w http.ResponseWriter, r *http.Request) (n int, ok bool) {
	q := r.URL.Query()
	if !q.Has("steps") {
		return 10, true
	}
	text := q.Get("steps")
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > mostSteps {
		refuse(w, "steps", text, "a whole number from 1 to "+strconv.Itoa(mostSteps))
		return 0, false
	}
	return n, true
}
