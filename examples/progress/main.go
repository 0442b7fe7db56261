// Progress tells how far a long piece of work has come, while it goes on.
//
//	go run ./examples/progress
//	curl -N http://localhost:4000/progress
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/leat-dev/leat"
)

// A progress is one record.
type progress struct {
	Step            int     `json:"step"`
	TotalSteps      int     `json:"totalSteps"`
	PercentComplete float64 `json:"percentComplete"`
	Status          string  `json:"status"`
}

const totalSteps = 10

func main() {
	listen := flag.String("listen", "http://localhost:4000", "where to listen")
	every := flag.Duration("every", 500*time.Millisecond, "how long a step takes")
	flag.Parse()
	srv, err := leat.New(&leat.Config{Listen: []string{*listen}})
	if err != nil {
		log.Fatal(err)
	}
	srv.HandleFunc("/progress", func(w http.ResponseWriter, r *http.Request) { process(w, r, *every) })
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := srv.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

func process(w http.ResponseWriter, r *http.Request, every time.Duration) {
	s, err := leat.Records(w, r, nil) // NDJSON, or SSE for those who ask for it
	if err != nil {
		return // already answered
	}
	defer s.Close()
	for step := 1; step <= totalSteps; step++ {
		if err := work(s.Context(), every); err != nil {
			return // nobody is waiting for the rest
		}
		percent := float64(step) / totalSteps * 100
		if err := s.Send(progress{step, totalSteps, percent, "processing"}); err != nil {
			return
		}
	}
	_ = s.Send(progress{totalSteps, totalSteps, 100, "complete"}) // it was the last
}

// work stands for something that takes that long.
func work(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
