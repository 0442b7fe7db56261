package conf

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/leat-dev/leat/internal/json5"
	"github.com/leat-dev/leat/internal/pattern"
)

// topics reads `topics`.
func (r *reader) topics(v val, c *Config) {
	c.Topics = []Topic{}
	for _, item := range v.entries() {
		one := Topic{}
		r.object(item, "", r.tree(inTopic), one.scope())
		one.finish(item)
		if i := slices.IndexFunc(c.Topics, one.hiddenBy); i >= 0 && len(r.errs) == 0 {
			r.note(item.Pos, item.path, "is never reached: topics[%d] matches all that it does", i)
		}
		c.Topics = append(c.Topics, one)
	}
}

// hiddenBy says whether an earlier entry matches all that t does.
func (t *Topic) hiddenBy(earlier Topic) bool {
	return pattern.Contains(cmp.Or(earlier.Match, ">"), cmp.Or(t.Match, ">"))
}

// finish looks at what the keys of a topic say together. v is its object.
func (t *Topic) finish(v val) {
	if history, ok := v.member("history"); ok {
		for _, key := range []string{"count", "bytes", "age"} {
			if kept, ok := history.member(key); ok && kept.isZero() {
				t.History.None = true
			}
		}
	}
	source, given := v.member("source")
	if !given {
		source = val{v.Node, v.r, join(v.path, "source")}
	}
	match, _ := v.member("match")
	switch {
	case t.Source.File != "" && t.Source.Command != nil:
		source.wrong("remove one of the two", "a source has a command or a file, and not both")
	case t.Source.File == "" && t.Source.Command == nil:
		if given && !v.r.wrongAt(source.path) {
			source.wrong("write { command: 'vmstat 1' } or { file: 'app.log' }", "it has neither a command nor a file")
		}
	case t.Match == "" && match.Node == nil:
		source.wrong("add match: 'NAME'", "what it publishes needs a topic")
	case pattern.Wild(t.Match):
		source.wrong("write match: 'NAME'", "what it publishes needs one topic, and %q is a pattern", t.Match)
	}
}

// isZero says whether v is a quantity that is 0, and has been read without a
// mistake.
func (v val) isZero() bool {
	switch v.Kind {
	case json5.Number:
		return v.Number == 0
	case json5.String:
		m := amountSyntax.FindStringSubmatch(strings.TrimSpace(v.Text))
		return m != nil && strings.Trim(m[1], "+-0.") == ""
	default:
		return false
	}
}

// agreePaths keeps apart what everybody may fetch and what nobody should.
func (r *reader) agreePaths(c *Config) {
	if c.Documents == "" || r.paths.embedded {
		return
	}
	if c.State != "" && isBelow(c.Documents, c.State) {
		r.report(r.at["state"], "state", "name a folder outside of documents", "it is in documents, and so everybody could fetch what topics keep")
	}
	for i, k := range c.Tokens.Keys {
		if path := fmt.Sprintf("tokens.keys[%d].file", i); k.Algorithm == "HS256" && k.File != "" && isBelow(c.Documents, k.File) {
			r.report(r.at[path], path, "name a file outside of documents", "it is in documents, and so everybody could fetch the secret")
		}
	}
}

// isBelow says whether a path is that of a folder or of something in it.
func isBelow(folder, path string) bool {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return false // without a working directory neither can be opened
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return false
	}
	rest, err := filepath.Rel(folder, path)
	return err == nil && rest != ".." && !strings.HasPrefix(rest, ".."+string(os.PathSeparator))
}

// access is a kind for who may.
func access() *kind { return chosen(AccessPublic, AccessNone, AccessToken) }

var (
	topicList = &kind{
		name:   "list of topics",
		holds:  inTopic,
		schema: func() object { return object{"type": "array", "items": object{"$ref": "#/$defs/topic"}} },
	}

	topicPattern = texted("pattern of topics", object{"type": "string", "minLength": 1, "maxLength": pattern.MaxBytes}, func(v val, text string) any {
		if err := pattern.Check(text); err != nil {
			problem, hint := err.Error(), ""
			if i := strings.LastIndex(problem, "; "); i >= 0 {
				problem, hint = problem[:i], problem[i+2:]
			}
			return v.wrong(hint, "%s", problem)
		}
		return text
	})

	// noHistory stands in place of the object that says how much is kept.
	noHistory = &kind{
		name:   "`'none'`, or the keys below",
		schema: func() object { return object{"enum": []any{"none"}} },
		read: func(v val) any {
			if v.Kind == json5.String && strings.EqualFold(v.Text, "none") {
				return true
			}
			hint := "write 'none' or { count: 1000, bytes: '1MB', age: '10 mins' }"
			if v.Kind == json5.Number {
				hint = "write { count: " + v.quote() + " }"
			}
			return v.wrong(hint, "%s is neither an object nor 'none'", v.quote())
		},
	}

	// rate is a number a second, which may have a fraction; 0 is no bound.
	rate = &kind{
		name: "number a second",
		schema: func() object {
			text := `^(` + anyCase(slices.Sorted(maps.Keys(unbounded))) + `|[0-9]+(\.[0-9]+)?)$`
			return object{"anyOf": []any{object{"type": "number", "exclusiveMinimum": 0}, object{"type": "string", "pattern": text}}}
		},
		read: func(v val) any {
			const hint = "write 10, or 'unlimited'"
			infinite := v.Kind == json5.Number && math.IsInf(v.Number, 1) && !strings.ContainsAny(v.Text, "0123456789")
			if infinite || v.Kind == json5.String && unbounded[strings.ToLower(v.Text)] {
				return 0.0
			}
			n := v.Number
			if v.Kind == json5.String {
				n = math.NaN()
				if m := amountSyntax.FindStringSubmatch(v.Text); m != nil && m[2] == "" {
					n, _ = strconv.ParseFloat(m[1], 64) // which is infinite where it fails
				}
			}
			switch {
			case v.Kind != json5.Number && v.Kind != json5.String || math.IsNaN(n) || math.IsInf(n, 0):
				return v.wrong(hint, "%s is not a number a second", v.quote())
			case n < 0:
				return v.wrong("write 'unlimited' for no limit", "%s is negative", v.quote())
			case n == 0:
				return v.wrong("write 'unlimited' for no limit", "0 would allow nothing")
			case n < 1e-6 || n > 1e9:
				return v.wrong(hint, "%s is not a number from 0.000001 to 1000000000", v.quote())
			}
			return n
		},
	}

	// command is a program with its arguments; the shell is one of them.
	command = &kind{
		name:   "text or list of texts",
		schema: texts.schema,
		read: func(v val) any {
			list := []string{}
			for _, item := range v.list() {
				text, ok := item.text()
				if !ok {
					return nil
				}
				list = append(list, text)
			}
			switch {
			case len(list) == 0 || strings.TrimSpace(list[0]) == "":
				return v.wrong("write 'vmstat 1' or ['vmstat', '1']", "it names no command")
			case v.Kind == json5.Array:
				return list
			}
			return []string{"/bin/sh", "-c", list[0]}
		},
	}

	systemFile  = systemPath("file name", "write the name of a file")
	stateFolder = systemPath("folder", "write 'state' for a folder beside this file")
)

// systemPath makes a kind of a path of the system, in any case relative to the
// file that names it.
func systemPath(name, empty string) *kind {
	return texted(name, object{"type": "string", "minLength": 1}, func(v val, path string) any {
		switch {
		case path == "":
			return v.wrong(empty, "it is empty")
		case v.r.file == "":
			return path // of a program, which may have any
		case strings.HasPrefix(path, "~"):
			return v.wrong("write the whole path", "%q is not a path, for ~ is the shell's", path)
		case strings.HasPrefix(path, "@"):
			return v.wrong("write a path, or './"+path+"'", "%q is not a folder that Leat knows", path)
		}
		return v.r.paths.outside(path)
	})
}
