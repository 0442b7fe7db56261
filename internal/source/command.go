package source

import (
	"context"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"
)

// A command is the program of a source, from life to life.
type command struct {
	*Source
	lines  *cutter
	stderr sampler // over all lives: one that fails and fails does not fill the log
}

func newCommand(s *Source) *command {
	return &command{Source: s, lines: s.lines(), stderr: sampler{burst: 20, every: 10 * time.Second}}
}

const (
	maxStderr = 1 << 10                // of a line of standard error, in the log
	linger    = time.Second            // for output of a command that has ended
	glance    = 10 * time.Millisecond  // between looks at a group that is ending
	reaped    = 500 * time.Millisecond // for what was killed to be gone
)

// live starts the command and answers how it ended. When it does, the rest of
// its group ends too, so that there is never one life beside another.
func (c *command) live(ctx context.Context) error {
	cmd := exec.Command(c.Command[0], c.Command[1:]...)
	cmd.SysProcAttr = ownGroup()
	var out outputs
	defer out.close()
	var err error
	if cmd.Stdout, err = out.pipe(c.lines); err != nil {
		return err
	}
	if cmd.Stderr, err = out.pipe(c.complaints()); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	drained := out.read()
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()

	var why error
	select {
	case why = <-exited:
		if !there(cmd.Process) {
			break
		}
		select { // who filters its output may not be through yet
		case <-drained:
		case <-time.After(linger):
		case <-ctx.Done():
		}
		c.endGroup(cmd.Process, nil)
	case <-ctx.Done():
		if !c.endGroup(cmd.Process, exited) {
			c.Log.Error(LogStays, "pid", cmd.Process.Pid) // it has rights that this process has not
		}
	}
	select {
	case <-drained:
	case <-time.After(linger):
		c.Log.Warn(LogKept)
		out.close()
		<-drained
	}
	if more := c.stderr.rest(); more > 0 {
		c.Log.Info(LogStderr, "more", more)
	}
	c.restOfLong()
	return why
}

// endGroup asks the group of p to end, and makes it after a while. It answers
// whether p has ended, which exited tells; it is nil where p has. The group's
// number cannot be another's as long as one of them is there.
func (c *command) endGroup(p *os.Process, exited <-chan error) bool {
	alive := exited != nil
	terminate(p)
	late := time.NewTimer(c.grace)
	defer late.Stop()
	look := time.NewTicker(glance)
	defer look.Stop()
	for killed := false; alive || there(p); {
		select {
		case <-exited: //nolint:errcheck // ctx is done, so nobody asks how
			alive = false
		case <-look.C:
		case <-late.C:
			if killed {
				return !alive
			}
			killed = true
			kill(p)
			late.Reset(reaped)
		}
	}
	return true
}

// complaints brings lines of standard error to the log, but not all of many.
func (c *command) complaints() *cutter {
	say := func(line string) {
		if more, ok := c.stderr.take(); ok {
			c.Log.Info(LogStderr, "line", line, "more", more)
		}
	}
	return &cutter{
		max:  maxStderr,
		line: func(b []byte) { say(string(b)) },
		long: func(begin []byte) { say(string(begin[:maxStderr]) + "…") },
	}
}

// outputs are the pipes of a command.
type outputs struct {
	near []*os.File // that are read
	far  []*os.File // that the command has got
	to   []*cutter
}

// pipe answers what the command is to write to, for it to come to c.
func (o *outputs) pipe(c *cutter) (io.Writer, error) {
	near, far, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	o.near, o.far, o.to = append(o.near, near), append(o.far, far), append(o.to, c)
	return far, nil
}

// read begins to read, after the start. What it answers is closed when there is
// no one any more who could write, or after close.
func (o *outputs) read() <-chan struct{} {
	for _, f := range o.far {
		_ = f.Close() // the command has its own
	}
	o.far = nil
	var all sync.WaitGroup
	for i, f := range o.near {
		all.Go(func() {
			for buf, err := make([]byte, 32<<10), error(nil); err == nil; {
				var n int
				n, err = f.Read(buf)
				_, _ = o.to[i].Write(buf[:n]) // it takes all
			}
			o.to[i].Flush()
		})
	}
	drained := make(chan struct{})
	go func() {
		all.Wait()
		close(drained)
	}()
	return drained
}

// close may be called again.
func (o *outputs) close() {
	for _, f := range slices.Concat(o.near, o.far) {
		_ = f.Close() // it may have been
	}
}
