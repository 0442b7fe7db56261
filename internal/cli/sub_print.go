package cli

import (
	"bufio"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
)

// A printer prints records, a line each.
type printer struct {
	json   bool  // whole records
	most   int64 // messages after which there is enough; 0 is never
	escape bool  // the output is a terminal, which they must not control
	out    *bufio.Writer
	note   func(text string)

	count atomic.Int64 // of messages
}

// take prints a record, or says what it means.
func (p *printer) take(r *record) error {
	switch {
	case p.json:
		if err := p.line(string(r.raw)); err != nil {
			return err
		}
	case r.Control == "":
		if err := p.line(r.line()); err != nil {
			return err
		}
	default:
		if text := r.sentence(); text != "" {
			if err := p.flush(); err != nil { // what came before stands before
				return err
			}
			p.note(text)
		}
	}
	if r.Control == "" && p.count.Add(1) == p.most {
		return errEnough
	}
	return nil
}

// line buffers a line.
func (p *printer) line(text string) error {
	if p.escape {
		text = visible(text)
	}
	_, _ = p.out.WriteString(text)
	if err := p.out.WriteByte('\n'); err != nil { // or one before
		return p.flush()
	}
	return nil
}

// flush writes what is buffered. That nobody reads any more is enough.
func (p *printer) flush() error {
	switch err := p.out.Flush(); {
	case errors.Is(err, syscall.EPIPE):
		return errEnough
	case err != nil:
		return finalError{fmt.Errorf("the output: %w", err)}
	}
	return nil
}
