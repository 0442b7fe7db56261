package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"time"
)

func pubVerb() verb {
	return verb{
		name:    "pub",
		args:    "URL [MESSAGE...]",
		summary: "publish messages to a topic, or each line of a pipe",
		help: `
    leat pub localhost:4000/live/room.kitchen 'Hello' '{"said":"again"}'
    vmstat -n 1 | leat pub --text localhost:4000/live/machine.vmstat
    leat pub --event said --key ada localhost:4000/live/room.kitchen

Each MESSAGE is one, or without any each line of the input, as it comes. One
that is JSON is published as JSON, else as text, else as bytes. What is there
already goes together, up to 256 lines or 256 KiB, and is published as a whole
or not at all.

When the connection breaks, or the server is busy, the same is sent again under
the same Idempotency-Key, for --retry. A server knows a key for two minutes: what
is tried for longer may be published twice. Any other refusal ends it, and says
which lines have not been published.

The exit code is 0 when all has been published. At Ctrl-C it reads no more, and
sends what waits. A URL without a scheme begins with http://.`,
		setup: newPub,
	}
}

type pubOptions struct {
	topicFlags
	json  bool
	text  bool
	event string
	key   string
	id    bool
	retry durationFlag

	random func() float64
}

func newPub(fs *flag.FlagSet) run {
	o := &pubOptions{retry: durationFlag(time.Minute), random: rand.Float64}
	o.flags(fs)
	return o.run
}

func (o *pubOptions) flags(fs *flag.FlagSet) {
	o.define(fs)
	fs.StringVar(&o.event, "event", "", "the `NAME` of the messages' event")
	fs.BoolVar(&o.id, "id", false, "print the id of the last message at the end")
	fs.BoolVar(&o.json, "json", false, "refuse what is not JSON; empty lines are skipped")
	fs.StringVar(&o.key, "key", "", "the `KEY` of the messages")
	fs.Var(&o.retry, "retry", "the `TIME` to try again for (1m); 0s tries once")
	fs.BoolVar(&o.text, "text", false, "publish as text what looks like JSON, too")
}

// publisher judges the command line.
func (o *pubOptions) publisher(args []string) (*publisher, error) {
	if len(args) == 0 {
		return nil, usageError{errors.New("name a URL, as in: leat pub localhost:4000/live/room.kitchen Hello")}
	}
	if o.json && o.text {
		return nil, usageError{errors.New("--json and --text exclude each other")}
	}
	u, _, err := topicURL(args[0])
	if err != nil {
		return nil, err
	}
	return &publisher{o: o, url: u, client: o.client()}, o.settle()
}

// kind says how a payload is published.
func (o *pubOptions) kind(data []byte) (payloadKind, error) {
	switch {
	case o.json:
		return jsonPayload, checkJSON(data)
	case o.text:
		return textPayload, checkText(data)
	case checkJSON(data) == nil:
		return jsonPayload, nil
	case checkText(data) == nil:
		return textPayload, nil
	}
	return bytesPayload, nil
}

func (o *pubOptions) run(ctx context.Context, std stdio, args []string) error {
	p, err := o.publisher(args)
	if err != nil {
		return err
	}
	defer p.client.CloseIdleConnections()
	signalled, forget := untilSignal(ctx)
	defer forget()

	live := newLiveLine(std, 0)
	p.note = live.note
	q := newPayloads()
	stop := func() {}
	if messages := args[1:]; len(messages) > 0 {
		if err := q.fill(o, messages); err != nil {
			return usageError{err}
		}
	} else {
		typed := isTerminal(std.in)
		if typed && live.terminal != nil {
			live.note("each line is a message; Ctrl-D ends")
		}
		if !typed {
			stop = live.watch((&pubLine{p: p, at: time.Now()}).text)
		}
		go q.read(o, std.in)
		defer context.AfterFunc(signalled, func() { q.end(nil) })()
	}
	err = p.run(signalled, q)
	stop()
	if live.terminal != nil && p.count.Load() > 0 {
		live.note(plural(p.count.Load(), "message", "messages") + " published" + behindID(p.last()))
	}
	if o.id && p.last() != "" {
		if _, bad := fmt.Fprintln(std.out, visible(p.last())); err == nil && bad != nil {
			err = fmt.Errorf("the output: %w", bad)
		}
	}
	return err
}

// A pubLine is what the live line of a publisher says.
type pubLine struct {
	p      *publisher
	before int64
	at     time.Time
}

func (v *pubLine) text() string {
	n, now := v.p.count.Load(), time.Now()
	rate := float64(n-v.before) / now.Sub(v.at).Seconds()
	v.before, v.at = n, now
	text := fmt.Sprintf("%s, %.0f/s%s", plural(n, "message", "messages"), rate, behindID(v.p.last()))
	if state := v.p.state.Load(); state != nil && *state != "" {
		text += ", " + *state
	}
	return text
}
