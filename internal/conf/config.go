package conf

import "time"

// A limit or timeout that is negative does not bound anything; one that is
// zero means its default.
const (
	Unlimited = -1 // for limits
	Never     = -1 // for timeouts
)

// A Switch is true, false, or zero for what is set elsewhere or by default.
type Switch int8

// The values of a Switch.
const (
	On  Switch = 1
	Off Switch = -1
)

// What HalfClose may hold.
const (
	HalfCloseEnd    = "end"
	HalfCloseIgnore = "ignore"
)

// Config is what a web.json5 says. Keys that the file does not set are zero;
// Fill gives them their defaults.
type Config struct {
	Name      string   // canonical host name
	Hosts     []string // further host names that are answered
	Listen    []string // "http://host:port" or "unix://path", see ParseListen
	Documents string   // folder of the files
	Index     string   // what a path that ends in "/" serves
	MIME      map[string]string
	Headers   map[string]string
	DotFiles  bool
	Routes    []Route
	Redirects []Redirect
	Limits    Limits
	Timeouts  Timeouts
	HalfClose string
	Log       Log

	WebSockets WebSockets

	Topics []Topic
	State  string // folder of what outlives a restart
	Tokens Tokens
}

// Route is one entry of `routes`. What is zero in its limits, timeouts and
// WebSockets is the server's.
type Route struct {
	Match      string
	Methods    []string
	Handler    string
	Action     string
	Redirect   string
	Trim       string
	Headers    map[string]string
	Cache      Cache
	Compressed bool
	Attachment bool
	DotFiles   bool
	Limits     Limits
	Timeouts   Timeouts
	HalfClose  string
	WebSockets WebSockets
}

// Redirect is one entry of `redirect`.
type Redirect struct {
	From   string
	To     string
	Status int // 302 where the file sets none
}

// Cache says what a route's Cache-Control header holds.
type Cache struct {
	MaxAge     time.Duration
	Directives string
	Extensions []string // without the dot; none means every file
}

// Limits bound counts and bytes: zero is the default, Unlimited is no bound.
type Limits struct {
	Connections int
	Requests    int
	Header      int64
	Body        int64
	Queue       int64
	SendBuffer  int64
	WebSockets  int
	MaxMessage  int64
	MaxFrame    int64
	MaxPacket   int64 // zero is whole messages

	Topics              int
	TopicMemory         int64
	TopicsPerReader     int
	Patterns            int
	StreamsPerAddress   int
	TopicsPerAddress    int
	PublishesPerAddress int // a second
}

// Timeouts bound time: zero is the default, Never is no bound.
type Timeouts struct {
	Parse      time.Duration
	Inactivity time.Duration
	Request    time.Duration
	Write      time.Duration
	Heartbeat  time.Duration
	Drain      time.Duration
}

// WebSockets says what an action may make of a handshake. A list that is
// empty and not nil is set: there are none.
type WebSockets struct {
	Enable          Switch
	Ping            time.Duration
	Protocols       []string // the best first
	RequireProtocol Switch
	ValidateUTF     Switch
	PreserveFrames  Switch
	Deflate         Switch
	Origins         []string // patterns, as ws.OriginAllowed has them
}

// Log says where the access log goes.
type Log struct {
	Path  string // "stdout", "stderr" or a file
	Types string
}

// Topic is one entry of `topics`.
type Topic struct {
	Match     string // a pattern: tokens, * and a last >
	History   History
	Slow      string
	Key       string        // a member of JSON data
	Heartbeat time.Duration // zero is Timeouts.Heartbeat
	Subscribe string
	Publish   string
	MaxRate   float64 // a second; zero is no bound
	Source    Source
}

// What Topic.Slow, Topic.Subscribe and Topic.Publish may hold.
const (
	SlowGap        = "gap"
	SlowLatest     = "latest"
	SlowDisconnect = "disconnect"

	AccessPublic = "public"
	AccessNone   = "none"
	AccessToken  = "token"
)

// History says how much a topic keeps: zero is the default, Unlimited or Never
// no bound. With None it keeps nothing, and Fill leaves the others zero.
type History struct {
	None  bool
	Count int
	Bytes int64
	Age   time.Duration
}

// Source says what publishes to a topic: a command with its arguments, or a
// file. Without either there is none.
type Source struct {
	Command []string
	File    string
}

// Tokens says which tokens are good.
type Tokens struct {
	Keys     []TokenKey
	Issuer   string
	Audience string
}

// TokenKey is one entry of `tokens.keys`. One of Env and File is set.
type TokenKey struct {
	Algorithm string
	Env       string // name of the variable that holds it
	File      string
	ID        string
}
