package conf

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"
	"time"

	"github.com/leat-dev/leat/internal/json5"
)

// A quantity is a kind of number with units.
type quantity struct {
	name    string           // "a size"
	units   map[string]int64 // in base units; "" is a number alone
	max     int64
	none    string            // the word for no bound
	zero    bool              // whether 0 may be written
	example string            // the hint when nothing better is known
	better  map[string]string // by first letter: a unit for the hint
}

var sizeUnits = map[string]int64{
	"": 1, "byte": 1, "bytes": 1, "k": 1 << 10, "kb": 1 << 10, "m": 1 << 20, "mb": 1 << 20, "g": 1 << 30, "gb": 1 << 30,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30,
}

var timeUnits = map[string]int64{
	"":   int64(time.Second),
	"ms": int64(time.Millisecond),
	"s":  int64(time.Second), "sec": int64(time.Second), "secs": int64(time.Second), "second": int64(time.Second), "seconds": int64(time.Second),
	"min": int64(time.Minute), "mins": int64(time.Minute), "minute": int64(time.Minute), "minutes": int64(time.Minute),
	"hr": int64(time.Hour), "hrs": int64(time.Hour), "hour": int64(time.Hour), "hours": int64(time.Hour),
	"day": 24 * int64(time.Hour), "days": 24 * int64(time.Hour),
	"week": 7 * 24 * int64(time.Hour), "weeks": 7 * 24 * int64(time.Hour),
	"month": 30 * 24 * int64(time.Hour), "months": 30 * 24 * int64(time.Hour),
	"year": 365 * 24 * int64(time.Hour), "years": 365 * 24 * int64(time.Hour),
}

var (
	sizes = quantity{
		name: "a size", units: sizeUnits, max: math.MaxInt64, none: "unlimited",
		example: "write 64KB or 65536", better: map[string]string{"k": "KB", "m": "MB", "g": "GB", "b": " bytes"},
	}
	counts = quantity{
		name: "a number", units: sizeUnits, max: math.MaxInt, none: "unlimited",
		example: "write 1000, or 'unlimited'",
	}
	times = quantity{
		name: "a duration", units: timeUnits, max: math.MaxInt64, none: "never",
		example: "write '30 secs', '5 mins', '2 hrs' or 'never'",
		better: map[string]string{
			"s": " secs", "m": " mins", "h": " hrs", "d": " days", "w": " weeks", "y": " years", "mo": " months", "ms": "ms", "mil": "ms",
		},
	}
)

// orZero is q where 0 may be written too.
func orZero(q quantity) *quantity {
	q.zero = true
	return &q
}

// unbounded are the words for no bound; each is right for every quantity.
var unbounded = map[string]bool{"unlimited": true, "infinite": true, "infinity": true, "never": true, "forever": true}

var amountSyntax = regexp.MustCompile(`^([+-]?[0-9]+(?:\.[0-9]+)?|[+-]?\.[0-9]+)\s*([\pLµ%]*)$`)

// amount reads v as a whole number of q's base units; -1 means no bound. ok
// is false if it is none, which has then been reported.
func (q *quantity) amount(v val) (n int64, ok bool) {
	switch v.Kind {
	case json5.Number:
		if math.IsInf(v.Number, 1) && !strings.ContainsAny(v.Text, "0123456789") {
			return Unlimited, true
		}
		return q.check(v, v.rational(), "")
	case json5.String:
		text := strings.ToLower(strings.TrimSpace(v.Text))
		if unbounded[text] {
			return Unlimited, true
		}
		if m := amountSyntax.FindStringSubmatch(text); m != nil && len(text) < 80 {
			number, _ := new(big.Rat).SetString(m[1])
			return q.check(v, number, m[2])
		}
	default:
	}
	v.wrong(q.example, "%s is not %s", v.quote(), q.name)
	return 0, false
}

// rational is the exact value of a number; nil is one that no quantity has.
func (v val) rational() *big.Rat {
	if f := math.Abs(v.Number); f > 1e30 || f < 1e-30 && f != 0 || f != f {
		return nil
	}
	text := strings.TrimPrefix(strings.TrimSuffix(v.Text, "."), "+")
	text = strings.Replace(text, ".e", ".0e", 1)
	number, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil
	}
	return number
}

func (q *quantity) check(v val, number *big.Rat, unit string) (n int64, ok bool) {
	size, known := q.units[unit]
	switch {
	case !known:
		q.unknownUnit(v, number, unit)
		return 0, false
	case number == nil:
		v.wrong(q.example, "%s is not %s", v.quote(), q.name)
		return 0, false
	}
	number = new(big.Rat).Mul(number, new(big.Rat).SetInt64(size))
	switch {
	case number.Sign() < 0:
		v.wrong(fmt.Sprintf("write '%s' for no limit", q.none), "%s is negative", v.quote())
	case number.Sign() == 0 && !q.zero:
		v.wrong(fmt.Sprintf("write '%s' for no limit", q.none), "0 would allow nothing")
	case !number.IsInt():
		v.wrong(q.example, "%s is not a whole number", v.quote())
	case number.Cmp(new(big.Rat).SetInt64(q.max)) > 0:
		v.wrong(fmt.Sprintf("write '%s' for no limit", q.none), "%s is too much", v.quote())
	default:
		return number.Num().Int64(), true
	}
	return 0, false
}

// unknownUnit proposes the unit that was probably meant.
func (q *quantity) unknownUnit(v val, number *big.Rat, unit string) {
	better := ""
	for _, n := range []int{3, 2, 1} {
		if len(unit) >= n {
			better = cmp.Or(better, q.better[unit[:n]])
		}
	}
	text := number.FloatString(9)
	text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	switch {
	case better == "":
		v.wrong(q.example, "%s is not %s", v.quote(), q.name)
	case q.units["ms"] != 0 && unit == "m":
		v.wrong(fmt.Sprintf("write '%s mins'", text), "%s is not a duration, for m means mega", v.quote())
	case q.units["ms"] != 0:
		v.wrong(fmt.Sprintf("write '%s%s'", text, better), "%s is not %s", v.quote(), q.name)
	default:
		size := new(big.Rat).Mul(number, new(big.Rat).SetInt64(q.units[strings.ToLower(strings.TrimSpace(better))]))
		v.wrong(fmt.Sprintf("write %s%s or %s", text, better, strings.TrimRight(strings.TrimRight(size.FloatString(3), "0"), ".")), "%s is not %s", v.quote(), q.name)
	}
}
