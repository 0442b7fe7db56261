package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"time"

	"github.com/leat-dev/leat"
)

func connectVerb() verb {
	return verb{
		name:    "connect",
		args:    "URL",
		summary: "talk to a WebSocket from the terminal, or from a pipe",
		help: `
    leat connect localhost:4000/ws/echo
    echo hello | leat connect --wait 5s wss://example.com/questions
    leat connect --wait 24h wss://example.com/feed </dev/null >>feed.log

On a terminal each line that is typed is sent as a text, and what comes stands
behind a <. Ctrl-C and Ctrl-D close.

From a pipe each line is sent as a text, or with --binary what is read at a
time as a binary message. The messages that come go to stdout: texts with a
newline behind each, binary ones as they are. After the end of the input leat
closes when nothing has come for --wait. All else that is to be said goes to
stderr. On a terminal characters that could control it are escaped, and binary
messages are shown as hex.

The exit code is 0 after a close in order with code 1000, 1001 or none. It is 1
after any other code, or no close, or when something could not be sent.

A URL without a scheme begins with ws://, and http and https mean ws and wss.`,
		setup: newConnect,
	}
}

type connectOptions struct {
	requestFlags
	binary bool
	ping   durationFlag
	wait   durationFlag
}

func newConnect(fs *flag.FlagSet) run {
	o := &connectOptions{wait: durationFlag(time.Second)}
	o.define(fs)
	fs.BoolVar(&o.binary, "binary", false, "send binary messages")
	fs.Var(&o.ping, "ping", "send a ping every `TIME`, as 10s, and say how long its pong took")
	fs.Var(&o.wait, "wait", "the `TIME` without a message after which a pipe that has ended closes (1s)")
	return o.run
}

func (o *connectOptions) run(ctx context.Context, std stdio, args []string) error {
	switch {
	case len(args) == 0:
		return usageError{errors.New("name a URL, as in: leat connect localhost:4000/ws/echo")}
	case len(args) > 1:
		return usageError{fmt.Errorf("%q is one argument too many; to send a text write: echo %[1]q | leat connect %s", args[1], args[0])}
	}
	target := socketURL(args[0])
	t := newTalk(std, o)
	s, err := leat.Dial(ctx, target, o.dialOptions(t))
	if err != nil {
		return fmt.Errorf("%s%s", visible(err.Error()), o.hint(err))
	}
	return t.run(ctx, s, target)
}

// silence is what a server may take at least before it is found silent, however
// often it is pinged.
const silence = 2 * time.Second

func (o *connectOptions) dialOptions(t *talk) *leat.DialOptions {
	d := &leat.DialOptions{
		SocketOptions: leat.SocketOptions{
			Message:    t.receive,
			Pong:       t.pong,
			Protocols:  o.protocols.split(),
			Inactivity: leat.Never,
			Request:    leat.Never,
			// Messages are shown as they come, so that one may be of any size.
			MaxMessage: leat.Unlimited,
			MaxPacket:  64 << 10,
		},
		Header: http.Header(o.header),
		TLS:    o.tls(),
	}
	if o.ping > 0 {
		// These are the library's pings, behind our own: they are sent where
		// nothing has come, and end the connection of a server that is silent.
		d.PingEvery = max(2*time.Duration(o.ping), silence)
	}
	return d
}
