// Package enginetest is the suite that every engine passes.
package enginetest

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/engine"
)

// patience is how long a test waits for what must come. It is only spent when
// the engine is wrong.
const patience = 20 * time.Second

// Test holds an engine to its contract.
func Test(t *testing.T, e engine.Engine) {
	for name, test := range map[string]func(*testing.T, engine.Engine){
		"everything sent arrives once and in order":              inOrder,
		"what is given is sent as what is copied":                given,
		"what is held back waits for a flush":                    heldBack,
		"as many parts as may be arrive as one":                  anyParts,
		"senders at the same time do not mix their bytes":        whole,
		"a stopped reader costs no more than the budget":         budget,
		"what is larger than the budget is refused as such":      tooLarge,
		"one above the budget is taken, and one only":            above,
		"one above the budget waits until its last byte":         partly,
		"there is room again while a long write lasts":           progress,
		"what is written is told, and nothing else":              told,
		"after the end there is no room":                         noRoom,
		"what is urgent goes at once when nothing waits":         urgentAlone,
		"what is urgent goes with what its callback sends":       urgentPass,
		"what is urgent and what waits leave in one write":       urgentOnce,
		"what is urgent passes a unit that is not begun":         urgentPasses,
		"what is urgent goes between the next two units":         urgentBetween,
		"what is urgent goes between writes without units":       urgentPlain,
		"what is urgent goes before what an end sends":           urgentEnd,
		"what is urgent passes what the system took part of":     urgentCut,
		"an urge that has nothing to say writes nothing":         urgentNothing,
		"whatever is urgent at whatever time, units stay whole":  urgentRandom,
		"what is urgent again and again leaves units whole":      urgentAgain,
		"what is urgent leaves units whole that went in part":    urgentParts,
		"nothing is lost beside an Ahead that gives nothing":     urgentEmpty,
		"what is offered arrives once and in order":              offered,
		"what is offered and sent and urgent keeps its order":    offeredMixed,
		"whoever offers whatever beside whom, units stay whole":  offeredRandom,
		"what is offered while something waits is not taken":     offeredBehind,
		"what is offered while Ahead is owed is not taken":       offeredOwed,
		"what is offered may be offered from Wrote":              offeredInWrote,
		"what is offered may be offered from a callback":         offeredInCall,
		"the rest of what is offered counts as what waits":       offeredBudget,
		"what is offered is not changed and comes before an end": offeredEnd,
		"once offers are closed none is taken, and Sends go on":  offeredClosed,
		"once the end has begun no offer is taken":               offeredLate,
		"a reader that takes nothing of an offer ends it":        offeredStall,
		"who offers is not called back":                          offeredHolding,
		"what one callback sends leaves in one write":            onePass,
		"a slow callback's bytes do not wait for it":             slowCallback,
		"a flush writes what a callback has sent":                flush,
		"a hang-up is seen while a callback runs":                hangup,
		"the alarm rings once for each time it is set":           alarm,
		"the alarm rings while a callback runs":                  alarmAtOnce,
		"an alarm set at any time rings":                         alarmAnyTime,
		"an alarm that is far away holds nobody up":              alarmFar,
		"an alarm that asks for the past holds nobody up":        alarmPast,
		"callbacks do not overlap":                               overlap,
		"calls are made in their order":                          callOrder,
		"a call that blocks holds up its own connection only":    callBlocks,
		"once the end has begun no call is made":                 noCall,
		"a callback that panics ends its own connection only":    panics,
		"whichever callback panics ends the connection":          panicsAnywhere,
		"a callback that ends its goroutine ends as a panic":     goexit,
		"an Into that panics or gives nothing harms no other":    intoBadly,
		"what was read before comes first":                       pending,
		"a peer that sends much is read in order":                much,
		"a peer is read while a large answer is written":         largeAnswer,
		"a peer is read while its answers wait":                  manyAnswers,
		"a reader that takes nothing ends the connection":        stall,
		"a slow reader that goes on reading is kept":             slowReader,
		"a reader that takes a little now and then is kept":      sipper,
		"a half-closed peer still gets the end":                  halfClosed,
		"a reset ends the connection":                            reset,
		"an end sends what waits, then the last, then FIN":       end,
		"an end comes about whatever is sent beside it":          endBeside,
		"an end that Wrote begins comes about":                   endByWrote,
		"Closed waits for Wrote":                                 closedBehindWrote,
		"an end does not wait for ever for its peer":             linger,
		"an end waits for a peer that was sending much":          lingerMuch,
		"an end that drips is given up by an alarm and an abort": endGivenUp,
		"an abort frees a write under way":                       abort,
		"no alarm rings after closed":                            alarmTooLate,
		"the beginning of the end is told at once":               ending,
		"bytes that a failed write may still read are left":      failedWrite,
		"whatever races, closed comes once and last":             races,
		"nothing is left of connections that ended":              leaves,
	} {
		t.Run(name, func(t *testing.T) { test(t, e) })
	}
}

// A peer is the other end of a connection, and its handler.
type peer struct {
	t      *testing.T
	far    *net.TCPConn
	conn   engine.Conn
	into   func() []byte
	data   func(engine.Conn, []byte)
	hangup func(engine.Conn)
	wrote  func(c engine.Conn, n, left int)
	alarm  func(engine.Conn)
	ahead  func(dst []byte) []byte
	ending func(c engine.Conn, reason error)
	closed chan error

	endings, closes atomic.Int32
	inside          atomic.Int32 // callbacks but Closed
}

// enter notes that a callback runs, and answers what notes its end.
func (p *peer) enter() func() {
	p.inside.Add(1)
	if p.closes.Load() != 0 {
		p.t.Error("a callback after Closed")
	}
	return func() { p.inside.Add(-1) }
}

func (p *peer) Into() []byte {
	defer p.enter()()
	if p.into != nil {
		return p.into()
	}
	return nil
}

func (p *peer) Data(c engine.Conn, b []byte) {
	defer p.enter()()
	if p.data != nil {
		p.data(c, b)
	}
}

func (p *peer) Hangup(c engine.Conn) {
	defer p.enter()()
	if p.hangup != nil {
		p.hangup(c)
	}
}

func (p *peer) Wrote(c engine.Conn, n, left int) {
	defer p.enter()()
	if p.wrote != nil {
		p.wrote(c, n, left)
	}
}

func (p *peer) Ahead(_ engine.Conn, dst []byte) []byte {
	defer p.enter()()
	if p.ahead != nil {
		return p.ahead(dst)
	}
	return dst
}

func (p *peer) Alarm(c engine.Conn) {
	defer p.enter()()
	if p.alarm != nil {
		p.alarm(c)
	}
}

func (p *peer) Ending(c engine.Conn, reason error) {
	defer p.enter()()
	p.endings.Add(1)
	if p.ending != nil {
		p.ending(c, reason)
	}
}

func (p *peer) Closed(_ engine.Conn, reason error) {
	if p.inside.Load() != 0 {
		p.t.Error("Closed while a callback runs")
	}
	if n := p.endings.Load(); n != 1 {
		p.t.Errorf("Ending came %d times before Closed", n)
	}
	if p.closes.Add(1) == 1 {
		p.closed <- reason
	}
}

// adopt connects p over loopback TCP; its callbacks are set before.
func (p *peer) adopt(t *testing.T, e engine.Engine, o *engine.Options, pending ...byte) *peer {
	t.Helper()
	near, far := connect(t)
	return p.over(t, e, near, far, o, pending...)
}

func (p *peer) over(t *testing.T, e engine.Engine, near engine.Link, far *net.TCPConn, o *engine.Options, pending ...byte) *peer {
	t.Helper()
	if o.Budget == 0 {
		o = &engine.Options{Budget: 1 << 20, Most: o.Most, Stall: o.Stall, Unit: o.Unit}
	}
	p.t, p.far, p.closed = t, far, make(chan error, 1)
	p.conn = e.Adopt(near, pending, p, o)
	t.Cleanup(func() {
		_ = far.Close() // the test may have closed it
		p.conn.Abort(nil)
	})
	return p
}

func connect(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return s.(*net.TCPConn), c.(*net.TCPConn)
}

// reason waits for the end and answers its reason.
func (p *peer) reason() error {
	p.t.Helper()
	return await(p.t, "Closed", p.closed)
}

// read reads n bytes at the far end.
func (p *peer) read(n int) []byte {
	p.t.Helper()
	b := make([]byte, n)
	_ = p.far.SetReadDeadline(time.Now().Add(patience)) // a TCP connection takes deadlines
	if k, err := io.ReadFull(p.far, b); err != nil {
		p.t.Fatalf("read %d of %d bytes: %v", k, n, err)
	}
	return b
}

// rest reads the far end to its end.
func (p *peer) rest() ([]byte, error) {
	_ = p.far.SetReadDeadline(time.Now().Add(patience)) // as above
	return io.ReadAll(p.far)
}

func (p *peer) send(b []byte) {
	p.t.Helper()
	if err := p.conn.Send(b); err != nil {
		p.t.Errorf("Send: %v", err)
	}
}

func await[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}
