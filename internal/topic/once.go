package topic

import (
	"crypto/sha256"
	"time"
)

// OnceTime is how long a second attempt to publish is known for what it is.
const OnceTime = 2 * time.Minute

// onceMost is how many attempts are known.
const onceMost = 10_000

// onces are the attempts of the last time.
type onces struct {
	of    map[string]attempt
	order []string
}

type attempt struct {
	receipt Receipt
	at      time.Time
}

// onceLong is how long an attempt's name may be to be kept as it is.
const onceLong = 64

// short is a name that takes little space.
func short(once string) string {
	if len(once) <= onceLong {
		return once
	}
	sum := sha256.Sum256([]byte(once))
	return string(sum[:])
}

// find answers what the first attempt got.
func (o *onces) find(once string, now time.Time) (Receipt, bool) {
	if once == "" {
		return Receipt{}, false
	}
	a, ok := o.of[short(once)]
	return a.receipt, ok && now.Sub(a.at) < OnceTime
}

// keep notes an attempt.
func (o *onces) keep(once string, now time.Time, r Receipt) {
	if once == "" {
		return
	}
	if o.of == nil {
		o.of = map[string]attempt{}
	}
	for len(o.order) > 0 {
		oldest := o.of[o.order[0]]
		if len(o.order) < onceMost && now.Sub(oldest.at) < OnceTime {
			break
		}
		delete(o.of, o.order[0])
		o.order = o.order[1:]
	}
	once = short(once)
	o.of[once] = attempt{r, now}
	o.order = append(o.order, once)
}
