package leat

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/leat-dev/leat/internal/wire/ws"
)

// DialOptions say how Dial opens a socket, and how the socket behaves. The zero
// value is useful.
type DialOptions struct {
	SocketOptions
	// Header goes with the request: Authorization, Cookie, Origin, Host and the
	// like. What the handshake itself writes is refused here.
	Header http.Header
	// TLS is for wss URLs, and for proxies whose URL begins with https. The
	// zero configuration trusts what the system trusts.
	TLS *tls.Config
	// Proxy chooses the proxy for a request, whose URL has http where Dial's
	// has ws, and https for wss. Proxies are http, https and socks5 URLs; nil
	// is none. The default is http.ProxyFromEnvironment, which reads
	// HTTP_PROXY, HTTPS_PROXY and NO_PROXY once and passes localhost by.
	Proxy func(*http.Request) (*url.URL, error)
	// Server is where the socket is counted, bounded and drained, and whose
	// configuration its options fall back on. The default is that of Default.
	Server *Server
}

// Bounds of a handshake.
const (
	dialTime     = 30 * time.Second // all of it, when its context has no deadline
	dialHeader   = 64 << 10         // bytes of an answer's header, of a server or a proxy
	dialBody     = 4 << 10          // bytes of a refusal's body that are kept
	dialBodyTime = time.Second      // how long they may take
)

// Dial opens a WebSocket to a ws or wss URL (RFC 6455, 4.1). ctx bounds the
// handshake, which otherwise has 30 seconds, and means nothing to the socket
// afterwards. The options may be nil. User and password in the URL become a
// Basic Authorization. Redirects are not followed.
//
// An error is a *DialError, which has the server's answer if there was one.
func Dial(ctx context.Context, url string, o *DialOptions) (*Socket, error) {
	if o == nil {
		o = &DialOptions{}
	}
	srv := o.Server
	if srv == nil {
		srv = Default()
	}
	b := srv.bounds(nil)
	conn, pending, a, err := dial(ctx, url, o, o.wish(b.Sockets))
	if err != nil {
		return nil, err
	}
	t := o.terms(srv, b)
	t.client, t.protocol = true, a.Protocol
	s := newSocket(srv.settings.take(o.callbacks(), t), a.Deflate)
	limitKernel(conn, b.SendBuffer, s.o.write)
	s.remote = addressOf(conn.RemoteAddr().String())
	s.extra().values = context.WithoutCancel(ctx)
	if !enter(srv, &srv.sockets, s) {
		s.o.leave()
		_ = conn.Close() // the server at the other end sees that nobody is there
		return nil, &DialError{Err: ErrShutdown}
	}
	srv.counters.Sockets.Add(1)
	s.adopt(conn, pending)
	return s, nil
}

// dial opens a connection and makes the handshake of RFC 6455, 4.1. ctx bounds
// it, and means nothing to the connection afterwards. The pending bytes came
// behind the answer. An error is a *DialError, and leaves nothing open.
func dial(ctx context.Context, rawURL string, o *DialOptions, deflate *ws.Deflate) (conn net.Conn, pending []byte, a ws.Agreement, err error) {
	where := ""
	defer func() {
		if err != nil {
			err = dialError(where, err)
		}
	}()
	target, err := parseSocketURL(rawURL)
	if err != nil {
		return nil, nil, a, err
	}
	where = target.Scheme + "://" + target.Host + target.EscapedPath()
	var random [16]byte
	_, _ = rand.Read(random[:]) // it never fails
	offer := &ws.Offer{Key: ws.NewKey(random), Protocols: o.Protocols, Deflate: deflate}
	request, err := openingRequest(target, o.Header, offer)
	if err != nil {
		return nil, nil, a, err
	}
	bounded, cancel := context.WithCancel(ctx)
	defer cancel()
	if _, ok := ctx.Deadline(); !ok {
		bounded, cancel = context.WithTimeoutCause(bounded, dialTime, errNoHandshake)
		defer cancel()
	}
	conn, pending, a, err = shakeHands(request.WithContext(bounded), o, offer)
	var refused *DialError
	if err != nil && over(bounded) && !errors.As(err, &refused) {
		err = context.Cause(bounded) // whatever its end has done to the connection
	}
	return conn, pending, a, err
}

var errNoHandshake = fmt.Errorf("no handshake in %v: %w", dialTime, context.DeadlineExceeded)

// over says whether ctx has ended. Package net may see its deadline first.
func over(ctx context.Context) bool {
	if by, ok := ctx.Deadline(); ok && !time.Now().Before(by) {
		<-ctx.Done()
	}
	return ctx.Err() != nil
}

// parseSocketURL reads a URL by RFC 6455, 3.
func parseSocketURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	var bad *url.Error
	switch {
	case errors.As(err, &bad): // without the text, which may hold a password
		return nil, fmt.Errorf("the URL is wrong: %w", bad.Err)
	case err != nil:
		return nil, err
	case u.Scheme == "http" || u.Scheme == "https":
		return nil, fmt.Errorf("the URL begins with %s://; write %s://", u.Scheme, socketScheme[u.Scheme])
	case u.Scheme != "ws" && u.Scheme != "wss":
		return nil, errors.New("the URL must begin with ws:// or wss://")
	case u.Hostname() == "":
		return nil, errors.New("the URL names no host")
	case strings.Contains(raw, "#"):
		return nil, errors.New("the URL of a WebSocket has no fragment; write # as %23 (RFC 6455, 3)")
	}
	return u, nil
}

// Schemes as net/http knows them, and as WebSockets do.
var (
	httpScheme   = map[string]string{"ws": "http", "wss": "https"}
	socketScheme = map[string]string{"http": "ws", "https": "wss"}
	defaultPort  = map[string]string{"http": "80", "https": "443"}
)

// openingRequest writes a client's handshake.
func openingRequest(target *url.URL, header http.Header, offer *ws.Offer) (*http.Request, error) {
	fields, err := offer.Header()
	if err != nil {
		return nil, err
	}
	u := *target
	u.Scheme, u.User = httpScheme[target.Scheme], nil
	r := &http.Request{Method: http.MethodGet, URL: &u, Host: u.Host, Header: http.Header{}}
	if port := u.Port(); port == "" || port == defaultPort[u.Scheme] { // RFC 6455, 4.1: it is left out
		r.Host = strings.TrimSuffix(u.Host, ":"+port)
	}
	for name, values := range header {
		name = http.CanonicalHeaderKey(name)
		switch {
		case name == "Host" && len(values) == 1:
			r.Host = values[0]
		case name == "Sec-Websocket-Protocol":
			return nil, errors.New("the options' Header has Sec-WebSocket-Protocol; name subprotocols in Protocols")
		case slices.Contains(handshakeFields, name), strings.HasPrefix(name, "Sec-Websocket-"):
			return nil, fmt.Errorf("the options' Header has %q, which the handshake writes itself", name)
		default:
			r.Header[name] = append(r.Header[name], values...)
		}
	}
	if _, set := r.Header["User-Agent"]; !set {
		r.Header.Set("User-Agent", userAgent)
	}
	if _, set := r.Header["Authorization"]; !set && target.User != nil {
		password, _ := target.User.Password()
		r.SetBasicAuth(target.User.Username(), password)
	}
	for _, f := range fields {
		r.Header[f.Name] = []string{f.Value} // with the RFC's capitals, for servers that know no others
	}
	return r, nil
}

const userAgent = "leat/" + Version

// handshakeFields are what a Header must leave alone, besides Sec-WebSocket-*.
var handshakeFields = []string{"Connection", "Content-Length", "Host", "Trailer", "Transfer-Encoding", "Upgrade"}

// shakeHands sends the request on a connection of its own and takes the
// connection from net/http when the server has agreed. The request's context
// bounds all of it.
func shakeHands(r *http.Request, o *DialOptions, offer *ws.Offer) (net.Conn, []byte, ws.Agreement, error) {
	none := ws.Agreement{}
	d, err := newDialer(r, o)
	if err != nil {
		return nil, nil, none, err
	}
	// Keep-alives are off, so that nothing is pooled.
	t := &http.Transport{
		DialContext:            d.dial,
		DialTLSContext:         d.dialTLS,
		TLSClientConfig:        d.tls.Clone(),
		Protocols:              new(http.Protocols),
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: dialHeader,
	}
	t.Protocols.SetHTTP1(true)
	if d.socks != nil {
		t.Proxy = http.ProxyURL(d.socks)
	}
	var conn net.Conn
	trace := httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		conn = i.Conn
		if g, ok := conn.(*gate); ok {
			conn = g.Conn
		}
	}}
	resp, err := t.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), &trace)))
	if err != nil {
		return nil, nil, none, explain(err, "the server", "ws")
	}
	a, err := offer.Check(resp.StatusCode, resp.Header.Values)
	body, switched := resp.Body.(io.ReadWriteCloser) // it is, and the connection with it, when net/http sees a switch
	switch {
	case resp.StatusCode != http.StatusSwitchingProtocols:
		err = refusal(resp, readBody(conn, resp.Body))
	case err == nil && !switched:
		err = &DialError{Status: resp.StatusCode, Header: resp.Header, Err: errors.New("the answer switches no protocol")}
	case err != nil:
		err = &DialError{Status: resp.StatusCode, Header: resp.Header, Err: err}
	case o.RequireProtocol == On && a.Protocol == "":
		err = &DialError{Status: resp.StatusCode, Header: resp.Header, Err: errors.New("the server speaks none of the subprotocols, and one is required")}
	case !d.detach():
		err = context.Cause(r.Context())
	}
	if err != nil {
		_ = resp.Body.Close() // the handshake has failed; its close can say nothing new
		_ = conn.Close()
		return nil, nil, none, err
	}
	return conn, buffered(conn, body), a, nil
}

// readBody reads the beginning of a refusal, as far as it comes soon.
func readBody(conn net.Conn, body io.Reader) []byte {
	_ = conn.SetReadDeadline(time.Now().Add(dialBodyTime)) // without it the context still ends the read
	b, _ := io.ReadAll(io.LimitReader(body, dialBody))     // what came is better than nothing
	return b
}

// buffered takes what net/http has read behind the answer. The body gives that
// first, and with a deadline in the past nothing else.
func buffered(conn net.Conn, body io.Reader) []byte {
	if conn.SetReadDeadline(time.Unix(1, 0)) != nil {
		return nil // the connection is broken, as its reader will see
	}
	pending, _ := io.ReadAll(body)
	_ = conn.SetReadDeadline(time.Time{}) // it could be set before
	return pending
}

// explain says what is behind errors that do not say so themselves.
func explain(err error, who, plainScheme string) error {
	var notTLS tls.RecordHeaderError
	var op *net.OpError
	switch {
	case errors.As(err, &op) && strings.HasPrefix(op.Op, "socks"):
		return fmt.Errorf("the proxy: %w", err)
	case errors.As(err, &notTLS) && string(notTLS.RecordHeader[:]) == "HTTP/":
		return fmt.Errorf("%s speaks HTTP without TLS; write %s://", who, plainScheme)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s closed the connection without an answer", who)
	}
	return err
}
