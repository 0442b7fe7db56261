package conf

import (
	"fmt"
	"strings"

	"github.com/leat-dev/leat/internal/nearest"
)

// unknown says what is wrong with a key that has no row where it stands, and
// which key was probably meant.
func (r *reader) unknown(name, prefix string, t *tree, s *scope) (problem, hint string) {
	path := join(prefix, name)
	switch {
	case s.place == atTop && known(inServer, path):
		return fmt.Sprintf("stands beside web, which begins at %v", r.web), "write it inside web"
	case s.place == inServer && known(atTop, path):
		return fmt.Sprintf("stands inside web, which begins at %v", r.web), "write it beside web"
	case s.place == inRoute && known(inServer|atTop, path):
		return "is a key of the server, not of one route", "write it outside of routes"
	case s.place&inServer != 0 && known(inRoute, path) && !known(s.place, path):
		return "is a key of a route", "write it in an entry of routes"
	}
	if s.place&(inServer|inRoute) != 0 && known(inTopic, path) && pathTo(name, s.place) == "" {
		return "is a key of a topic", "write it in an entry of topics"
	}
	return "unknown key", propose(name, prefix, t, s.place)
}

// known says whether a row is at path or below it.
func known(in place, path string) bool {
	for w := range rows(in) {
		if w.path == path || strings.HasPrefix(w.path, path+".") {
			return true
		}
	}
	return false
}

// propose names the key that was meant by one that does not exist: from the
// surest guess to the vaguest.
func propose(name, prefix string, t *tree, in place) string {
	near, far := nearest.Word(name, t.names)
	synonym := synonyms[strings.ToLower(name)]
	switch {
	case far == 0:
		return "write " + near
	case in&atTop != 0 && strings.EqualFold(name, "web"):
		return "write web"
	case synonym != "" && (find(in, synonym) != nil || t.kids[synonym] != nil):
		return "write " + synonym
	case far == 1 && len(name) > 2:
		return "write " + near
	case directiveKey(name) != "":
		return "the directive " + name + " is the key " + directiveKey(name)
	case strings.Contains(name, ".") && find(in, strings.TrimPrefix(prefix+"."+name, ".")) != nil:
		group, key, _ := strings.Cut(name, ".")
		return fmt.Sprintf("write %s: { %s: … }", group, key)
	}
	if part := contained(name, t.names); part != "" {
		return "write " + part
	}
	if elsewhere := pathTo(name, in); elsewhere != "" {
		return "write " + elsewhere
	}
	switch {
	case far <= 1+len(name)/4:
		return "write " + near
	case len(t.names) <= 16:
		return "the keys here are " + strings.Join(t.names, ", ")
	}
	return "docs/web-json5.md lists every key"
}

// synonyms are what other servers call it, in lower case.
var synonyms = map[string]string{
	"port": "listen", "ports": "listen", "host": "listen", "bind": "listen", "address": "listen", "addr": "listen",
	"root": "documents", "docroot": "documents", "public": "documents", "static": "documents", "dir": "documents",
	"ssl": "tls", "https": "tls", "mimetypes": "mime", "types": "mime", "servername": "name",
	"idle": "timeouts.inactivity", "keepalive": "timeouts.inactivity", "read": "timeouts.parse", "shutdown": "timeouts.drain", "grace": "timeouts.drain",
	"clients": "limits.connections", "path": "match", "url": "match", "pattern": "match", "name": "match", "verbs": "methods", "prefix": "trim", "gzip": "compressed",
	"jwt": "tokens", "rate": "maxRate", "cmd": "source.command", "alg": "algorithm", "kid": "id", "secret": "env", "iss": "issuer", "aud": "audience",
}

// contained is the longest of names that is part of name: body of maxBody.
func contained(name string, names []string) string {
	best := ""
	for _, n := range names {
		if len(n) > max(3, len(best)) && strings.Contains(strings.ToLower(name), strings.ToLower(n)) {
			best = n
		}
	}
	return best
}

// pathTo is the path of a key by its last part, nearly or in full.
func pathTo(name string, in place) string {
	best, least := "", 1+len(name)/6
	if in&(inTopic|inTokenKey) == 0 {
		in |= inServer
	}
	for w := range rows(in) {
		if w.state == protects || w.state == unneeded {
			continue
		}
		last := w.path[strings.LastIndexByte(w.path, '.')+1:]
		if last == "enable" {
			continue // which many objects have
		}
		if d := nearest.Distance(name, last); d < least && len(name) > 3 || d == 0 && least > 0 {
			best, least = w.path, d
		}
	}
	return best
}
