package leat

import (
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/leat-dev/leat/internal/conf"
)

// A limit or timeout of a Config that is negative does not bound; zero means
// the default, which docs/web-json5.md states for each.
const (
	Unlimited = conf.Unlimited
	Never     = conf.Never
)

// A Switch is a setting that is on or off, or with its zero value what is
// configured further up: by the route, by the server, by default.
type Switch int8

// The values of a Switch.
const (
	On  Switch = 1
	Off Switch = -1
)

// or is whether it is on, or what is configured where it is not set.
func (s Switch) or(configured bool) bool { return s == On || s != Off && configured }

// What Config.HalfClose, Route.HalfClose and StreamOptions.HalfClose hold.
const (
	HalfCloseEnd    = conf.HalfCloseEnd    // a reader that ends its half has left
	HalfCloseIgnore = conf.HalfCloseIgnore // it has not: balancers do that
)

// A Config is what a web.json5 says, in Go. The zero Config is useful: it
// listens on http://127.0.0.1:4000, serves what [Server.Handle] registers, and
// bounds everything by the defaults. docs/web-json5.md describes each field
// under its key.
type Config struct {
	Name      string            // canonical host name
	Hosts     []string          // further host names that a listener on loopback answers
	Listen    []string          // "http://host:port", "unix:///path"
	Documents string            // folder of the files; "": none
	FS        fs.FS             // the files, in place of Documents
	Index     string            // of a folder: index.html
	MIME      map[string]string // types by extension: ".ext"
	Headers   map[string]string // of every answer
	DotFiles  bool              // serve names that start with a dot
	Routes    []Route           // the first that matches counts; none: actions, then files
	Redirects []Redirect        // before the routes
	Limits    Limits
	Timeouts  Timeouts
	HalfClose string
	Logger    *slog.Logger // nil: slog.Default()

	WebSockets WebSockets

	Topics []TopicRule // the first that matches a topic counts; none: defaults
	State  string      // folder that keeps what topics have over a restart, outside of Documents; "": none
	Tokens Tokens

	// Authorize says who may, in place of TopicRule.Subscribe, TopicRule.Publish
	// and Tokens. The action is "subscribe" or "publish", and the pattern that of
	// the topics, as the request has it. An error refuses. What the program
	// publishes itself is not asked about. Authorize is called from many
	// goroutines. It has no key.
	Authorize func(r *http.Request, action, pattern string) error
}

// A Route says what answers the URLs that it matches. What is zero in its
// limits, timeouts and WebSockets is the server's.
type Route struct {
	Match      string   // "": everything; "/a": that path; "/a/": what is below; "/{name}"; "^…": a regular expression
	Methods    []string // none: GET and POST
	Handler    string   // "file", "action" or "topic"; "": file
	Action     string   // name of the action, with {name} and $1 filled in; "": by URL
	Redirect   string   // answer 302 with this Location
	Trim       string   // what the handler does not see of the path's start
	Headers    map[string]string
	Cache      Cache
	Compressed bool // serve name.br, name.zst, name.gz to those who accept them
	Attachment bool // have browsers save the file
	DotFiles   bool
	Limits     Limits
	Timeouts   Timeouts
	HalfClose  string
	WebSockets WebSockets
}

// A Redirect sends the URLs that have all parts of From to To; see
// docs/web-json5.md.
type Redirect struct {
	From   string
	To     string
	Status int // 0: 302
}

// Cache is the Cache-Control of a route's files.
type Cache struct {
	MaxAge     time.Duration
	Directives string
	Extensions []string // without the dot; none: every file
}

// Limits bound counts and bytes. Zero is the default, Unlimited no bound.
type Limits struct {
	Connections int   // open at once; beyond: 503
	Requests    int   // on one connection
	Header      int64 // bytes of a request's header; beyond: 431
	Body        int64 // bytes of a request's body; beyond: 413
	Queue       int64 // bytes that wait for a stream's reader
	SendBuffer  int64 // bytes that the system keeps for a reader

	WebSockets int   // open at once, of a route that sets it its own; beyond: 503
	MaxMessage int64 // bytes of a WebSocket message, in and out; beyond: 1009
	MaxFrame   int64 // bytes of a WebSocket frame that is sent; larger messages go as several
	MaxPacket  int64 // bytes of a message that a callback gets at once; by default whole messages

	Topics              int   // that exist at once
	TopicMemory         int64 // bytes of the history of all topics
	TopicsPerReader     int   // names and patterns that one reader asks for
	Patterns            int   // with wildcards, among them
	StreamsPerAddress   int   // readers of topics at once, with polls that wait
	TopicsPerAddress    int   // that one address makes by publishing; counted anew about once an hour
	PublishesPerAddress int   // messages a second
}

// Timeouts bound time. Zero is the default, Never no bound.
type Timeouts struct {
	Parse      time.Duration // for a request's header to come
	Inactivity time.Duration // without a byte either way
	Request    time.Duration // for a request as a whole; a stream only where it is set
	Write      time.Duration // without a byte taken by the reader
	Heartbeat  time.Duration // without a byte sent on a stream
	Drain      time.Duration // for everything to end when the server stops
}

// WebSockets says what [Upgrade] may do, and how, where its options leave that
// open. What is zero in a Route's is the server's, and in the server's the
// default. A list that is empty and not nil is set: there are none.
type WebSockets struct {
	Enable          Switch        // on by default; off: 403
	Ping            time.Duration // without a byte received, until a ping asks; never by default
	Protocols       []string      // subprotocols, the best first; "chat" by default
	RequireProtocol Switch        // on: 400 to who offers none of them
	ValidateUTF     Switch        // on by default: 1007 where a text is no UTF-8
	PreserveFrames  Switch        // on: a callback gets each frame as it came
	Deflate         Switch        // on by default: compress where the peer can
	Origins         []string      // that may connect beside the server's own, like https://*.example.com
}

// Load reads a web.json5 and the defaults of what it leaves open. Relative
// paths in it are relative to its folder. The error holds every mistake, each
// a *ConfigError, in the order of the file; errors.As finds the first, and
// Unwrap() []error all.
func Load(path string) (*Config, error) {
	c, _, err := conf.Load(path)
	return loaded(c, nil, err)
}

// LoadFS is Load for a file system, as embed makes one: the documents are then
// a folder in it.
func LoadFS(fsys fs.FS, path string) (*Config, error) {
	c, _, err := conf.LoadFS(fsys, path)
	return loaded(c, fsys, err)
}

// Check reads a web.json5 as Load does and says what deserves to be known of
// it: keys that are not yet in effect or not needed, and, for a file in Ioto's
// shape, defaults that differ from Ioto's.
func Check(path string) (notes []string, err error) {
	_, notes, err = conf.Load(path)
	return notes, public(err)
}

// Schema is the JSON Schema of web.json5, for editors.
func Schema() []byte { return conf.Schema() }

func loaded(c *conf.Config, fsys fs.FS, err error) (*Config, error) {
	if err != nil {
		return nil, public(err)
	}
	config := fromConf(c)
	if fsys != nil {
		sub, err := fs.Sub(fsys, c.Documents)
		if err != nil {
			return nil, err
		}
		config.Documents, config.FS = "", sub
	}
	return config, nil
}

// fromConf and toConf turn a Config into the plain values that the table of
// keys knows, and back. FS, Logger and Authorize have no key.
func fromConf(c *conf.Config) *Config {
	config := &Config{
		Name: c.Name, Hosts: c.Hosts, Listen: c.Listen, Documents: c.Documents, Index: c.Index, MIME: c.MIME,
		Headers: c.Headers, DotFiles: c.DotFiles, Limits: Limits(c.Limits), Timeouts: Timeouts(c.Timeouts),
		HalfClose: c.HalfClose, WebSockets: socketsFromConf(c.WebSockets),
		Topics: topicsFromConf(c.Topics), State: c.State, Tokens: tokensFromConf(c.Tokens),
	}
	for _, r := range c.Routes {
		config.Routes = append(config.Routes, Route{
			Match: r.Match, Methods: r.Methods, Handler: r.Handler, Action: r.Action, Redirect: r.Redirect, Trim: r.Trim,
			Headers: r.Headers, Cache: Cache(r.Cache), Compressed: r.Compressed, Attachment: r.Attachment,
			DotFiles: r.DotFiles, Limits: Limits(r.Limits), Timeouts: Timeouts(r.Timeouts), HalfClose: r.HalfClose,
			WebSockets: socketsFromConf(r.WebSockets),
		})
	}
	for _, r := range c.Redirects {
		config.Redirects = append(config.Redirects, Redirect(r))
	}
	return config
}

func toConf(c *Config) *conf.Config {
	config := &conf.Config{
		Name: c.Name, Hosts: c.Hosts, Listen: c.Listen, Documents: c.Documents, Index: c.Index, MIME: c.MIME,
		Headers: c.Headers, DotFiles: c.DotFiles, Limits: conf.Limits(c.Limits), Timeouts: conf.Timeouts(c.Timeouts),
		HalfClose: c.HalfClose, WebSockets: socketsToConf(c.WebSockets),
		Topics: topicsToConf(c.Topics), State: c.State, Tokens: tokensToConf(c.Tokens),
	}
	for _, r := range c.Routes {
		config.Routes = append(config.Routes, conf.Route{
			Match: r.Match, Methods: r.Methods, Handler: r.Handler, Action: r.Action, Redirect: r.Redirect, Trim: r.Trim,
			Headers: r.Headers, Cache: conf.Cache(r.Cache), Compressed: r.Compressed, Attachment: r.Attachment,
			DotFiles: r.DotFiles, Limits: conf.Limits(r.Limits), Timeouts: conf.Timeouts(r.Timeouts), HalfClose: r.HalfClose,
			WebSockets: socketsToConf(r.WebSockets),
		})
	}
	for _, r := range c.Redirects {
		config.Redirects = append(config.Redirects, conf.Redirect(r))
	}
	return config
}

func socketsFromConf(w conf.WebSockets) WebSockets {
	return WebSockets{
		Enable: Switch(w.Enable), Ping: w.Ping, Protocols: w.Protocols, RequireProtocol: Switch(w.RequireProtocol),
		ValidateUTF: Switch(w.ValidateUTF), PreserveFrames: Switch(w.PreserveFrames), Deflate: Switch(w.Deflate), Origins: w.Origins,
	}
}

func socketsToConf(w WebSockets) conf.WebSockets {
	return conf.WebSockets{
		Enable: conf.Switch(w.Enable), Ping: w.Ping, Protocols: w.Protocols, RequireProtocol: conf.Switch(w.RequireProtocol),
		ValidateUTF: conf.Switch(w.ValidateUTF), PreserveFrames: conf.Switch(w.PreserveFrames), Deflate: conf.Switch(w.Deflate), Origins: w.Origins,
	}
}

// checked is a copy of c with its defaults filled in; the error holds every
// mistake, as that of Load does.
func checked(c *Config) (*Config, error) {
	plain := toConf(c)
	conf.Fill(plain)
	plain.Documents = c.Documents // a program that names none has none
	if err := conf.Validate(plain); err != nil {
		return nil, public(err)
	}
	full := fromConf(plain)
	full.FS, full.Logger, full.Authorize = c.FS, c.Logger, c.Authorize
	return full, nil
}

// public turns conf's errors into ours.
func public(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var errs []error
		for _, err := range joined.Unwrap() {
			errs = append(errs, public(err))
		}
		return errors.Join(errs...)
	}
	var wrong *conf.Error
	if errors.As(err, &wrong) {
		return (*ConfigError)(wrong)
	}
	return err
}
