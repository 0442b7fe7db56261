package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/leat-dev/leat"
)

// streams are the connections of a load that are responses in progress.
type streams struct {
	l       *load
	client  *http.Client
	ctx     context.Context // of all requests
	cancel  context.CancelFunc
	readers sync.WaitGroup
	kind    atomic.Pointer[string] // of the latest
}

// What a load's connections are.
const (
	socketKind = "websocket"
	sseKind    = "sse"
	ndjsonKind = "ndjson"
)

var streamKinds = map[string]string{
	"text/event-stream":    sseKind,
	"application/x-ndjson": ndjsonKind,
	"application/ndjson":   ndjsonKind,
	"application/jsonl":    ndjsonKind,
}

func (ss *streams) init(l *load) {
	ss.l = l
	ss.ctx, ss.cancel = context.WithCancel(context.Background())
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     l.o.tls(),
		Protocols:           new(http.Protocols),
		DisableCompression:  true,
		MaxIdleConnsPerHost: -1,
		WriteBufferSize:     1 << 10,
	}
	t.Protocols.SetHTTP1(true) // which has a connection for each stream
	ss.client = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// get opens one, and has it read until it ends.
func (ss *streams) get(ctx context.Context, c *counts) error {
	streaming, cancel := context.WithCancelCause(ss.ctx)
	late := time.AfterFunc(patience, func() { cancel(errPatience) })
	defer late.Stop()
	unbind := context.AfterFunc(ctx, func() { cancel(ctx.Err()) })
	defer unbind()
	resp, kind, err := ss.ask(streaming)
	if err == nil && (!late.Stop() || !unbind()) {
		_ = resp.Body.Close() // it is being cancelled already
		<-streaming.Done()
		err = context.Cause(streaming)
	}
	if err != nil {
		if cause := context.Cause(streaming); cause != nil {
			err = cause
		}
		cancel(nil)
		return err
	}
	ss.kind.Store(&kind)
	ss.readers.Go(func() {
		defer cancel(nil)
		defer resp.Body.Close()
		ss.read(resp.Body, kind, c)
	})
	return nil
}

// ask makes the request, whose answer is a stream.
func (ss *streams) ask(ctx context.Context) (resp *http.Response, kind string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, ss.l.target, nil)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Accept", "text/event-stream, application/x-ndjson")
	req.Header.Set("User-Agent", "leat/"+leat.Version)
	for name, values := range ss.l.o.header {
		req.Header[name] = values
		if name == "Host" {
			req.Host = values[0]
		}
	}
	if resp, err = ss.client.Do(req); err != nil {
		return nil, "", err
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")) // "" is none of them
	if kind = streamKinds[media]; resp.StatusCode == http.StatusOK && kind != "" {
		return resp, kind, nil
	}
	defer resp.Body.Close()
	return nil, "", &notStream{status: resp.StatusCode, text: refusalText(resp, media)}
}

// A notStream is the error of an answer that is no stream.
type notStream struct {
	status int
	text   string
}

func (e *notStream) Error() string { return e.text }

// refusalText says what the answer is, and what would be right.
func refusalText(resp *http.Response, media string) string {
	text := fmt.Sprintf("the answer is %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	field := resp.Header.Get
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		return fmt.Sprintf("the answer is %s, and no stream of text/event-stream or application/x-ndjson", cmp.Or(media, "of no type"))
	case code/100 == 3 && field("Location") != "":
		return fmt.Sprintf("%s; redirects are not followed: read %q", text, field("Location"))
	case code == http.StatusUpgradeRequired, field("Sec-WebSocket-Version") != "", strings.EqualFold(field("Upgrade"), "websocket"):
		text += "; a WebSocket's URL begins with ws://"
	case field("Retry-After") != "":
		text += fmt.Sprintf("; try again after %q", field("Retry-After"))
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // what came is better than nothing
	line, _, _ := bytes.Cut(bytes.TrimSpace(body), []byte("\n"))
	line = bytes.TrimSpace(line)
	if n := len(line); n > 0 && n <= 200 && utf8.Valid(line) && line[0] != '<' && !bytes.ContainsFunc(line, unicode.IsControl) {
		text += fmt.Sprintf("; it says %q", line)
	}
	return text
}

// status is that of an answer which has opened nothing, 0 for none.
func status(err error) int {
	var refused *leat.DialError
	var other *notStream
	var answer *topicRefusal
	switch {
	case errors.As(err, &refused):
		return refused.Status
	case errors.As(err, &other):
		return other.status
	case errors.As(err, &answer):
		return answer.status
	}
	return 0
}

// read counts the records of a stream until it ends.
func (ss *streams) read(body io.Reader, kind string, c *counts) {
	in := &markedReader{in: body, c: c, kind: kind, begins: true}
	var last time.Duration
	var pending error // the last is that of the end
	record := func(err error) {
		if pending != nil {
			c.unreadable.Add(1)
		}
		if pending = err; err != nil || ss.l.in(over) {
			return
		}
		now := ss.l.now()
		if last > 0 {
			c.times.add(now - last)
		}
		last = now
		c.received.Add(1)
	}
	if kind == sseKind {
		for _, err := range leat.ReadEvents(in) {
			record(err)
		}
	} else {
		for _, err := range leat.ReadRecords(in) {
			record(err)
		}
	}
	if !ss.l.in(over) {
		if pending != nil {
			ss.l.breaks.add("the stream broke off: " + reason(pending))
		} else {
			ss.l.ends.add("the server ended the stream")
		}
	}
	ss.l.left()
}

// A markedReader counts bytes and the lines that readers skip: comments of SSE,
// which begin with a colon, and empty lines of NDJSON.
type markedReader struct {
	in     io.Reader
	c      *counts
	kind   string
	begins bool // a line
}

func (r *markedReader) Read(b []byte) (int, error) {
	n, err := r.in.Read(b)
	r.c.bytesIn.Add(int64(n))
	for rest := b[:n]; len(rest) > 0; {
		if r.begins && (r.kind == sseKind && rest[0] == ':' || r.kind == ndjsonKind && (rest[0] == '\n' || rest[0] == '\r')) {
			r.c.comments.Add(1)
		}
		end := bytes.IndexByte(rest, '\n')
		if r.begins = end >= 0; !r.begins {
			break
		}
		rest = rest[end+1:]
	}
	return n, err
}

// close ends all and waits for their readers.
func (ss *streams) close() {
	if ss.cancel == nil {
		return
	}
	ss.cancel()
	ss.readers.Wait()
	ss.client.CloseIdleConnections()
}
