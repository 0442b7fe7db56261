package cli

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// A benchReport is what a measurement has found. docs/bench.md describes its JSON.
type benchReport struct {
	URL         string  `json:"url"`
	Protocol    string  `json:"protocol,omitempty"` // "websocket", "sse" or "ndjson"
	Listen      bool    `json:"listen"`
	Size        int64   `json:"size,omitempty"`
	Rate        float64 `json:"rate,omitempty"`
	Seconds     float64 `json:"seconds"`
	Interrupted bool    `json:"interrupted"`

	Connections struct {
		Asked    int           `json:"asked"`
		Opened   int64         `json:"opened"`
		Failed   int           `json:"failed"`
		Failures []reasonCount `json:"failures"`
		Ended    int           `json:"ended"` // before they were closed, in order
		Ends     []reasonCount `json:"ends"`
		Broken   int           `json:"broken"` // the same, not in order
		Breaks   []reasonCount `json:"breaks"`
	} `json:"connections"`
	ConnectMs *benchTimes `json:"connectMs"`

	Messages struct {
		Sent       int64         `json:"sent"`
		Unsent     int64         `json:"unsent"` // that were due
		Echoed     int64         `json:"echoed"`
		Wrong      int           `json:"wrong"`
		Wrongs     []reasonCount `json:"wrongs"`
		Unanswered int64         `json:"unanswered"`
		Received   int64         `json:"received"`
		Comments   int64         `json:"comments"`
		Unreadable int64         `json:"unreadable"`
	} `json:"messages"`
	PerSecond float64 `json:"perSecond"`
	Bytes     struct {
		In  int64 `json:"in"`
		Out int64 `json:"out"`
	} `json:"bytes"`

	LatencyMs *benchTimes   `json:"latencyMs,omitempty"`
	BetweenMs *benchTimes   `json:"betweenMs,omitempty"`
	Histogram []benchBucket `json:"histogram"`

	echoing bool
}

// benchTimes sum up durations, in milliseconds.
type benchTimes struct {
	Min float64 `json:"min"`
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`

	all *histogram
}

// A benchBucket is how many durations lie below a bound, and not below that of
// the one before.
type benchBucket struct {
	BelowMs float64 `json:"belowMs"`
	Count   int64   `json:"count"`
}

func newBenchReport(l *load) *benchReport {
	m, sum := l.measured, l.sum()
	r := &benchReport{
		URL: withoutPassword(l.target), Listen: l.o.listen || l.stream, echoing: l.echoing(),
		Seconds: round((m.to - m.from).Seconds(), 3), Interrupted: l.interrupted,
		ConnectMs: newBenchTimes(&l.connect), Histogram: []benchBucket{},
	}
	switch kind := l.streams.kind.Load(); {
	case kind != nil:
		r.Protocol = *kind
	case !l.stream:
		r.Protocol = socketKind
	}
	c := &r.Connections
	c.Asked, c.Opened = l.o.connections, l.opened.Load()
	c.Failed, c.Failures = l.failures.sum(), l.failures.list()
	c.Ended, c.Ends = l.ends.sum(), l.ends.list()
	c.Broken, c.Breaks = l.breaks.sum(), l.breaks.list()

	n := &r.Messages
	n.Sent, n.Echoed = sum.sent, sum.right
	n.Wrong, n.Wrongs = l.wrong.sum(), l.wrong.list()
	n.Unanswered = max(0, sum.sent-sum.echoes)
	n.Received, n.Comments, n.Unreadable = sum.received, sum.comments, sum.unreadable
	r.Bytes.In, r.Bytes.Out = l.bytes()

	times := l.times()
	counted := m.received
	if r.echoing {
		counted = m.right
		r.Size, r.Rate = int64(l.o.size), l.o.rate
		r.LatencyMs = newBenchTimes(times)
		if r.Rate > 0 && r.Seconds > 0 {
			n.Unsent = max(0, int64((m.to-m.from-overdue).Seconds()*r.Rate)-sum.sent)
		}
	} else {
		r.BetweenMs = newBenchTimes(times)
	}
	if r.Seconds > 0 {
		r.PerSecond = round(float64(counted)/r.Seconds, 1)
	}
	for _, row := range times.rows() {
		r.Histogram = append(r.Histogram, benchBucket{ms(row.below), row.count})
	}
	return r
}

// overdue is how late a message must be to count as one that could not be sent.
const overdue = 10 * time.Millisecond

// newBenchTimes is nil where there are none.
func newBenchTimes(h *histogram) *benchTimes {
	if h.count.Load() == 0 {
		return nil
	}
	return &benchTimes{
		Min: ms(h.least()), P50: ms(h.quantile(0.5)), P90: ms(h.quantile(0.9)),
		P99: ms(h.quantile(0.99)), Max: ms(h.most()), all: h,
	}
}

func ms(d time.Duration) float64 { return round(float64(d)/float64(time.Millisecond), 4) }

func round(v float64, places int) float64 {
	p := math.Pow10(places)
	return math.Round(v*p) / p
}

// verdict is the error that the measurement ends with, if any.
func (r *benchReport) verdict() error {
	var faults []string
	c, m := &r.Connections, &r.Messages
	fault := func(n int64, one, many string) {
		switch {
		case n == 1:
			faults = append(faults, one)
		case n > 1:
			faults = append(faults, fmt.Sprintf(many, n))
		}
	}
	if c.Opened == 0 && c.Failed > 0 {
		return errors.New("no connection could be opened")
	}
	fault(int64(c.Failed), "1 connection could not be opened", "%d connections could not be opened")
	fault(int64(c.Broken), "1 connection did not end in order", "%d connections did not end in order")
	fault(int64(m.Wrong), "1 echo was wrong", "%d echoes were wrong")
	fault(m.Unreadable, "1 record could not be read", "%d records could not be read")
	switch {
	case r.Interrupted: // echoes may have been on their way
	case r.mute():
		faults = append(faults, "no echo came; name an address that echoes, or listen with --listen")
	default:
		fault(m.Unanswered, "1 message had no echo", "%d messages had no echo")
	}
	if faults == nil {
		return nil
	}
	return errors.New(strings.Join(faults, "; "))
}

// mute says whether the address does not echo, and does nothing else that would
// be why none came.
func (r *benchReport) mute() bool {
	return r.Connections.Ended+r.Connections.Broken == 0 && r.Messages.Sent > 0 && r.Messages.Echoed == 0 && r.Messages.Wrong == 0
}

// write writes the report for people.
func (r *benchReport) write(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-12s %s", name, fmt.Sprintf(format, args...)), " ") + "\n")
	}
	reasons := func(list []reasonCount) {
		for _, why := range list {
			line("", "%6d × %s", why.Count, why.Reason)
		}
	}
	c, m := &r.Connections, &r.Messages
	b.WriteString(r.title() + "\n\n")
	line("connections", "%d asked, %d opened, %d failed", c.Asked, c.Opened, c.Failed)
	reasons(c.Failures)
	if n := c.Ended + c.Broken; n > 0 {
		line("ended early", "%d", n)
		reasons(c.Breaks)
		reasons(c.Ends)
	}
	if t := r.ConnectMs; t != nil {
		line("connecting", "p50 %s  p99 %s  max %s", short(t.P50), short(t.P99), short(t.Max))
	}
	switch {
	case c.Opened == 0:
	case r.echoing:
		r.writeEchoes(line)
		reasons(m.Wrongs)
	default:
		text := fmt.Sprintf("%d", m.Received)
		if m.Comments > 0 {
			text += fmt.Sprintf(", and %s", plural(m.Comments, "heartbeat or comment", "heartbeats or comments"))
		}
		if m.Unreadable > 0 {
			text += fmt.Sprintf("; %d could not be read", m.Unreadable)
		}
		line(r.things(), "%s", text)
		line("rate", "%s %s/s", decimal(r.PerSecond), r.things())
		line("bytes", "%s in", bytesText(float64(r.Bytes.In)))
	}
	times, name := r.LatencyMs, "latency"
	if times == nil {
		times, name = r.BetweenMs, "in between"
	}
	if times != nil {
		line(name, "min %s  p50 %s  p90 %s  p99 %s  max %s", short(times.Min), short(times.P50), short(times.P90), short(times.P99), short(times.Max))
		b.WriteString("\n" + r.plot())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *benchReport) writeEchoes(line func(name, format string, args ...any)) {
	m := &r.Messages
	text := fmt.Sprintf("%d sent, %d echoed, %d wrong", m.Sent, m.Echoed, m.Wrong)
	if m.Unanswered > 0 {
		text += fmt.Sprintf(", %d without an echo", m.Unanswered)
	}
	line("messages", "%s", text)
	if m.Unsent > 0 {
		line("", "%d were due and could not be sent", m.Unsent)
	}
	if m.Received > 0 {
		line("", "%s", plural(m.Received, "message came that was no echo", "messages came that were no echoes"))
	}
	line("rate", "%s echoes/s", decimal(r.PerSecond))
	line("bytes", "%s in, %s out", bytesText(float64(r.Bytes.In)), bytesText(float64(r.Bytes.Out)))
}

// title says what was measured.
func (r *benchReport) title() string {
	text := r.URL
	if r.Seconds > 0 {
		text += fmt.Sprintf(", %s s", decimal(r.Seconds))
	}
	switch {
	case r.echoing && r.Rate > 0:
		text += fmt.Sprintf(", %s messages/s of %s", decimal(r.Rate), bytesText(float64(r.Size)))
	case r.echoing:
		text += fmt.Sprintf(", messages of %s, each after the echo of the last", bytesText(float64(r.Size)))
	case r.Protocol == sseKind:
		text += ", a stream of events"
	case r.Protocol == ndjsonKind:
		text += ", a stream of records"
	}
	if r.Interrupted {
		text += " (interrupted)"
	}
	return text
}

// things are what is received.
func (r *benchReport) things() string {
	return map[string]string{socketKind: "messages", sseKind: "events", ndjsonKind: "records"}[r.Protocol]
}

// plotWidth is how many columns the longest bar has.
const plotWidth = 40

// plot draws the histogram.
func (r *benchReport) plot() string {
	var most, all int64
	for _, row := range r.Histogram {
		most, all = max(most, row.Count), all+row.Count
	}
	var b strings.Builder
	for _, row := range r.Histogram {
		bar := strings.Repeat("#", int(math.Ceil(float64(row.Count)*plotWidth/float64(most))))
		fmt.Fprintf(&b, "  < %-6s %6.2f %%  %s\n", short(row.BelowMs), 100*float64(row.Count)/float64(all), bar)
	}
	return strings.ReplaceAll(b.String(), "  \n", "\n")
}

// short is a time in milliseconds with three digits.
func short(ms float64) string {
	d := time.Duration(math.Round(ms * float64(time.Millisecond)))
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}

// decimal is a number with no more digits than it needs.
func decimal(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return strings.TrimSuffix(strings.TrimSuffix(fmt.Sprintf("%.2f", v), "0"), ".0")
}

// bytesText is a number of bytes in the units of web.json5.
func bytesText(v float64) string {
	for _, unit := range []string{"bytes", "KB", "MB", "GB"} {
		if v < 1000 || unit == "GB" {
			return decimal(v) + " " + unit
		}
		v /= 1024
	}
	return ""
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
