package serve

import (
	"strconv"
	"strings"
)

// A coding is a content coding that files are kept in beside the plain one.
type coding struct {
	name   string // in Accept-Encoding and Content-Encoding
	suffix string // of the file's name
}

// codings are in the order of preference: the smallest first.
var codings = [...]coding{{"br", ".br"}, {"zstd", ".zst"}, {"gzip", ".gz"}}

// acceptable returns the codings that a client takes and rather has than the
// plain bytes, its most wanted first; of equals the smaller (RFC 9110, 12.5.3).
// A client that sends no Accept-Encoding gets plain bytes.
func acceptable(header []string) []coding {
	if len(header) == 0 {
		return nil
	}
	weights := parseWeights(header)
	identity := -1 // acceptable, but after all that is listed
	if q, listed := weights.of("identity"); listed {
		identity = q
	}
	var out []coding
	var qs []int
	for _, c := range codings {
		q, listed := weights.of(c.name)
		if !listed || q == 0 || q < identity {
			continue
		}
		at := len(out)
		for at > 0 && qs[at-1] < q {
			at--
		}
		out = append(out[:at], append([]coding{c}, out[at:]...)...)
		qs = append(qs[:at], append([]int{q}, qs[at:]...)...)
	}
	return out
}

// weights are the q-values of a header in thousandths.
type weights map[string]int

func (w weights) of(name string) (q int, listed bool) {
	if q, listed = w[name]; !listed {
		q, listed = w["*"]
	}
	return q, listed
}

// parseWeights reads the list "name;q=0.5, …". A member that is malformed is
// left out: a client that cannot be understood gets plain bytes.
func parseWeights(header []string) weights {
	w := weights{}
	for _, line := range header {
		for member := range strings.SplitSeq(line, ",") {
			name, parameter, weighted := strings.Cut(member, ";")
			name = strings.ToLower(strings.Trim(name, " \t"))
			if name == "x-gzip" { // RFC 9110, 8.4.1.3
				name = "gzip"
			}
			q, ok := 1000, true
			if weighted {
				q, ok = parseWeight(strings.Trim(parameter, " \t"))
			}
			if name != "" && ok {
				w[name] = q
			}
		}
	}
	return w
}

// parseWeight reads "q=" and a number from 0 to 1 with at most three decimals
// (RFC 9110, 12.4.2).
func parseWeight(s string) (thousandths int, ok bool) {
	if len(s) < 3 || s[0]|0x20 != 'q' || s[1] != '=' {
		return 0, false
	}
	whole, decimals, _ := strings.Cut(s[2:], ".")
	if whole != "0" && whole != "1" || len(decimals) > 3 {
		return 0, false
	}
	n, err := strconv.ParseUint(whole+decimals+"000"[len(decimals):], 10, 16)
	return int(n), err == nil && n <= 1000
}
