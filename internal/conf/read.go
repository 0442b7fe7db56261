package conf

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/leat-dev/leat/internal/json5"
)

// A reader turns one file into a Config, and notes what it finds on the way.
type reader struct {
	file  string
	paths paths
	web   json5.Pos            // of the key `web`; Line 0 if the file has none
	set   map[string]bool      // paths of the server's keys that the file has
	at    map[string]json5.Pos // of each key in effect, by its path in messages
	off   bool                 // inside an object that says enable: false
	trees map[place]*tree
	errs  Errors
	notes []string
}

func (r *reader) report(at json5.Pos, path, hint, format string, args ...any) {
	r.errs = append(r.errs, &Error{
		File: r.file, Line: at.Line, Col: at.Col, Path: path, Problem: fmt.Sprintf(format, args...), Hint: hint,
	})
}

func (r *reader) note(at json5.Pos, path, format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf("%s:%v: %s %s", r.file, at, path, fmt.Sprintf(format, args...)))
}

// document reads the whole file, in either of its shapes.
func (r *reader) document(root *json5.Node, c *Config) {
	all := val{root, r, ""}
	s := c.scope()
	i := slices.IndexFunc(root.Members, func(m json5.Member) bool { return m.Key == "web" })
	if i < 0 {
		r.object(all, "", r.tree(atTop|inServer), s)
		return
	}
	r.web = root.Members[i].KeyPos
	s.place = atTop
	top := grow(atTop)
	top.add(&row{path: "web", in: atTop, kind: &kind{holds: inServer}})
	r.object(all, "", top, s)
}

// tree is grow, once for each place.
func (r *reader) tree(in place) *tree {
	if r.trees[in] == nil {
		r.trees[in] = grow(in)
	}
	return r.trees[in]
}

// object reads the members of v. prefix is the part of the rows' paths that
// led to t, which v.path shows with the route that it is in.
func (r *reader) object(v val, prefix string, t *tree, s *scope) {
	if v.Kind != json5.Object {
		v.wrong("write { … }", "%s is not an object", v.quote())
		return
	}
	off := r.off
	if enable, ok := v.member("enable"); ok && enable.Kind == json5.Bool && !enable.Bool {
		r.off = true
	}
	for _, m := range r.members(v) {
		inner := val{m.Value, r, join(v.path, m.Key)}
		kid := t.kids[m.Key]
		switch {
		case kid == nil:
			problem, hint := r.unknown(m.Key, prefix, t, s)
			r.report(m.KeyPos, inner.path, hint, "%s", problem)
		case kid.row == nil, kid.kids != nil && m.Value.Kind == json5.Object:
			r.object(inner, join(prefix, m.Key), kid, s)
		default:
			r.key(kid.row, m.KeyPos, inner, s)
		}
	}
	r.off = off
}

// members are those of an object that are not comments, each key once.
func (r *reader) members(v val) []json5.Member {
	var list []json5.Member
	first := map[string]json5.Pos{}
	for _, m := range v.Members {
		if strings.HasPrefix(m.Key, "_") {
			continue
		}
		if at, twice := first[m.Key]; twice {
			r.report(m.KeyPos, join(v.path, m.Key), "remove one of the two", "given twice, first on line %d", at.Line)
			continue
		}
		first[m.Key] = m.KeyPos
		list = append(list, m)
	}
	return list
}

// deep looks into what is not read: for keys given twice, and for those that
// protect, which must not be without effect there either.
func (r *reader) deep(v val) {
	for _, m := range r.members(v) {
		inner := val{m.Value, r, join(v.path, m.Key)}
		if w := protector(m.Key); w != nil && !r.harmless(w, inner) {
			r.unprotected(m.KeyPos, inner.path)
			continue
		}
		r.deep(inner)
	}
	for i := range v.Items {
		r.deep(v.item(i))
	}
}

// protector is the first row that protects and whose path begins with key.
func protector(key string) *row {
	for w := range rows(atTop | inServer | inRoute) {
		if first, _, _ := strings.Cut(w.path, "."); w.state == protects && first == key {
			return w
		}
	}
	return nil
}

func (r *reader) unprotected(at json5.Pos, path string) {
	name := path[strings.LastIndexByte(path, '.')+1:]
	r.report(at, path, "remove it, or write _"+name+", if something in front of the server protects it",
		"is not yet in effect, and the server does not start without what protects it")
}

// key reads one value by its row.
func (r *reader) key(w *row, at json5.Pos, v val, s *scope) {
	if s.config != nil {
		r.set[w.path] = true
	}
	switch w.state {
	case protects:
		if !r.harmless(w, v) {
			r.unprotected(at, v.path)
		}
		return
	case later:
		r.note(at, v.path, "is not yet in effect")
	case unneeded:
		r.note(at, v.path, "is not needed: %s", w.why)
	case inEffect:
		r.at[v.path] = at
	}
	switch w.kind.holds {
	case inServer: // web
		s.place = inServer
		r.object(val{v.Node, r, ""}, "", r.tree(inServer), s)
		s.place = atTop
	case inRoute:
		r.routes(v, s.config)
	case inRedirect:
		r.redirects(v, s.config)
	case inTopic:
		r.topics(v, s.config)
	case inTokenKey:
		r.tokenKeys(v, s.config)
	default:
		if w.kind == anything {
			r.deep(v)
		}
		if got := w.kind.read(v); got != nil && w.field != nil {
			store(w.field(s), got)
		}
	}
}

// harmless says whether the value of a key that protects asks for nothing.
func (r *reader) harmless(w *row, v val) bool {
	switch v.Kind {
	case json5.Null:
		return true
	case json5.Bool:
		return !v.Bool || r.off
	case json5.String:
		return v.Text == "" || slices.Contains(w.plain, v.Text) || r.off
	default:
		return len(v.Items)+len(v.Members) == 0 && v.Kind != json5.Number || r.off
	}
}

// store sets what field points at.
func store(field, value any) {
	to := reflect.ValueOf(field).Elem()
	to.Set(reflect.ValueOf(value).Convert(to.Type()))
}
