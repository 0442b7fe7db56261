package topic

import (
	"fmt"
	"runtime"
	"testing"
)

func TestABatchCostsAsMuchAsItHas(t *testing.T) {
	const topics, each = 8, 20_000
	h := NewHub(Options{
		Encoders: []func(*Message) []byte{func(*Message) []byte { return nil }}, Pumps: 1,
		Rule: func(string) *Rule { return &Rule{Count: topics * each} },
	})
	defer h.Close()
	for i := range topics * each {
		if _, err := h.Publish([]Entry{{Topic: fmt.Sprint("t", i%topics)}}, ""); err != nil {
			t.Fatal(err)
		}
	}
	sub, _ := h.Subscribe(Terms{Patterns: []string{">"}}, Start{History: History{Last: All}})
	defer sub.Leave()
	var b batch
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const rounds = 20
	for range rounds {
		b = sub.v.next(sub.place, sub.v.logs, h.seq, true)
	}
	runtime.ReadMemStats(&after)
	bytes := int(after.TotalAlloc-before.TotalAlloc) / rounds //nolint:gosec // far from the most
	if n := len(b.messages); n == 0 || n > batchMost || !b.more {
		t.Errorf("it has %d messages", n)
	}
	if bytes > 4*8*batchMost {
		t.Errorf("it takes %d bytes to find %d messages", bytes, len(b.messages))
	}
	for i, m := range b.messages {
		if m.Seq != uint64(i+1) { //nolint:gosec // small
			t.Fatalf("%d is at %d", m.Seq, i)
		}
	}
}
