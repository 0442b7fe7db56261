package leat

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/leat-dev/leat/internal/metrics"
	"github.com/leat-dev/leat/internal/serve"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// Upgrade turns a request into a WebSocket (RFC 6455, 4.2), in any net/http
// handler, over HTTP/1.1. The options may be nil. Headers that have been set for
// the answer go out with it. On an error the request has been answered: 400,
// 403, 405, 426, 500 or 503, with a line that says why.
//
// Pages of other origins are refused, unless webSockets.origins or
// SocketOptions.Origins name them.
func Upgrade(w http.ResponseWriter, r *http.Request, o *SocketOptions) (*Socket, error) {
	return upgradeFor(serverOf(r.Context()), w, r, o, nil)
}

// upgradeFor is Upgrade for a server that need not be the one that leads the request,
// and for a reader of topics, who may be nil.
func upgradeFor(srv *Server, w http.ResponseWriter, r *http.Request, o *SocketOptions, fed *fedSocket) (*Socket, error) {
	x := serve.Of(r.Context())
	if x != nil && x.Refused() {
		return nil, errRefused
	}
	if x != nil && x.Begun() {
		return nil, errBegun
	}
	u := upgrade{srv: srv, x: x, w: w, r: r}
	u.b = u.srv.bounds(x)
	answer := u.decide(o)
	if answer.Status != http.StatusSwitchingProtocols {
		return nil, u.refuse(answer)
	}
	t := o.terms(u.srv, u.b)
	t.opens, t.protocol = u.b.Sockets.Open, answer.Protocol
	s := newSocket(u.srv.settings.take(o.callbacks(), t), answer.Deflate)
	s.from, s.remote = &origin{x: x}, addressOf(r.RemoteAddr)
	if fed != nil {
		s.fed.Store(fed)
	}
	if x == nil || !x.Bare(r.Context()) {
		s.extra().values = context.WithoutCancel(r.Context())
	}
	if refusal := u.enter(s); refusal.Status != 0 {
		return nil, u.refuse(refusal)
	}
	conn, pending, err := u.switchProtocols(s, answer.Header)
	if err != nil {
		s.leave()
		return nil, err
	}
	if x != nil {
		s.entry = x.Entry(r.RemoteAddr)
	}
	if s.o.events() {
		s.from.goroutine = s.from.here()
	}
	s.adopt(conn, pending)
	u.bind(s)
	return s, nil
}

var errBegun = errors.New("leat: Upgrade: the request has been answered already")

// An upgrade is a handshake under way.
type upgrade struct {
	srv *Server
	x   *serve.Exchange
	b   *serve.Bounds
	w   http.ResponseWriter
	r   *http.Request
}

// decide answers the handshake, but for what only this server knows.
func (u *upgrade) decide(o *SocketOptions) ws.Answer {
	r := u.r
	if u.b.Sockets.Disabled {
		return ws.Answer{Status: http.StatusForbidden, Text: "WebSockets are turned off here (webSockets.enable)"}
	}
	policy := o.policy(u.b.Sockets)
	for _, pattern := range policy.Origins {
		if err := ws.CheckOriginPattern(pattern); err != nil {
			return ws.Answer{Status: http.StatusInternalServerError, Text: "the origins that this server allows are wrong: " + err.Error()}
		}
	}
	answer := policy.Decide(ws.Request{
		Method: r.Method, Major: r.ProtoMajor, Minor: r.ProtoMinor, Host: r.Host, Header: r.Header.Values,
	})
	if answer.Status == http.StatusSwitchingProtocols && r.ContentLength != 0 {
		return ws.Answer{Status: http.StatusBadRequest, Text: "the handshake has a body, which would be taken for frames"}
	}
	return answer
}

// refuse answers a handshake that does not become a WebSocket.
func (u *upgrade) refuse(a ws.Answer) error {
	u.srv.counters.SocketsRefused.Add(1)
	u.srv.log.LogAttrs(context.Background(), slog.LevelWarn, metrics.LogRefused,
		slog.String("path", u.r.URL.Path), slog.Int("status", a.Status), slog.String("why", a.Text), slog.String("remote", u.r.RemoteAddr))
	for _, f := range a.Header {
		u.w.Header().Set(f.Name, f.Value)
	}
	if u.r.ContentLength != 0 { // else net/http waits for the body, which may never come
		u.w.Header().Set("Connection", "close")
	}
	serve.Error(u.w, u.r, a.Status, a.Text)
	return errors.New("leat: Upgrade: " + a.Text)
}

// enter counts the socket among those that live, if one more may.
func (u *upgrade) enter(s *Socket) ws.Answer {
	busy := func(text string) ws.Answer {
		return ws.Answer{Status: http.StatusServiceUnavailable, Text: text, Header: []ws.Field{{Name: "Retry-After", Value: "5"}}}
	}
	leave := func() {
		s.o.opens.Add(-1)
		s.o.leave()
	}
	if n, most := s.o.opens.Add(1), u.b.Sockets.Most; most > 0 && n > int64(most) {
		leave()
		return busy("as many WebSockets are open as may be (limits.webSockets)")
	}
	if !enter(u.srv, &u.srv.sockets, s) {
		leave()
		return busy("the server stops")
	}
	u.srv.counters.Sockets.Add(1)
	return ws.Answer{}
}

// switchProtocols takes the connection and answers the handshake.
func (u *upgrade) switchProtocols(s *Socket, fields []ws.Field) (net.Conn, []byte, error) {
	conn, rw, err := http.NewResponseController(u.w).Hijack()
	if err != nil {
		return nil, nil, u.refuse(ws.Answer{
			Status: http.StatusInternalServerError, Text: "a WebSocket cannot be opened here: the connection cannot be taken over (" + err.Error() + ")",
		})
	}
	limitKernel(conn, u.b.SendBuffer, s.o.write)
	beats(conn, s.o.pingEvery)
	if u.x != nil && u.x.Conn() != nil {
		u.x.Conn().Stall(s.o.write)
	}
	pending, _ := rw.Peek(rw.Reader.Buffered()) // it is buffered, so it is there
	if s.o.write > 0 {
		err = conn.SetWriteDeadline(time.Now().Add(s.o.write))
	}
	if err == nil {
		_, err = conn.Write(u.answer(s, fields))
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = conn.Close() // it has failed already
		return nil, nil, writeError(err)
	}
	return conn, slices.Clone(pending), nil
}

// answer is the answer's header, with what others have put into it.
func (u *upgrade) answer(s *Socket, fields []ws.Field) []byte {
	header := u.w.Header()
	for _, name := range []string{
		"Connection", "Upgrade", "Content-Length", "Transfer-Encoding", "Trailer",
		"Sec-Websocket-Accept", "Sec-Websocket-Protocol", "Sec-Websocket-Extensions",
	} {
		header.Del(name)
	}
	seconds := func(name string, d time.Duration) {
		header.Del(name)
		if d > 0 {
			header.Set(name, strconv.Itoa(int((d+time.Second-1)/time.Second)))
		}
	}
	seconds("X-Request-Timeout", s.o.request)
	seconds("X-Inactivity-Timeout", s.o.inactivity)
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	for _, f := range fields {
		b.WriteString(f.Name + ": " + f.Value + "\r\n")
	}
	_ = header.Write(&b) // which makes line breaks harmless; a buffer takes everything
	b.WriteString("\r\n")
	return b.Bytes()
}

// bind settles what the handler's return means: nothing in the event style, else
// the end; and what a panic means: the end, where it can be seen.
func (u *upgrade) bind(s *Socket) {
	if u.x != nil {
		u.x.Take(func() (bool, metrics.Reason, error) { return false, metrics.Done, nil })
	}
	events := s.o.events()
	switch {
	case u.x != nil:
		u.x.AtEnd(func(failure error) {
			switch {
			case failure != nil:
				s.fail(CloseInternal, "the program failed", failure)
			case !events:
				_ = s.CloseWith(CloseNormal, "")
			}
			s.forget()
		})
	case !events:
		s.unbindAtEnd(context.AfterFunc(u.r.Context(), func() { _ = s.CloseWith(CloseNormal, "") }))
	}
}
