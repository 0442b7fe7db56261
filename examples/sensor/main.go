// Sensor sends what a simulated sensor measures, every two seconds.
//
//	go run ./examples/sensor
//	curl -N http://localhost:4000/sensor
//	curl -N -H 'Accept: text/event-stream' http://localhost:4000/sensor
package main

import (
	"context"
	"flag"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/leat-dev/leat"
)

// A reading is one record.
type reading struct {
	Time        time.Time `json:"time"`
	Temperature float64   `json:"temperature"` // °C
	Humidity    float64   `json:"humidity"`    // %
	Pressure    float64   `json:"pressure"`    // hPa
}

// next is a reading not far from the last one.
func (r reading) next() reading {
	return reading{
		Time:        time.Now(),
		Temperature: r.Temperature + rand.NormFloat64()/10,
		Humidity:    min(100, max(0, r.Humidity+rand.NormFloat64()/2)),
		Pressure:    r.Pressure + rand.NormFloat64()/5,
	}
}

func main() {
	listen := flag.String("listen", "http://localhost:4000", "where to listen")
	every := flag.Duration("every", 2*time.Second, "time between two readings")
	flag.Parse()
	srv, err := leat.New(&leat.Config{Listen: []string{*listen}})
	if err != nil {
		log.Fatal(err)
	}
	srv.HandleFunc("/sensor", func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.Records(w, r, nil)
		if err != nil {
			return // already answered
		}
		now := reading{Temperature: 21, Humidity: 45, Pressure: 1013}
		s.OnClose(func(reason error) { log.Print("a reader left: ", reason) })
		s.Every(*every, func() error {
			now = now.next()
			return s.Send(now)
		})
	})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := srv.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
