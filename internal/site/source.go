package site

import (
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	sysload "github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/net"
	sysproc "github.com/shirou/gopsutil/v4/process"
)

// thisMachine returns the reader of this machine's counters. What cannot be
// read is left out of the reading. The reader may not be called twice at once.
func thisMachine() func() *reading {
	self, err := sysproc.NewProcess(int32(os.Getpid()))
	if err != nil {
		self = nil
	}
	disks := wholeDisks{}
	return func() *reading {
		return &reading{
			uptime:  uptime(),
			cores:   cores(),
			load:    loads(),
			memory:  memoryUse(),
			network: traffic(),
			disk:    disks.transfers(),
			process: resident(self),
		}
	}
}

func uptime() time.Duration {
	seconds, err := host.Uptime()
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

func cores() map[string]busy {
	times, err := cpu.Times(true)
	if err != nil || len(times) == 0 {
		return nil
	}
	m := make(map[string]busy, len(times))
	for i, t := range times {
		// The kernel counts guests as user time as well: they stay out.
		used := t.User + t.Nice + t.System + t.Irq + t.Softirq + t.Steal
		m[t.CPU] = busy{order: i, used: used, whole: used + t.Idle + t.Iowait}
	}
	return m
}

func loads() []float64 {
	avg, err := sysload.Avg()
	if err != nil || runtime.GOOS == "windows" { // where it has no such thing
		return nil
	}
	return []float64{avg.Load1, avg.Load5, avg.Load15}
}

func memoryUse() *memory {
	v, err := mem.VirtualMemory()
	if err != nil {
		return nil
	}
	m := &memory{Total: v.Total, Available: v.Available, Used: v.Total - min(v.Available, v.Total)}
	if swap, err := mem.SwapMemory(); err == nil {
		m.SwapTotal, m.SwapUsed = swap.Total, swap.Used
	}
	return m
}

// inner are the beginnings of the names of interfaces whose bytes do not leave
// the machine, or leave it through another interface that counts them too.
var inner = []string{"lo0", "loopback", "veth", "br", "docker", "virbr", "ifb", "cni", "cali", "flannel", "tun", "tap", "utun", "wg", "awdl", "llw"}

func traffic() map[string]flow {
	all, err := net.IOCounters(true)
	if err != nil {
		return nil
	}
	m := make(map[string]flow, len(all))
	for _, n := range all {
		if n.Name != "lo" && !hasAnyPrefix(strings.ToLower(n.Name), inner) {
			m[n.Name] = flow{in: n.BytesRecv, out: n.BytesSent}
		}
	}
	return m
}

// wholeDisks remembers which devices are disks of their own: partitions, loops
// and mapped devices would count the same bytes twice.
type wholeDisks map[string]bool

var mapped = []string{"loop", "ram", "zram", "dm-", "md", "sr", "fd"}

func (w wholeDisks) transfers() map[string]flow {
	all, err := disk.IOCounters()
	if err != nil {
		return nil
	}
	m := make(map[string]flow, len(all))
	for name, d := range all {
		whole, known := w[name]
		if !known {
			whole = isWholeDisk(name)
			w[name] = whole
		}
		if whole {
			m[name] = flow{in: d.ReadBytes, out: d.WriteBytes}
		}
	}
	return m
}

func isWholeDisk(name string) bool {
	if runtime.GOOS != "linux" {
		return true
	}
	if hasAnyPrefix(name, mapped) {
		return false
	}
	// Every disk has a folder here; a partition's lies inside its disk's.
	_, err := os.Stat("/sys/block/" + name)
	return err == nil
}

func resident(self *sysproc.Process) uint64 {
	if self == nil {
		return 0
	}
	info, err := self.MemoryInfo()
	if err != nil {
		return 0
	}
	return info.RSS
}

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
