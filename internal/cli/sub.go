package cli

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func subVerb() verb {
	return verb{
		name:    "sub",
		args:    "URL [TOPIC...]",
		summary: "print what is published to a topic, whatever the connection does",
		help: `
    leat sub localhost:4000/live/machine.cpu
    leat sub --history last localhost:4000/live/ 'room.*' 'machine.>'
    leat sub --json --since k3f9x2ab-17 https://example.com/live/orders >>orders

Each message is a line: JSON as it was published, text as it is or as a JSON
string where it has line ends itself, bytes in base64. With --json a line is the
whole record. TOPICs are more topics, or patterns of them: * stands for one word
of a name, and a last > for one or more.

When the connection breaks it comes back, after a random time that grows up to
30 s, or when the server says, and goes on behind the last message. What is
missing all the same is told on stderr, as everything is that is no message; with
--json it is a record. An answer that another attempt would get again ends it.

The exit code is 0 after --count messages, after --for, at Ctrl-C, and when
nobody reads the output any more. A URL without a scheme begins with http://, and
one with ws:// means --transport websocket.`,
		setup: newSub,
	}
}

type subOptions struct {
	topicFlags
	transport string
	topics    listFlag
	events    listFlag
	history   string
	since     string
	maxRate   float64
	count     int64
	duration  durationFlag
	json      bool
	once      bool

	random func() float64
}

func newSub(fs *flag.FlagSet) run {
	o := &subOptions{random: rand.Float64}
	o.flags(fs)
	return o.run
}

func (o *subOptions) flags(fs *flag.FlagSet) {
	o.define(fs)
	fs.Int64Var(&o.count, "count", 0, "end after this `NUMBER` of messages")
	fs.Var(&o.events, "event", "get only messages with this event `NAME`, '' for those without; may be given again")
	fs.Var(&o.duration, "for", "end after this `TIME`, as 10s")
	fs.StringVar(&o.history, "history", "", "begin with the `LAST` messages: a number, last (one of each key) or all")
	fs.BoolVar(&o.json, "json", false, "print whole records, and control records")
	fs.Float64Var(&o.maxRate, "max-rate", 0, "get at most this `NUMBER` of messages a second of each key, the latest")
	fs.BoolVar(&o.once, "once", false, "do not come back when the connection ends")
	fs.StringVar(&o.since, "since", "", "go on behind the message with this `ID`")
	fs.Var(&o.topics, "topic", "one more topic, or `PATTERN`; may be given again")
	fs.StringVar(&o.transport, "transport", "", "the `NAME` of the transport: ndjson, sse or websocket (ndjson)")
}

// subscribe judges the command line.
func (o *subOptions) subscribe(args []string) (*subscription, error) {
	if len(args) == 0 {
		return nil, usageError{errors.New("name a URL, as in: leat sub localhost:4000/live/machine.cpu")}
	}
	u, socket, err := topicURL(args[0])
	if err != nil {
		return nil, err
	}
	if o.transport == "" {
		o.transport = ndjsonKind
		if socket {
			o.transport = socketKind
		}
	}
	_, isHistory := strconv.ParseUint(o.history, 10, 31)
	switch names := []string{ndjsonKind, sseKind, socketKind}; {
	case !slices.Contains(names, o.transport):
		return nil, usageError{fmt.Errorf("--transport %q is not one of %s%s", o.transport, strings.Join(names, ", "), didYouMean(o.transport, names))}
	case isHistory != nil && !slices.Contains([]string{"", "none", "last", "all"}, o.history):
		return nil, usageError{fmt.Errorf("--history %q is no number, and not one of none, last, all", o.history)}
	case !(o.maxRate >= 0 && o.maxRate <= math.MaxInt32):
		return nil, usageError{errors.New("--max-rate must be above 0")}
	case o.count < 0:
		return nil, usageError{errors.New("--count must be 1 or more")}
	case strings.ContainsFunc(o.since, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, usageError{fmt.Errorf("--since %q is no id", o.since)}
	}
	q := u.Query()
	for _, name := range []string{"bare", "stats", "wait"} {
		if q.Has(name) {
			return nil, usageError{fmt.Errorf("?%s is not for leat sub, which needs the records; curl -N reads it", name)}
		}
	}
	if o.topics, err = topicNames(append(o.topics, args[1:]...)); err != nil {
		return nil, err
	}
	o.query(q)
	u.RawQuery = q.Encode()
	return &subscription{topicFlags: o.topicFlags, transport: o.transport, target: u.String(), client: o.client()}, o.settle()
}

// topicNames judges names of topics.
func topicNames(names []string) ([]string, error) {
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, "/ ") {
			return nil, usageError{fmt.Errorf("%q is not the name of a topic; there is one URL, and behind it names as machine.cpu or room.*", name)}
		}
	}
	return names, nil
}

// query puts the flags into the URL's query.
func (o *subOptions) query(q url.Values) {
	q["topic"] = append(q["topic"], o.topics...)
	q["event"] = append(q["event"], o.events...)
	if o.history != "" {
		q.Set("history", o.history)
	}
	if o.maxRate > 0 {
		q.Set("maxRate", strconv.FormatFloat(o.maxRate, 'f', -1, 64))
	}
	if o.transport == sseKind {
		q.Set("envelope", "")
	}
}

func (o *subOptions) run(ctx context.Context, std stdio, args []string) error {
	s, err := o.subscribe(args)
	if err != nil {
		return err
	}
	defer s.client.CloseIdleConnections()
	signalled, forget := untilSignal(ctx)
	defer forget()
	if o.duration > 0 {
		var stop context.CancelFunc
		signalled, stop = context.WithTimeout(signalled, time.Duration(o.duration))
		defer stop()
	}
	defer outlivePipe()()

	live := newLiveLine(std, 0)
	p := &printer{json: o.json, most: o.count, escape: isTerminal(std.out), out: bufio.NewWriterSize(live, 64<<10), note: live.note}
	f := &follower{
		open: s.open, take: p.take, flush: p.flush, note: live.note, explain: s.explain,
		once: o.once, pauses: backoff{random: o.random},
	}
	f.moveTo(o.since)
	stop := live.watch((&subLine{p: p, f: f, at: time.Now()}).text)
	err = f.run(signalled)
	if late := p.flush(); err == nil && !errors.Is(late, errEnough) {
		err = late
	}
	stop()
	if live.terminal != nil {
		live.note(plural(p.count.Load(), "message", "messages") + behindID(f.position()))
	}
	var final finalError
	if errors.As(err, &final) {
		return final.error
	}
	return err
}

// outlivePipe has writes to a pipe that nobody reads fail, where they would kill.
func outlivePipe() (restore func()) {
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, syscall.SIGPIPE)
	return func() { signal.Stop(ignored) }
}

// behindID names a position, if there is one.
func behindID(id string) string {
	if id == "" {
		return ""
	}
	return ", last id " + visible(id)
}

// A subLine is what the live line of a subscription says.
type subLine struct {
	p      *printer
	f      *follower
	before int64
	at     time.Time
}

func (v *subLine) text() string {
	n, now := v.p.count.Load(), time.Now()
	rate := float64(n-v.before) / now.Sub(v.at).Seconds()
	v.before, v.at = n, now
	return fmt.Sprintf("%s, %.0f/s%s, %s", plural(n, "message", "messages"), rate, behindID(v.f.position()), *v.f.state.Load())
}
