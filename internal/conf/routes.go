package conf

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leat-dev/leat/internal/json5"
	"github.com/leat-dev/leat/internal/route"
)

var (
	routeList = &kind{
		name:   "list of routes",
		holds:  inRoute,
		schema: func() object { return object{"type": "array", "items": object{"$ref": "#/$defs/route"}} },
	}

	redirectList = &kind{
		name:   "list of redirects",
		holds:  inRedirect,
		schema: func() object { return object{"type": "array", "items": object{"$ref": "#/$defs/redirect"}} },
	}
)

// routes reads `routes`.
func (r *reader) routes(v val, c *Config) {
	c.Routes = []Route{}
	for _, item := range v.entries() {
		one := Route{}
		r.object(item, "", r.tree(inRoute), one.scope())
		one.finish(item)
		if i := slices.IndexFunc(c.Routes, one.hiddenBy); i >= 0 && len(r.errs) == 0 {
			r.note(item.Pos, item.path, "is never reached: routes[%d] answers all that it matches", i)
		}
		c.Routes = append(c.Routes, one)
	}
}

// hiddenBy says whether an earlier route matches all that r does. It does not
// look into expressions and tokens.
func (r *Route) hiddenBy(earlier Route) bool {
	if earlier.Match == "" || earlier.Match == r.Match {
		return true
	}
	isPrefix := strings.HasSuffix(earlier.Match, "/") && earlier.Match != "/" && !strings.ContainsAny(earlier.Match, "{^")
	return isPrefix && strings.HasPrefix(r.Match, earlier.Match)
}

// redirects reads `redirect`.
func (r *reader) redirects(v val, c *Config) {
	for _, item := range v.entries() {
		one := Redirect{}
		r.object(item, "", r.tree(inRedirect), one.scope())
		one.finish(item)
		c.Redirects = append(c.Redirects, one)
	}
}

// entries are v's items, if v is the list that it should be.
func (v val) entries() []val {
	if v.Kind != json5.Array {
		v.wrong("write [ { … } ]", "%s is not a list", v.quote())
		return nil
	}
	return v.list()
}

// split is a text with commas as the list that it stands for.
func (v val) split() val {
	if v.Kind != json5.String || !strings.Contains(v.Text, ",") {
		return v
	}
	list := &json5.Node{Kind: json5.Array, Pos: v.Pos}
	for part := range strings.SplitSeq(v.Text, ",") {
		list.Items = append(list.Items, &json5.Node{Kind: json5.String, Pos: v.Pos, Text: strings.TrimSpace(part)})
	}
	return val{list, v.r, v.path}
}

// finish looks at what the keys of a route say together. v is its object.
func (r *Route) finish(v val) {
	if action, ok := v.member("action"); ok && r.Action != "" {
		handler, ok := v.member("handler")
		switch {
		case !ok:
			r.Handler = "action"
		case r.Handler != "action" && r.Handler != "":
			handler.wrong("write 'action', or remove the action", "'%s' does not run the action %q", r.Handler, r.Action)
		}
		r.checkTemplate(action, r.Action)
	}
	if to, ok := v.member("redirect"); ok && r.Redirect != "" {
		r.checkTemplate(to, r.Redirect)
	}
	// A MaxAge of zero is none, so one that is given becomes a directive.
	cache, _ := v.member("cache")
	if cache.Node == nil {
		return
	}
	if age, ok := cache.member("maxAge"); ok && r.Cache.MaxAge == 0 && age.Kind != json5.Null {
		r.Cache.Directives = strings.TrimPrefix(r.Cache.Directives+", max-age=0", ", ")
	}
}

// checkTemplate says whether the match has what a text with tokens uses.
func (r *Route) checkTemplate(v val, template string) {
	table, err := route.Compile([]route.Rule{{Match: r.Match}})
	if err != nil {
		return // the key match has reported it
	}
	if err := table.CheckTemplate(0, template); err != nil {
		v.wrong("", "%s", problem(err))
	}
}

// problem is what a room that knows no positions finds wrong.
func problem(err error) string {
	if e, ok := errors.AsType[*route.Error](err); ok {
		return fmt.Sprintf("%q %s", e.Text, e.Problem)
	}
	return err.Error()
}

// finish looks at what the keys of a redirect say together.
func (r *Redirect) finish(v val) {
	if v.Kind != json5.Object {
		return
	}
	to, ok := v.member("to")
	if !ok {
		v.wrong("write { from: '/old', to: '/new' }", "the redirect has no `to`")
		return
	}
	_, all := route.CompileRedirects([]route.Redirect{{From: r.From, To: r.To}})
	err, wrong := errors.AsType[*route.Error](all)
	if !wrong || r.To == "" {
		return
	}
	at := to
	if from, ok := v.member("from"); ok && err.Text != r.To {
		at = from
	}
	at.wrong("", "%s", problem(err))
}

var (
	match = texted("path or expression", stringSchema, func(v val, text string) any {
		if plain, err := url.Parse(text); strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") && err == nil && plain.Path != text {
			return v.wrong("a path is decoded, and without its query, before it is matched", "%q matches nothing", text)
		}
		if _, err := route.Compile([]route.Rule{{Match: text}}); err != nil {
			return v.wrong("", "%s", problem(err))
		}
		return text
	})

	method = texted("method", stringSchema, func(v val, text string) any {
		if !isToken(text) {
			return v.wrong("write ['GET', 'POST']", "%q is not a method", text)
		}
		return strings.ToUpper(text)
	})

	methods = &kind{
		name:   "list of methods",
		schema: listed("", method).schema,
		read: func(v val) any {
			if v.Kind == json5.Array && len(v.Items) == 0 {
				return v.wrong("remove the key for GET and POST", "a route without methods answers nothing")
			}
			return listed("", method).read(v.split())
		},
	}

	handler = texted("`'file'`, `'action'` or `'topic'`", object{"enum": []any{"file", "action", "topic"}}, func(v val, text string) any {
		switch text {
		case "file", "action", "topic":
			return text
		}
		return v.wrong("write 'file', 'action' or 'topic'", "%q is not a handler", text)
	})

	status = &kind{
		name:   "status",
		schema: func() object { return object{"enum": statuses} },
		read: func(v val) any {
			text := v.Text
			if n, err := strconv.Atoi(text); err == nil && slices.Contains(statuses, n) && v.Kind != json5.Array {
				return n
			}
			return v.wrong("write 301, 302, 303, 307 or 308", "%s is not the status of a redirect", v.quote())
		},
	}

	maxAge = &kind{
		name:   "duration",
		schema: durationZero.schema,
		read: func(v val) any {
			age := durationZero.read(v)
			if age == time.Duration(Never) {
				return v.wrong("write '1 year'", "%s is not an age", v.quote())
			}
			return age
		},
	}

	directiveText = &kind{
		name:   "text or list of texts",
		schema: texts.schema,
		read: func(v val) any {
			list, ok := texts.read(v).([]string)
			if !ok {
				return nil
			}
			return strings.Join(list, ", ")
		},
	}

	extensions = &kind{
		name:   "list of texts",
		schema: texts.schema,
		read: func(v val) any {
			list, ok := texts.read(v).([]string)
			if !ok {
				return nil
			}
			for i := range list {
				list[i] = strings.ToLower(strings.TrimLeft(list[i], "*."))
			}
			return list
		},
	}
)

var statuses = []int{301, 302, 303, 307, 308}
