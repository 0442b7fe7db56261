package leat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leat-dev/leat/internal/conf"
	"github.com/leat-dev/leat/internal/engine"
	"github.com/leat-dev/leat/internal/metrics"
	"github.com/leat-dev/leat/internal/serve"
)

// Version is the version of this library and of its binary.
const Version = "0.1.0"

// A Server answers requests as its configuration says: with files, with
// handlers, and with streams. [Server.Run] serves its own listeners; it is an
// http.Handler too, for an http.Server of your own:
//
//	hs := &http.Server{Handler: srv}
//	hs.RegisterOnShutdown(func() { srv.Shutdown(ctx) })
//
// That line ends the streams, which http.Server.Shutdown does not wait for.
//
// Its methods may be called from any goroutine. Handlers are registered before
// the first request.
type Server struct {
	config      Config
	options     serve.Options
	files       io.Closer // the documents, or nil
	engine      engine.Engine
	log         *slog.Logger
	counters    metrics.Counters
	live        serve.Live
	gate        serve.Gate
	settings    shelf // of sockets
	kinds       kinds // of connections
	streamTerms serve.Shelf[streamTerms]
	topics      *topics
	named       map[string]http.Handler
	entries     []entry // what has been registered, for the warnings at the start

	mu        sync.Mutex
	listeners []serve.Listener
	http      *http.Server
	closed    bool
	stopping  bool
	streams   roll[Stream, *Stream]
	sockets   roll[Socket, *Socket]
	empty     chan struct{} // closed when both are, once stopping
}

// Open reads a web.json5 and makes its server.
func Open(path string) (*Server, error) {
	c, err := Load(path)
	if err != nil {
		return nil, err
	}
	return New(c)
}

// New makes a server. A nil Config is a zero one. The Config is copied. The
// error holds every mistake in it, as that of Load does.
func New(c *Config) (*Server, error) {
	if c == nil {
		c = &Config{}
	}
	c, err := checked(c)
	if err != nil {
		return nil, err
	}
	s := &Server{config: *c, log: c.Logger, named: map[string]http.Handler{}}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.engine = newEngine(s.log)
	s.gate.Most = max(0, s.config.Limits.Connections)
	if s.topics, err = newTopics(s); err != nil {
		return nil, err
	}
	if err := s.compile(); err != nil {
		return nil, err
	}
	return s, nil
}

// newEngine answers the engine of this system, or the one without events where
// LEAT_ENGINE asks for it: to compare them, and to see whose a fault is.
func newEngine(log *slog.Logger) engine.Engine {
	if os.Getenv("LEAT_ENGINE") == "goroutine" {
		return engine.Goroutines{}
	}
	return engine.New(func(l engine.Link) {
		log.Info(metrics.LogWrapped, "connection", fmt.Sprintf("%T", l))
	})
}

// engineOf is the engine of a socket: one that is read in a loop has a goroutine
// anyway.
func (s *Server) engineOf(of *Socket) engine.Engine {
	if of.o.client || !of.o.events() {
		return engine.Goroutines{}
	}
	return s.engine
}

var defaultServer atomic.Pointer[Server]

// Default is the server that streams belong to whose requests no Leat server
// leads: it gives them their options, counts them, and ends them by Shutdown.
func Default() *Server {
	if s := defaultServer.Load(); s != nil {
		return s
	}
	s, err := New(nil)
	if err != nil {
		panic(err) // the zero Config has nothing that could be wrong
	}
	defaultServer.CompareAndSwap(nil, s)
	return defaultServer.Load()
}

// SetDefault makes s the Default.
func SetDefault(s *Server) { defaultServer.Store(s) }

func serverOf(ctx context.Context) *Server {
	if x := serve.Of(ctx); x != nil {
		return x.Owner.(*Server)
	}
	return Default()
}

// Handle registers a handler for a pattern of net/http. It answers before a
// file route. Where a route with handler "action" matches the URL, that route's
// methods, limits, timeouts and headers apply to it. It panics where
// http.ServeMux does.
func (s *Server) Handle(pattern string, h http.Handler) {
	if t, ok := h.(*Topic); ok {
		h = serve.Judge{Handler: t}
	}
	s.options.Patterns.Handle(pattern, h)
	s.entries = append(s.entries, entry{pattern: pattern})
}

// HandleFunc is Handle for a function.
func (s *Server) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	s.Handle(pattern, http.HandlerFunc(h))
}

// Action registers a handler that only an action route reaches: one whose
// `action` is the name, or, for a name that starts with a slash, one without
// `action` that matches this URL. It panics where the name has been taken.
func (s *Server) Action(name string, h http.Handler) {
	if name != "" && name[0] == '/' {
		s.options.Actions.Handle(name, h)
		s.entries = append(s.entries, entry{pattern: name, action: true})
		return
	}
	if name == "" || s.named[name] != nil {
		panic(fmt.Sprintf("leat: Server.Action: the name %q is empty or taken", name))
	}
	s.named[name] = h
	s.entries = append(s.entries, entry{name: name, action: true})
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.options.ServeHTTP(w, r) }

// Listen opens the listeners, so that URLs knows where they are. Run does so
// too, if it has not been done.
func (s *Server) Listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.stopping {
		return http.ErrServerClosed
	}
	if len(s.listeners) > 0 {
		return nil
	}
	o := serve.ListenOptions{Connections: &s.gate, Write: positive(s.config.Timeouts.Write), Counters: &s.counters, Log: s.log}
	for _, at := range s.config.Listen {
		network, address, err := conf.ParseListen(at)
		if err != nil {
			panic(err) // New has checked it
		}
		l, err := serve.Listen(context.Background(), network, address, o)
		if err != nil {
			for _, open := range s.listeners {
				_ = open.Close() // nobody has used it
			}
			s.listeners = nil
			return fmt.Errorf("leat: %w", err)
		}
		s.listeners = append(s.listeners, l)
	}
	return nil
}

// URLs says where the listeners are, with the ports that the system chose.
func (s *Server) URLs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	urls := make([]string, 0, len(s.listeners))
	for _, l := range s.listeners {
		urls = append(urls, l.String())
	}
	return urls
}

// Run serves until ctx is done and then drains: streams get their last bytes
// and a clean end, requests are finished, for at most timeouts.drain. It
// answers nil after that, and an error when it could not serve.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Listen(); err != nil {
		return err
	}
	s.warn()
	s.topics.sources.begin(s.topics)
	hs, err := s.httpServer()
	if err != nil {
		return err
	}
	failed := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		s.log.Info(metrics.LogListening, "url", l.String())
		go func() { failed <- hs.Serve(l) }()
	}
	select {
	case <-ctx.Done():
		s.log.Info(metrics.LogStopping)
	case err = <-failed:
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
	}
	drain, cancel := context.Background(), func() {}
	if d := s.config.Timeouts.Drain; d > 0 {
		drain, cancel = context.WithTimeout(drain, d)
	}
	defer cancel()
	if down := s.Shutdown(drain); down != nil && !errors.Is(down, context.DeadlineExceeded) && err == nil {
		err = down
	}
	return errors.Join(err, s.Close())
}

func (s *Server) httpServer() (*http.Server, error) {
	t, l := s.config.Timeouts, s.config.Limits
	hs := &http.Server{
		Handler:                      http.HandlerFunc(s.options.ServeBare),
		ReadHeaderTimeout:            positive(t.Parse),
		IdleTimeout:                  positive(t.Inactivity),
		ConnContext:                  serve.WithConn,
		DisableGeneralOptionsHandler: true, // its requests would pass us by
		ErrorLog:                     slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		Protocols:                    new(http.Protocols),
		HTTP2:                        &http.HTTP2Config{WriteByteTimeout: positive(t.Write), SendPingTimeout: positive(t.Heartbeat)},
	}
	hs.Protocols.SetHTTP1(true)
	hs.Protocols.SetUnencryptedHTTP2(true)
	if l.Header > 0 {
		// net/http reads 4096 bytes beyond what it is told.
		hs.MaxHeaderBytes = int(max(1, l.Header-4096))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping { // since Listen
		return nil, http.ErrServerClosed
	}
	s.http = hs
	return hs, nil
}

// Shutdown ends the server in good order: no new streams, every stream's last
// bytes and its end, every request's answer. When ctx is done first it answers
// ctx's error, and what is still open stays so until Close.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stop()
	hs, empty, listeners := s.http, s.empty, s.listeners
	s.mu.Unlock()
	if hs == nil {
		for _, l := range listeners {
			_ = l.Close() // nobody has used it
		}
	}
	var err error
	drained := make(chan struct{})
	go func() { // new requests are refused before streams are told
		defer close(drained)
		if hs != nil {
			err = hs.Shutdown(ctx)
		}
	}()
	s.live.Stop()
	told := make(chan struct{})
	go func() { // their OnClose may take its time
		defer close(told)
		s.topics.hub.Flush() // what came before the stop
		for _, l := range s.living() {
			l.stop()
		}
	}()
	<-drained
	for _, done := range []chan struct{}{told, empty} {
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(err, s.endTopics())
}

// endTopics ends the topics, and saves them where the file says so.
func (s *Server) endTopics() error {
	s.topics.sources.end()
	return s.topics.close()
}

// Close ends the server at once: listeners, connections, streams.
func (s *Server) Close() error {
	s.mu.Lock()
	s.stop()
	s.closed = true
	hs, listeners := s.http, s.listeners
	files := s.files
	s.files = nil
	s.mu.Unlock()
	for _, l := range s.living() {
		l.kill()
	}
	var err error
	if hs != nil { // first, so that it knows why its listeners end
		err = hs.Close()
	}
	for _, l := range listeners {
		_ = l.Close() // hs may have closed it already
	}
	s.engine.Close()
	s.gate.CloseAll()
	err = errors.Join(err, s.endTopics())
	if files != nil {
		err = errors.Join(err, files.Close())
	}
	return err
}

// stop refuses what is new from now on. It is called with mu held.
func (s *Server) stop() {
	if s.stopping {
		return
	}
	s.stopping = true
	s.topics.stop()
	s.empty = make(chan struct{})
	if s.lasts() == 0 {
		close(s.empty)
	}
}

// Stats are a server's counts.
type Stats struct {
	Connections  int64            // open now
	Refused      int64            // answered 503 for limits.connections
	BadRequests  int64            // answered 400, 408 or 431 before there was a request
	Requests     int64            // begun
	Panics       int64            // handlers and callbacks that panicked
	Streams      int64            // open now
	Records      int64            // sent on streams
	SlowRecords  int64            // refused for limits.queue
	StreamsEnded map[string]int64 // by reason: "done", "reader gone", "timeouts.write", …

	Sockets        int64            // open now
	SocketsRefused int64            // handshakes that were refused
	MessagesIn     int64            // received by sockets
	MessagesOut    int64            // sent by sockets
	SlowMessages   int64            // refused for limits.queue
	SocketsEnded   map[string]int64 // by reason, as StreamsEnded
}

// Stats answers the counts as they stand.
func (s *Server) Stats() Stats {
	c := &s.counters
	return Stats{
		Connections: c.Connections.Load(), Refused: c.Refused.Load(), BadRequests: c.BadRequests.Load(), Requests: c.Requests.Load(),
		Panics: c.Panics.Load(), Streams: c.Streams.Load(), Records: c.Records.Load(),
		SlowRecords: c.SlowRecords.Load(), StreamsEnded: c.StreamsEnded.ByName(),
		Sockets: c.Sockets.Load(), SocketsRefused: c.SocketsRefused.Load(), MessagesIn: c.MessagesIn.Load(),
		MessagesOut: c.MessagesOut.Load(), SlowMessages: c.SlowMessages.Load(), SocketsEnded: c.SocketsEnded.ByName(),
	}
}

// positive is d, with 0 for one that does not bound. Nothing is longer than a
// century, so that every sum with the time of day is a time.
func positive(d time.Duration) time.Duration { return min(max(d, 0), 100*365*24*time.Hour) }
