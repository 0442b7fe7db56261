package load

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// memory is what a process holds, in bytes. Its status would do, too, but says
// it only to within some hundred KiB.
func memory(pid int) int64 { return kibibytes(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Rss:") }

// slab is what the kernel holds for all processes in caches of small objects,
// most of it for sockets where there are many.
func slab() int64 { return kibibytes("/proc/meminfo", "Slab:") }

// kibibytes reads a line like "Slab:   123 kB", in bytes.
func kibibytes(file, name string) int64 {
	b, _ := os.ReadFile(file)
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

// socketBuffers is what the kernel holds in the buffers of all TCP sockets.
func socketBuffers() int64 {
	b, _ := os.ReadFile("/proc/net/sockstat")
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		for i := 1; len(f) > 0 && f[0] == "TCP:" && i < len(f)-1; i += 2 {
			if f[i] == "mem" {
				pages, _ := strconv.ParseInt(f[i+1], 10, 64)
				return pages * int64(os.Getpagesize())
			}
		}
	}
	return 0
}
