package conf

import (
	"iter"
	"strings"
)

// A row of the table is all that Leat knows about one key.
type row struct {
	path  string           // "limits.queue"
	in    place            // where it may stand
	kind  *kind            // how its value is read
	field func(*scope) any // pointer to what it sets; nil if Leat has no use for it
	def   string           // its default, written as in the file
	ioto  string           // Ioto's default, where it is another one
	why   string           // why the default differs, or why the key is not needed
	state state            // whether Leat acts on it
	keep  bool             // Fill leaves the zero value alone
	plain []string         // of a key that protects: texts that ask for no protection
	doc   string           // one sentence or two, for the reference page
}

// A section is a part of the reference page, with the rows that it lists.
type section struct {
	title string
	intro string
	rows  []row
}

// place says in which objects a key may stand.
type place uint8

const (
	atTop      place = 1 << iota // beside `web`
	inServer                     // in `web`
	inRoute                      // in an entry of `routes`
	inRedirect                   // in an entry of `redirect`
	inTopic                      // in an entry of `topics`
	inTokenKey                   // in an entry of `tokens.keys`
)

// state says what Leat does about a key.
type state uint8

const (
	inEffect state = iota
	later          // known, and reported as not yet in effect
	unneeded       // known from Ioto, and nothing that Leat needs
	protects       // not yet in effect, and so an error unless it asks for nothing
)

// scope is the object that the keys being read belong to: the server, or one
// entry of a list. Pointers that it has no use for are nil.
type scope struct {
	place     place
	config    *Config
	route     *Route
	redirect  *Redirect
	topic     *Topic
	tokenKey  *TokenKey
	limits    *Limits
	timeouts  *Timeouts
	sockets   *WebSockets
	headers   *map[string]string
	dotFiles  *bool
	halfClose *string
}

func (c *Config) scope() *scope {
	return &scope{
		place: atTop | inServer, config: c, limits: &c.Limits, timeouts: &c.Timeouts, sockets: &c.WebSockets,
		headers: &c.Headers, dotFiles: &c.DotFiles, halfClose: &c.HalfClose,
	}
}

func (r *Route) scope() *scope {
	return &scope{
		place: inRoute, route: r, limits: &r.Limits, timeouts: &r.Timeouts, sockets: &r.WebSockets,
		headers: &r.Headers, dotFiles: &r.DotFiles, halfClose: &r.HalfClose,
	}
}

func (r *Redirect) scope() *scope { return &scope{place: inRedirect, redirect: r} }

func (t *Topic) scope() *scope { return &scope{place: inTopic, topic: t} }

func (k *TokenKey) scope() *scope { return &scope{place: inTokenKey, tokenKey: k} }

// sections is the table.
func sections() []section {
	return []section{
		serverSection, routeSection, redirectSection, limitSection, timeoutSection,
		socketSection, topicSection, tokenSection, tokenKeySection, logSection, protectSection, laterSection, iotoSection,
	}
}

// rows are those of the table that may stand in one of the places.
func rows(in place) iter.Seq[*row] {
	return func(yield func(*row) bool) {
		for _, s := range sections() {
			for i := range s.rows {
				if r := &s.rows[i]; r.in&in != 0 && !yield(r) {
					return
				}
			}
		}
	}
}

// A tree is the keys of an object by name: each has a row, or keys below it, or
// both where a word may stand in place of the object.
type tree struct {
	row   *row
	names []string // of kids, in the table's order
	kids  map[string]*tree
}

// grow makes a tree of the keys that may stand in one of the places.
func grow(in place) *tree {
	t := &tree{}
	for r := range rows(in) {
		t.add(r)
	}
	return t
}

func (t *tree) add(r *row) {
	for name := range strings.SplitSeq(r.path, ".") {
		if t.kids == nil {
			t.kids = map[string]*tree{}
		}
		if t.kids[name] == nil {
			t.kids[name] = &tree{}
			t.names = append(t.names, name)
		}
		t = t.kids[name]
	}
	t.row = r
}

// find is the row of a dotted path, or nil.
func find(in place, path string) *row {
	for r := range rows(in) {
		if r.path == path {
			return r
		}
	}
	return nil
}
