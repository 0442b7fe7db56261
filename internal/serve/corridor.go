package serve

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/leat-dev/leat/internal/engine"
	"github.com/leat-dev/leat/internal/metrics"
	"github.com/leat-dev/leat/internal/route"
)

// Options say how a corridor serves. They do not change once it does.
type Options struct {
	Rules     *route.Table // which of Routes matches; nil: actions come first, then files
	Routes    []Route
	Redirects *route.Redirects
	Hosts     []string // answered on loopback besides localhost
	Headers   map[string]string
	Files     *Files // nil: no files
	File      FileOptions
	Bounds    Bounds

	// Patterns are the handlers with a pattern of their own, and Actions those
	// that are reached by an action route: by their URLs, or by Named.
	Patterns *http.ServeMux
	Actions  *http.ServeMux
	Named    func(name string) http.Handler // nil when there is none

	Log      *slog.Logger
	Counters *metrics.Counters
	Live     *Live
	Owner    any // what Exchange.Owner answers

	origins http.CrossOriginProtection
	lines   Shelf[line]
}

// A Route is what its rule leads to.
type Route struct {
	Methods  []string     // upper case; HEAD comes with GET
	Action   bool         // a handler, else a file
	Name     string       // of the action, with tokens; "": by URL
	Handler  http.Handler // in place of an action; nil: none
	Redirect string
	Trim     string
	Headers  map[string]string
	File     FileOptions
	Bounds   Bounds
}

// ServeHTTP leads a request to its handler.
func (o *Options) ServeHTTP(w http.ResponseWriter, r *http.Request) { o.serve(w, r, false) }

// ServeBare is ServeHTTP for a request straight from our own http.Server, whose
// context holds nothing of others.
func (o *Options) ServeBare(w http.ResponseWriter, r *http.Request) { o.serve(w, r, true) }

func (o *Options) serve(w http.ResponseWriter, r *http.Request, bare bool) {
	x, r := o.Begin(w, r)
	x.bare = bare
	defer x.returned()
	defer func() { o.answerPanic(x, r, recover()) }()
	o.lead(x, r)
}

// answerPanic answers for a handler that panicked with v; the server lives.
func (o *Options) answerPanic(x *Exchange, r *http.Request, v any) {
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so, too
		x.failure = http.ErrAbortHandler
		x.left(http.ErrAbortHandler)
		panic(v)
	}
	stack := debug.Stack()
	o.Counters.Panics.Add(1)
	o.Log.LogAttrs(context.Background(), slog.LevelError, metrics.LogPanic,
		slog.String("path", r.URL.Path), slog.Any("value", v), slog.String("stack", string(stack)))
	x.left(&engine.PanicError{Value: v, Stack: stack})
	if x.wrote || x.hijacked {
		x.panicked = true
		panic(http.ErrAbortHandler) // the reader must see that the answer is not whole
	}
	Error(x, r, http.StatusInternalServerError, "the handler failed; the log says how")
	x.panicked = true
}

func (o *Options) lead(x *Exchange, r *http.Request) {
	for name, value := range o.Headers {
		x.Header().Set(name, value)
	}
	if x.conn != nil && x.conn.OnLoopback() && !o.answersTo(r.Host) {
		Error(x, r, http.StatusMisdirectedRequest, "this server does not answer to that host name; `hosts` in web.json5 names those it does")
		return
	}
	if r.Method == http.MethodOptions && r.RequestURI == "*" { // the server as a whole (RFC 9110, 9.3.7)
		x.WriteHeader(http.StatusNoContent)
		return
	}
	path, ok := route.Clean(r.URL.Path)
	if !ok {
		x.closes()
		Error(x, r, http.StatusBadRequest, "the URL's path leads out of the site")
		return
	}
	if path != r.URL.Path {
		r = withPath(r, path)
	}
	if o.redirect(x, r) {
		return
	}
	if err := o.origins.Check(r); err != nil && !o.judges(r) {
		Error(x, r, http.StatusForbidden, "this request comes from a page of another origin")
		return
	}
	o.route(x, r)
}

// A Judge is a handler that judges itself what pages of other origins may do.
type Judge struct{ http.Handler }

// judges says whether a request is led to a Judge.
func (o *Options) judges(r *http.Request) bool {
	var h http.Handler
	if o.Rules != nil {
		i, _, found := o.Rules.Find(r.URL.Path)
		if found && (o.Routes[i].Redirect != "" || o.Routes[i].Name != "") {
			return false
		}
		if found {
			h = o.Routes[i].Handler
		}
	}
	if h == nil {
		h, _ = o.Patterns.Handler(r)
	}
	_, ok := h.(Judge)
	return ok
}

// answersTo holds DNS rebinding off: a page elsewhere can point its own name
// at 127.0.0.1, but cannot change the Host that the browser sends. An address
// is no name that somebody could point.
func (o *Options) answersTo(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" {
		return false
	}
	if addr, err := netip.ParseAddr(host); host == "localhost" || err == nil && addr.IsLoopback() {
		return true
	}
	return slices.ContainsFunc(o.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

func withPath(r *http.Request, path string) *http.Request {
	r2 := *r
	u := *r.URL
	u.Path, u.RawPath = path, ""
	r2.URL = &u
	return &r2
}

func (o *Options) redirect(x *Exchange, r *http.Request) bool {
	if o.Redirects == nil {
		return false
	}
	location, status, ok := o.Redirects.Find("http", r.Host, r.URL.Path, r.URL.RawQuery)
	if !ok {
		return false
	}
	if status == http.StatusBadRequest {
		Error(x, r, status, "the Host is not a host name")
		return true
	}
	Redirect(x, r, location, status)
	return true
}

func (o *Options) route(x *Exchange, r *http.Request) {
	to := &Route{File: o.File, Methods: fileMethods, Bounds: o.Bounds}
	var params route.Params
	found := o.Rules == nil
	if !found {
		var i int
		if i, params, found = o.Rules.Find(r.URL.Path); found {
			to = &o.Routes[i]
		}
	}
	if found && to.Redirect != "" {
		Redirect(x, r, route.ExpandURL(to.Redirect, params), http.StatusFound)
		return
	}
	if found && to.Action {
		o.enter(x, r, to)
		if o.allowed(x, r, to.Methods, false) && !x.Refused() {
			o.action(x, trimmed(r, to.Trim), to, params)
		}
		return
	}
	// A handler with a pattern of its own answers before a file, by its own
	// methods.
	if _, pattern := o.Patterns.Handler(r); pattern != "" {
		o.enter(x, r, &Route{Bounds: o.Bounds})
		if !x.Refused() {
			o.Patterns.ServeHTTP(x, r)
		}
		return
	}
	if o.Rules == nil {
		if _, pattern := o.Actions.Handler(r); pattern != "" {
			o.enter(x, r, to)
			if !x.Refused() {
				o.Actions.ServeHTTP(x, r)
			}
			return
		}
	}
	if !found {
		Error(x, r, http.StatusNotFound, "no route matches this URL")
		return
	}
	o.enter(x, r, to)
	if o.allowed(x, r, to.Methods, true) && !x.Refused() {
		o.file(x, r, to)
	}
}

// fileMethods is what a file route answers without methods of its own.
var fileMethods = []string{http.MethodGet}

// enter puts the route's headers and bounds in force.
func (o *Options) enter(x *Exchange, r *http.Request, to *Route) {
	for name, value := range to.Headers {
		x.Header().Set(name, value)
	}
	x.Bounds = to.Bounds
	x.Bound(r)
}

// allowed answers a method that the route does not have, and OPTIONS where the
// route does not ask for it (RFC 9110, 9.3.7 and 15.5.6). Of a file route's
// methods only those count that files have.
func (o *Options) allowed(x *Exchange, r *http.Request, methods []string, file bool) bool {
	has := func(m string) bool {
		return slices.Contains(methods, m) && (!file || m == http.MethodGet || m == http.MethodHead)
	}
	if r.Method != http.MethodOptions || has(http.MethodOptions) {
		if has(r.Method) || r.Method == http.MethodHead && has(http.MethodGet) {
			return true
		}
	}
	allow := []string{http.MethodOptions}
	for _, m := range methods {
		if m != http.MethodOptions && has(m) {
			allow = append(allow, m)
		}
	}
	if has(http.MethodGet) && !has(http.MethodHead) {
		allow = append(allow, http.MethodHead)
	}
	if file { // handlers answer before files
		muxes := []*http.ServeMux{o.Patterns}
		if o.Rules == nil {
			muxes = append(muxes, o.Actions)
		}
		if others := otherMethods(r, muxes...); others != "" {
			allow = append(allow, strings.Split(others, ", ")...)
		}
	}
	slices.Sort(allow)
	allow = slices.Compact(allow)
	x.Header().Set("Allow", strings.Join(allow, ", "))
	if r.Method == http.MethodOptions {
		x.WriteHeader(http.StatusNoContent)
		return false
	}
	Error(x, r, http.StatusMethodNotAllowed, r.Method+" is not one of this route's methods")
	return false
}

// trimmed takes a route's trim off the path.
func trimmed(r *http.Request, trim string) *http.Request {
	path, ok := strings.CutPrefix(r.URL.Path, trim)
	if trim == "" || !ok {
		return r
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return withPath(r, path)
}

func (o *Options) action(x *Exchange, r *http.Request, to *Route, params route.Params) {
	for name, value := range params.All() {
		r.SetPathValue(name, value)
	}
	if to.Handler != nil {
		to.Handler.ServeHTTP(x, r)
		return
	}
	if to.Name != "" {
		if h := o.Named(route.Expand(to.Name, params)); h != nil {
			h.ServeHTTP(x, r)
			return
		}
		Error(x, r, http.StatusNotFound, "no action of that name")
		return
	}
	for _, mux := range []*http.ServeMux{o.Patterns, o.Actions} {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(x, r)
			return
		}
	}
	if allow := otherMethods(r, o.Patterns, o.Actions); allow != "" {
		x.Header().Set("Allow", allow)
		Error(x, r, http.StatusMethodNotAllowed, "the action does not have this method")
		return
	}
	Error(x, r, http.StatusNotFound, "no action for this URL")
}

// otherMethods answers the Allow of the handlers that have the path, but not
// the method.
func otherMethods(r *http.Request, muxes ...*http.ServeMux) string {
	for _, mux := range muxes {
		h, _ := mux.Handler(r)
		probe := &allowProbe{header: http.Header{}}
		h.ServeHTTP(probe, r)
		if allow := probe.header.Get("Allow"); allow != "" {
			return allow
		}
	}
	return ""
}

// An allowProbe keeps the header of a mux's own refusal.
type allowProbe struct{ header http.Header }

func (p *allowProbe) Header() http.Header         { return p.header }
func (p *allowProbe) Write(b []byte) (int, error) { return len(b), nil }
func (p *allowProbe) WriteHeader(int)             {}

func (o *Options) file(x *Exchange, r *http.Request, to *Route) {
	if o.Files == nil {
		Error(x, r, http.StatusNotFound, "this server has no files")
		return
	}
	o.Files.ServeFile(x, r, strings.TrimPrefix(r.URL.Path, to.Trim), to.File)
}
