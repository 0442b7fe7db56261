package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/leat-dev/leat"
)

// A subscription opens feeds of a topic, by one transport.
type subscription struct {
	topicFlags
	transport string // ndjsonKind, sseKind or socketKind
	target    string
	client    *http.Client
}

// mediaTypes are what the transports ask for.
var mediaTypes = map[string]string{ndjsonKind: "application/x-ndjson", sseKind: "text/event-stream"}

// resume is the field that names the last id (the HTML standard, 9.2.4).
const resume = "Last-Event-ID"

func (s *subscription) open(ctx context.Context, since string) (feed, error) {
	if s.transport == socketKind {
		return s.dial(ctx, since)
	}
	ctx, cancel := context.WithCancel(ctx)
	f, err := s.get(ctx, since)
	if err != nil {
		cancel()
		return nil, err
	}
	f.cancel = cancel
	return f, nil
}

func (s *subscription) get(ctx context.Context, since string) (*responseFeed, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.target, nil)
	if err != nil {
		return nil, err
	}
	s.fill(req)
	req.Header.Set("Accept", mediaTypes[s.transport])
	if since != "" {
		req.Header.Set(resume, since)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")) // "" is none of them
	if resp.StatusCode != http.StatusOK || streamKinds[media] != s.transport {
		defer drained(resp)
		return nil, refused(resp, media)
	}
	return &responseFeed{body: resp.Body, kind: s.transport}, nil
}

// A responseFeed is a response in progress, of NDJSON or SSE.
type responseFeed struct {
	body   io.ReadCloser
	kind   string
	cancel context.CancelFunc
}

func (f *responseFeed) records(heard func()) iter.Seq2[json.RawMessage, error] {
	in := &tap{f.body, heard}
	if f.kind == ndjsonKind {
		return leat.ReadRecords(in)
	}
	return func(yield func(json.RawMessage, error) bool) {
		for e, err := range leat.ReadEvents(in) {
			raw := json.RawMessage(e.Text())
			if err == nil && !json.Valid(raw) {
				err = errors.New("its data is not JSON: " + beginning(e.Text()))
			}
			if !yield(raw, err) {
				return
			}
		}
	}
}

func (f *responseFeed) ping() {} // it is for the server to beat

func (f *responseFeed) close() {
	f.cancel()
	_ = f.body.Close() // of what is read no more
}

// A tap tells of what is read.
type tap struct {
	in    io.Reader
	heard func()
}

func (t *tap) Read(b []byte) (int, error) {
	n, err := t.in.Read(b)
	if n > 0 {
		t.heard()
	}
	return n, err
}

// largestRecord is how large a message may be that comes by a WebSocket.
const largestRecord = 16 << 20

func (s *subscription) dial(ctx context.Context, since string) (feed, error) {
	header := http.Header(s.header).Clone()
	if since != "" {
		header.Set(resume, since)
	}
	f := &socketFeed{alive: make(chan struct{}, 1)}
	alive := func(*leat.Socket, []byte) { f.heard() }
	dialing, stop := context.WithTimeoutCause(ctx, patience, errPatience)
	defer stop()
	var err error
	f.socket, err = leat.Dial(dialing, socketURL(s.target), &leat.DialOptions{
		SocketOptions: leat.SocketOptions{
			Ping: alive, Pong: alive,
			Inactivity: leat.Never,
			Request:    leat.Never,
			MaxMessage: largestRecord,
		},
		Header: header,
		TLS:    s.tls(),
	})
	if err != nil {
		return nil, err
	}
	f.ctx, f.cancel = context.WithCancel(ctx)
	return f, nil
}

// A socketFeed is a WebSocket.
type socketFeed struct {
	socket *leat.Socket
	ctx    context.Context // of reading
	cancel context.CancelFunc
	alive  chan struct{} // has one for pings and pongs
}

func (f *socketFeed) heard() {
	select {
	case f.alive <- struct{}{}:
	default:
	}
}

func (f *socketFeed) records(heard func()) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		go func() {
			for {
				select {
				case <-f.alive:
					heard()
				case <-f.ctx.Done():
					return
				}
			}
		}()
		for {
			m, err := f.socket.Read(f.ctx)
			if err != nil {
				_ = yield(nil, f.end(err)) // the last
				return
			}
			heard()
			raw := json.RawMessage(strings.Clone(string(m.Data)))
			if m.Type != leat.TextMessage || !json.Valid(raw) {
				err = errors.New("it is not JSON: " + beginning(string(raw)))
			}
			if !yield(raw, err) {
				return
			}
		}
	}
}

// leaving finds in the reason of a close with 1001 when to come back.
var leaving = regexp.MustCompile(`^retry in (\d{1,7}) ms$`)

// end is the error of a socket's end.
func (f *socketFeed) end(err error) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	code, reason := f.socket.CloseStatus(), f.socket.CloseReason()
	if m := leaving.FindStringSubmatch(reason); m != nil && code == leat.CloseGoingAway {
		in, _ := time.ParseDuration(m[1] + "ms") // digits
		return &comeBack{in, "the server stops"}
	}
	text, err := closeText(code, reason)
	switch {
	case err != nil:
		return err
	case code == leat.CloseNormal, code == leat.CloseNoStatus:
		return errEnd
	}
	return errors.New("the server closed with " + text)
}

func (f *socketFeed) ping() { _ = f.socket.Ping(nil) } // a socket that has ended says so elsewhere

// farewell is how long a server may take to answer a close.
const farewell = time.Second

func (f *socketFeed) close() {
	_ = f.socket.Close() // its code can be sent
	late := time.NewTimer(farewell)
	defer late.Stop()
	select {
	case <-f.socket.Done():
	case <-late.C:
	}
	f.cancel()
}
