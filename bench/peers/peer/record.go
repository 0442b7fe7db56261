package peer

import (
	"fmt"
	"net/http"
	"time"
)

// A Record is what every stream sends.
type Record struct {
	N       int     `json:"n"`
	Sensor  string  `json:"sensor"`
	Celsius float64 `json:"celsius"`
	Note    string  `json:"note"`
}

// NewRecord makes the n-th of a stream, n from 0.
func NewRecord(n int) Record {
	return Record{n, fmt.Sprintf("boiler-%d", n%7), float64(20+n%60) + .5, "a record of a stream, as long as those of a sensor usually are"}
}

// Every is how often a reader wants a record, by its URL: ?every=20ms. The first
// comes at once. The default is a second.
func Every(r *http.Request) time.Duration {
	if d, err := time.ParseDuration(r.URL.Query().Get("every")); err == nil && d > 0 {
		return d
	}
	return time.Second
}
