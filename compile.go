package leat

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/leat-dev/leat/internal/route"
	"github.com/leat-dev/leat/internal/serve"
)

// compile makes of the configuration what serves.
func (s *Server) compile() error {
	c := &s.config
	s.options = serve.Options{
		Headers: c.Headers, Bounds: c.bounds(&Route{}), File: serve.FileOptions{DotFiles: c.DotFiles},
		Hosts: append([]string{c.Name}, c.Hosts...), Patterns: http.NewServeMux(), Actions: http.NewServeMux(),
		Named: func(name string) http.Handler { return s.named[name] },
		Log:   s.log, Counters: &s.counters, Live: &s.live, Owner: s,
	}
	var redirects []route.Redirect
	for _, r := range c.Redirects {
		redirects = append(redirects, route.Redirect(r))
	}
	var err error
	if s.options.Redirects, err = route.CompileRedirects(redirects); err != nil {
		return fmt.Errorf("leat: redirect: %w", err)
	}
	if err := s.compileRoutes(); err != nil {
		return err
	}
	return s.openFiles()
}

func (s *Server) compileRoutes() error {
	c := &s.config
	if len(c.Routes) == 0 {
		return nil
	}
	rules := make([]route.Rule, 0, len(c.Routes))
	for _, r := range c.Routes {
		rules = append(rules, route.Rule{Match: r.Match})
		to := serve.Route{
			Action: r.Handler == "action" || r.Handler == "topic", Name: r.Action,
			Redirect: r.Redirect, Trim: r.Trim, Headers: r.Headers,
			File: serve.FileOptions{
				Cache: serve.Cache(r.Cache), Compressed: r.Compressed, Attachment: r.Attachment,
				DotFiles: r.DotFiles || c.DotFiles,
			},
			Bounds: c.bounds(&r),
		}
		if r.Handler == "topic" {
			prefix, _, _ := strings.Cut(r.Match, "{")
			to.Handler = s.Topics(strings.TrimPrefix(prefix, r.Trim))
			to.Methods = []string{http.MethodOptions} // which is answered to pages of other origins
		}
		if r.Limits.WebSockets == 0 {
			to.Bounds.Sockets.Open = s.options.Bounds.Sockets.Open
		}
		for _, m := range r.Methods {
			to.Methods = append(to.Methods, strings.ToUpper(m))
		}
		s.options.Routes = append(s.options.Routes, to)
	}
	var err error
	if s.options.Rules, err = route.Compile(rules); err != nil {
		return fmt.Errorf("leat: routes: %w", err)
	}
	return nil
}

// openFiles opens the documents. A folder that is not there is no reason not to
// start: a server of actions needs none.
func (s *Server) openFiles() error {
	c := &s.config
	files := c.FS
	if files == nil && c.Documents != "" {
		opened, closer, err := serve.OpenDocuments(c.Documents)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			s.log.Warn("there are no documents: files are 404", "documents", c.Documents)
			return nil
		case err != nil:
			return fmt.Errorf("leat: documents: %w", err)
		}
		files, s.files = opened, closer
	}
	if files != nil {
		s.options.Files = &serve.Files{FS: files, Index: c.Index, Types: c.MIME}
	}
	return nil
}

// requestTimeout is timeouts.request of an ordinary request where nothing sets
// it.
const requestTimeout = 5 * time.Minute

// bounds are those of a route, or with a zero Route of the server.
func (c *Config) bounds(r *Route) serve.Bounds {
	l, t := &r.Limits, &r.Timeouts
	request := first(t.Request, c.Timeouts.Request)
	return serve.Bounds{
		Requests: max(0, first(l.Requests, c.Limits.Requests)),
		Body:     max(0, first(l.Body, c.Limits.Body)),
		Queue:    max(0, first(l.Queue, c.Limits.Queue)),

		SendBuffer: max(0, first(l.SendBuffer, c.Limits.SendBuffer)),

		Inactivity: positive(first(t.Inactivity, c.Timeouts.Inactivity)),
		Request:    positive(first(request, requestTimeout)),
		Whole:      request > 0,
		Write:      positive(first(t.Write, c.Timeouts.Write)),
		Heartbeat:  positive(first(t.Heartbeat, c.Timeouts.Heartbeat)),
		IgnoreEOF:  first(r.HalfClose, c.HalfClose) == HalfCloseIgnore,
		Sockets:    c.sockets(r),
	}
}

// sockets are the bounds of the WebSockets of a route, or with a zero Route of
// the server.
func (c *Config) sockets(r *Route) *serve.Sockets {
	l, w := &r.Limits, &r.WebSockets
	s := &serve.Sockets{
		Open:       new(atomic.Int64),
		Disabled:   first(w.Enable, c.WebSockets.Enable) == Off,
		Most:       max(0, first(l.WebSockets, c.Limits.WebSockets)),
		MaxMessage: max(0, first(l.MaxMessage, c.Limits.MaxMessage)),
		MaxFrame:   max(0, first(l.MaxFrame, c.Limits.MaxFrame)),
		MaxPacket:  max(0, first(l.MaxPacket, c.Limits.MaxPacket)),

		Ping:            positive(first(w.Ping, c.WebSockets.Ping)),
		Protocols:       w.Protocols,
		RequireProtocol: first(w.RequireProtocol, c.WebSockets.RequireProtocol) == On,
		Origins:         w.Origins,
		NoDeflate:       first(w.Deflate, c.WebSockets.Deflate) == Off,
		AnyText:         first(w.ValidateUTF, c.WebSockets.ValidateUTF) == Off,
		Frames:          first(w.PreserveFrames, c.WebSockets.PreserveFrames) == On,
	}
	if s.Protocols == nil {
		s.Protocols = c.WebSockets.Protocols
	}
	if s.Origins == nil {
		s.Origins = c.WebSockets.Origins
	}
	return s
}

// first is the first that is not zero.
func first[T comparable](values ...T) T {
	var zero T
	for _, v := range values {
		if v != zero {
			return v
		}
	}
	return zero
}

// An entry is something registered that a route must lead to.
type entry struct {
	pattern string // of net/http, or ""
	name    string // of an action, or ""
	action  bool   // reached by action routes alone
}

// warn logs what was registered in vain, and what was named in vain.
func (s *Server) warn() {
	for _, e := range s.entries {
		if cure := s.unreachable(e); cure != "" {
			s.log.Warn("no route leads to this action", "action", first(e.pattern, e.name), "add to routes", cure)
		}
	}
	for i, r := range s.options.Routes {
		if r.Name != "" && !hasToken(r.Name) && s.named[r.Name] == nil {
			s.log.Warn("no action has this name: its URLs are 404", "route", s.config.Routes[i].Match, "action", r.Name)
		}
	}
}

func hasToken(name string) bool { return strings.ContainsAny(name, "{$") }

// unreachable answers the route that would lead to e, "" where one does.
func (s *Server) unreachable(e entry) string {
	if e.name != "" {
		for _, r := range s.options.Routes {
			if r.Action && (r.Name == e.name || hasToken(r.Name)) {
				return ""
			}
		}
		return fmt.Sprintf("{ match: '/%s', handler: 'action', action: '%s' }", e.name, e.name)
	}
	path := sample(e.pattern)
	if s.options.Rules == nil {
		return ""
	}
	i, _, found := s.options.Rules.Find(path)
	to := serve.Route{}
	if found {
		to = s.options.Routes[i]
	}
	switch {
	case to.Redirect == "" && to.Action && to.Name == "",
		to.Redirect == "" && !to.Action && !e.action:
		return ""
	}
	return fmt.Sprintf("{ match: '%s', handler: 'action' }", path)
}

// sample is a path that a pattern of net/http matches.
func sample(pattern string) string {
	if _, rest, ok := strings.Cut(pattern, " "); ok {
		pattern = strings.TrimLeft(rest, " \t")
	}
	if i := strings.IndexByte(pattern, '/'); i >= 0 {
		pattern = pattern[i:]
	}
	var b strings.Builder
	for segment := range strings.SplitSeq(strings.TrimPrefix(pattern, "/"), "/") {
		b.WriteByte('/')
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			segment = strings.TrimRight(strings.TrimRight(name, "}"), ".$")
		}
		b.WriteString(segment)
	}
	return b.String()
}

// Routed says whether a route with handler "action" and no `action` matches the
// path: whether an Action under that URL would be reached.
func (s *Server) Routed(path string) bool {
	if s.options.Rules == nil {
		return false
	}
	i, _, ok := s.options.Rules.Find(path)
	return ok && s.options.Routes[i].Action && s.options.Routes[i].Name == "" && s.options.Routes[i].Redirect == ""
}
