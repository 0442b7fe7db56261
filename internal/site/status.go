package site

import (
	"cmp"
	"math"
	"runtime"
	"slices"
)

// A status is one record of /api/machine, and of the topic machine. What this system does not tell is
// left out.
type status struct {
	Time    int64     `json:"time"`   // milliseconds since 1970
	Host    string    `json:"host"`   //
	System  string    `json:"system"` // as linux/amd64
	Uptime  int64     `json:"uptime"` // seconds since boot
	Over    float64   `json:"over"`   // seconds that the rates are averaged over
	CPU     *load     `json:"cpu,omitempty"`
	Load    []float64 `json:"load,omitempty"` // over 1, 5 and 15 minutes
	Memory  *memory   `json:"memory,omitempty"`
	Network *netRate  `json:"network,omitempty"`
	Disk    *diskRate `json:"disk,omitempty"`
	Process process   `json:"process"`
}

// load is use in percent.
type load struct {
	Total float64   `json:"total"`
	Cores []float64 `json:"cores"`
}

// netRate is bytes a second.
type netRate struct {
	In  int64 `json:"in"`
	Out int64 `json:"out"`
}

// diskRate is bytes a second.
type diskRate struct {
	Read  int64 `json:"read"`
	Write int64 `json:"write"`
}

// process is this server.
type process struct {
	Memory     uint64 `json:"memory,omitempty"` // resident bytes
	Goroutines int    `json:"goroutines"`
}

// A part is a topic of the machine, and what of a record goes there.
type part struct {
	topic string
	of    func(*status) (data any, told bool)
}

// parts are the whole record, and each of its parts.
var parts = []part{
	{"machine", func(s *status) (any, bool) { return s, true }},
	{"machine.cpu", func(s *status) (any, bool) { return s.CPU, s.CPU != nil }},
	{"machine.load", func(s *status) (any, bool) { return s.Load, s.Load != nil }},
	{"machine.memory", func(s *status) (any, bool) { return s.Memory, s.Memory != nil }},
	{"machine.network", func(s *status) (any, bool) { return s.Network, s.Network != nil }},
	{"machine.disk", func(s *status) (any, bool) { return s.Disk, s.Disk != nil }},
	{"machine.process", func(s *status) (any, bool) { return s.Process, true }},
}

func newStatus(base, current *reading) *status {
	over := current.at.Sub(base.at).Seconds()
	s := &status{
		Time:    current.at.UnixMilli(),
		System:  runtime.GOOS + "/" + runtime.GOARCH,
		Uptime:  int64(current.uptime.Seconds()),
		Over:    math.Round(over*1000) / 1000,
		CPU:     use(base.cores, current.cores),
		Load:    current.load,
		Memory:  current.memory,
		Process: process{Memory: current.process, Goroutines: runtime.NumGoroutine()},
	}
	if in, out, ok := rates(base.network, current.network, over); ok {
		s.Network = &netRate{In: in, Out: out}
	}
	if read, written, ok := rates(base.disk, current.disk, over); ok {
		s.Disk = &diskRate{Read: read, Write: written}
	}
	return s
}

// use compares the cores that both readings have: one may have gone offline.
func use(base, current map[string]busy) *load {
	if len(current) == 0 {
		return nil
	}
	type core struct{ order, percent float64 }
	var cores []core
	var used, whole float64
	for name, now := range current {
		before, ok := base[name]
		if !ok {
			continue
		}
		u, w := now.used-before.used, now.whole-before.whole
		used, whole = used+u, whole+w
		cores = append(cores, core{float64(now.order), percent(u, w)})
	}
	slices.SortFunc(cores, func(a, b core) int { return cmp.Compare(a.order, b.order) })
	l := &load{Total: percent(used, whole), Cores: make([]float64, len(cores))}
	for i, c := range cores {
		l.Cores[i] = c.percent
	}
	return l
}

// percent is used of whole with one decimal. Counters of waiting may run
// backwards a little (proc(5), /proc/stat), so the result is kept in 0 to 100.
func percent(used, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return math.Round(min(max(used/whole, 0), 1)*1000) / 10
}

// rates adds up what flowed through each counter, per second. A counter that
// is new or started anew counts from the next reading on.
func rates(base, current map[string]flow, seconds float64) (in, out int64, ok bool) {
	if current == nil {
		return 0, 0, false
	}
	if seconds <= 0 {
		return 0, 0, true
	}
	var sum flow
	for name, now := range current {
		before, known := base[name]
		if !known || now.in < before.in || now.out < before.out {
			continue
		}
		sum.in += now.in - before.in
		sum.out += now.out - before.out
	}
	perSecond := func(n uint64) int64 { return int64(math.Round(float64(n) / seconds)) }
	return perSecond(sum.in), perSecond(sum.out), true
}
