package site

import (
	"testing"
	"time"
)

func TestThisMachineIsPlausible(t *testing.T) {
	s := newSampler(thisMachine(), time.Now)
	for deadline := time.Now().Add(150 * time.Millisecond); time.Now().Before(deadline); {
		// Work: so that the processor has something to show.
	}
	current, base := s.take(nil, 0)
	st := newStatus(base, current)
	if st.Uptime <= 0 {
		t.Errorf("uptime is %d s", st.Uptime)
	}
	if st.CPU == nil || len(st.CPU.Cores) == 0 {
		t.Fatal("no processor")
	}
	if st.CPU.Total <= 0 || st.CPU.Total > 100 {
		t.Errorf("the processor is %v %% busy, while this test keeps it so", st.CPU.Total)
	}
	for i, c := range st.CPU.Cores {
		if c < 0 || c > 100 {
			t.Errorf("core %d is %v %% busy", i, c)
		}
	}
	m := st.Memory
	if m == nil {
		t.Fatal("no memory")
	}
	if m.Total < 64<<20 || m.Used == 0 || m.Used+m.Available != m.Total || m.SwapUsed > m.SwapTotal {
		t.Errorf("memory is %+v", *m)
	}
	if st.Process.Memory < 1<<20 || st.Process.Memory > m.Total || st.Process.Goroutines < 1 {
		t.Errorf("this process is %+v", st.Process)
	}
	if n := st.Network; n != nil && (n.In < 0 || n.Out < 0) {
		t.Errorf("network is %+v", *n)
	}
	if d := st.Disk; d != nil && (d.Read < 0 || d.Write < 0) {
		t.Errorf("disk is %+v", *d)
	}
}

func BenchmarkReading(b *testing.B) {
	read := thisMachine()
	b.ReportAllocs()
	for b.Loop() {
		read()
	}
}
