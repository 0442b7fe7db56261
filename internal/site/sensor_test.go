package site

import (
	"math"
	"testing"
	"time"
)

func TestSensorWandersAboutItsMeanAtEveryInterval(t *testing.T) {
	for _, every := range []time.Duration{shortest, 2 * time.Second, longest} {
		t.Run(every.String(), func(t *testing.T) {
			s := newSensor()
			now := time.Unix(1e9, 0)
			s.now = func() time.Time { return now }
			sign := 1.0
			s.noise = func() float64 { sign = -sign; return sign } // one deviation up, one down
			for range 2000 {
				c := s.climate()
				if math.Abs(c.Temperature-21.5) > 4 || math.Abs(c.Humidity-46) > 15 || math.Abs(c.Pressure-1013.2) > 8 {
					t.Fatalf("it strays: %+v", c)
				}
				now = now.Add(every)
			}
		})
	}
}

func TestSensorIsTheSameForReadersAtTheSameMoment(t *testing.T) {
	s := newSensor()
	now := time.Unix(1e9, 0)
	s.now = func() time.Time { return now }
	if a, b := s.climate(), s.climate(); a != b {
		t.Errorf("it says %+v, then %+v", a, b)
	}
	now = now.Add(-time.Hour) // the clock is set back
	if c := s.climate(); math.IsNaN(c.Temperature) {
		t.Errorf("it says %+v", c)
	}
}
