package serve

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxRanges is the number of ranges of one request above which the whole file
// is sent (RFC 9110, 14.2: many small ranges may be ignored).
const maxRanges = 32

// fileRequest is r as [http.ServeContent] understands it right: conditions
// that were sent in several lines stand in one (RFC 9110, 5.3), and Range is
// there only when it is to be obeyed.
func fileRequest(r *http.Request, size int64) *http.Request {
	var h http.Header
	set := func(name string, values ...string) {
		if h == nil {
			h = maps.Clone(r.Header)
		}
		h[name] = values
	}
	for _, name := range []string{"If-Match", "If-None-Match"} {
		if lines := r.Header.Values(name); len(lines) > 1 {
			set(name, strings.Join(lines, ", "))
		}
	}
	if lines := r.Header.Values("Range"); len(lines) > 0 {
		obeyed := ""
		// Only GET has ranges (RFC 9110, 14.2).
		if r.Method == http.MethodGet && len(lines) == 1 {
			obeyed = obeyedRange(lines[0], size)
		}
		if obeyed == "" {
			set("Range")
		} else if obeyed != lines[0] {
			set("Range", obeyed)
		}
	}
	if h == nil {
		return r
	}
	fixed := *r
	fixed.Header = h
	return &fixed
}

// A span is a range of bytes, the last one included.
type span struct{ first, last int64 }

// obeyedRange is the Range header without what is to be ignored, empty when
// that is all: another unit, an error of syntax, more ranges or overlaps than
// an honest client asks for. When all ranges lie behind the end of the file it
// is one that does, for the answer 416.
func obeyedRange(header string, size int64) string {
	unit, list, ok := strings.Cut(header, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(unit), "bytes") || size == 0 {
		return ""
	}
	var spans []span
	n := 0
	for spec := range strings.SplitSeq(list, ",") {
		spec = strings.Trim(spec, " \t")
		if spec == "" { // an empty member of a list is no member (RFC 9110, 5.6.1)
			continue
		}
		if n++; n > maxRanges {
			return ""
		}
		s, ok := parseSpan(spec, size)
		if !ok {
			return ""
		}
		if s.first < size && s.first <= s.last {
			spans = append(spans, s)
		}
	}
	switch {
	case n == 0 || wasteful(spans):
		return ""
	case len(spans) == 0:
		return fmt.Sprintf("bytes=%d-", size)
	}
	specs := make([]string, len(spans))
	for i, s := range spans {
		specs[i] = fmt.Sprintf("%d-%d", s.first, s.last)
	}
	return "bytes=" + strings.Join(specs, ",")
}

// wasteful says whether more than two of the spans overlap.
func wasteful(spans []span) bool {
	sorted := slices.SortedFunc(slices.Values(spans), func(a, b span) int { return cmp.Compare(a.first, b.first) })
	overlaps, end := 0, int64(-1)
	for _, s := range sorted {
		if s.first <= end {
			overlaps++
		}
		end = max(end, s.last)
	}
	return overlaps > 1
}

// parseSpan reads "first-last", "first-" or "-suffix" (RFC 9110, 14.1.1). A
// span that cannot be satisfied starts behind its end or the file's.
func parseSpan(spec string, size int64) (span, bool) {
	from, to, ok := strings.Cut(spec, "-")
	if !ok {
		return span{}, false
	}
	if from == "" {
		n, ok := parseOffset(to)
		return span{max(0, size-n), size - 1}, ok
	}
	first, ok := parseOffset(from)
	if !ok || to == "" {
		return span{first, size - 1}, ok
	}
	last, ok := parseOffset(to)
	return span{first, min(last, size-1)}, ok && first <= last
}

// parseOffset reads digits; a number too large for a file is the largest.
func parseOffset(s string) (int64, bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return math.MaxInt64, s != ""
	}
	return n, true
}
