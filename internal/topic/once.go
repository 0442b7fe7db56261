package topic

import "time"

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

// find answers what the first attempt got.
func (o *onces) find(once string, now time.Time) (Receipt, bool) {
	a, ok := o.of[once]
	return a.receipt, ok && once != "" && now.Sub(a.at) < OnceTime
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
	o.of[once] = attempt{r, now}
	o.order = append(o.order, once)
}
