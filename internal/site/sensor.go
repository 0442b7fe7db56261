package site

import (
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/leat-dev/leat"
)

// A climate is one record of /api/sensor.
type climate struct {
	Time        int64   `json:"time"`        // milliseconds since 1970
	Temperature float64 `json:"temperature"` // degrees Celsius
	Humidity    float64 `json:"humidity"`    // percent
	Pressure    float64 `json:"pressure"`    // hectopascal
}

// A walk is a value that wanders and is drawn back to its mean (an
// Ornstein-Uhlenbeck process). It looks the same at every interval.
type walk struct {
	value, mean, spread float64
	memory              time.Duration // how long it takes to forget where it was
}

func (w *walk) advance(d time.Duration, noise float64) float64 {
	keep := math.Exp(-d.Seconds() / w.memory.Seconds())
	w.value = w.mean + (w.value-w.mean)*keep + w.spread*math.Sqrt(1-keep*keep)*noise
	return w.value
}

// sensor simulates one sensor that every reader sees alike: a record each two
// seconds or each ?every=.
type sensor struct {
	now   func() time.Time
	noise func() float64 // normally distributed

	mu                              sync.Mutex
	last                            time.Time
	temperature, humidity, pressure walk
}

func newSensor() *sensor {
	return &sensor{
		now:         time.Now,
		noise:       rand.NormFloat64,
		temperature: walk{value: 21.4, mean: 21.5, spread: 0.8, memory: 90 * time.Second},
		humidity:    walk{value: 47.0, mean: 46, spread: 3, memory: 2 * time.Minute},
		pressure:    walk{value: 1013.2, mean: 1013.2, spread: 1.5, memory: 5 * time.Minute},
	}
}

func (s *sensor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	every, ok := interval(w, r, 2*time.Second)
	if !ok {
		return
	}
	stream, err := leat.Records(w, r, nil)
	if err != nil {
		return
	}
	stream.Every(every, func() error { return stream.Send(s.climate()) })
}

func (s *sensor) climate() climate {
	s.mu.Lock()
	defer s.mu.Unlock()

	now := s.now()
	passed := max(now.Sub(s.last), 0)
	s.last = now
	return climate{
		Time:        now.UnixMilli(),
		Temperature: round(s.temperature.advance(passed, s.noise()), 2),
		Humidity:    round(min(max(s.humidity.advance(passed, s.noise()), 0), 100), 1),
		Pressure:    round(s.pressure.advance(passed, s.noise()), 2),
	}
}

func round(f float64, decimals int) float64 {
	scale := math.Pow10(decimals)
	return math.Round(f*scale) / scale
}
