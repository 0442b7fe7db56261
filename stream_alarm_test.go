//go:build !race

package leat

import (
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/engine"
)

// A sink is a connection that calls back at once, and takes everything.
type sink struct {
	engine.Conn
	sent int
}

func (c *sink) Send([]byte) error           { c.sent++; return nil }
func (c *sink) Call(fn func(c engine.Conn)) { fn(c) }
func (*sink) SetAlarm(time.Time)            {}

// The race detector, under which it is not built, drops what pools hold.
func TestAnAlarmOfAStreamAllocatesNothing(t *testing.T) {
	c := &sink{}
	s := &Stream{o: &streamTerms{srv: &Server{}, format: &sseFormat}, conn: c, every: time.Hour}
	s.fn = func() error { return s.Send(c) }
	for name, due := range map[string]func(){
		"a record by the clock": func() { s.due = 1 },
		"a heartbeat":           func() { s.o.Heartbeat = 1 },
	} {
		c.sent, s.due, s.o.Heartbeat = 0, 0, 0
		const rings = 100
		n := testing.AllocsPerRun(rings, func() {
			due()
			(*reader)(s).Alarm(c)
		})
		if n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if c.sent != rings+1 { // one to warm up
			t.Errorf("%s: %d are sent, %d want to be", name, c.sent, rings+1)
		}
	}
}
