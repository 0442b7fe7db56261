package load

// A Result is what a load of messages, or of other units of work, has cost.
type Result struct {
	Messages int64 `json:"messages"`
	// CPU is the time that the server's process used for one, in µs; Kernel
	// is the share of it that was spent in the kernel; Own is the load's own.
	CPU    float64 `json:"cpu"`
	Kernel float64 `json:"kernel"`
	Own    float64 `json:"own"`
	Rate   float64 `json:"rate"`   // messages a second
	P50    float64 `json:"p50"`    // µs from sending, or with a Rate from when it was due, to the last byte of the echo
	P99    float64 `json:"p99"`    //
	Memory float64 `json:"memory"` // what the server holds at the end, in bytes
}

// A mark is where the clocks stand.
type mark struct{ time, server, own, user, system int64 }

func markNow(pid int) (m mark) {
	if pid > 0 {
		m.server = cpu(pid)
		m.user, m.system = ticks(pid)
	}
	m.time, m.own = now(), cpu(0)
	return m
}

// spent is what n units of work have cost between two marks.
func spent(begin, end mark, n int64) Result {
	r := Result{Messages: n}
	if n == 0 {
		return r
	}
	r.CPU = float64(end.server-begin.server) / 1e3 / float64(n)
	r.Own = float64(end.own-begin.own) / 1e3 / float64(n)
	if all := end.user - begin.user + end.system - begin.system; all > 0 {
		r.Kernel = float64(end.system-begin.system) / float64(all)
	}
	r.Rate = float64(n) / (float64(end.time-begin.time) / 1e9)
	return r
}
