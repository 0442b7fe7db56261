package conf

import (
	"fmt"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/leat-dev/leat/internal/json5"
	"github.com/leat-dev/leat/internal/nearest"
)

// A kind is how the values of some keys are read.
type kind struct {
	name   string          // for the reference page
	read   func(v val) any // what the value is, or nil if it is wrong, which has then been reported
	holds  place           // in place of read: what stands in it are keys of that place
	schema func() object   // JSON Schema of its values
}

// val is a value of the file on its way into the Config.
type val struct {
	*json5.Node
	r    *reader
	path string
}

// wrong reports what is wrong with v, and is nil, for read to return.
func (v val) wrong(hint, format string, args ...any) any {
	v.r.report(v.Pos, v.path, hint, format, args...)
	return nil
}

func (v val) item(i int) val {
	return val{v.Items[i], v.r, fmt.Sprintf("%s[%d]", v.path, i)}
}

// member is the value of the last member with that key, or of nothing.
func (v val) member(key string) (val, bool) {
	for _, m := range slices.Backward(v.Members) {
		if m.Key == key {
			return val{m.Value, v.r, join(v.path, key)}, true
		}
	}
	return val{}, false
}

// join is the path of a key in a message: limits.queue, mime[".log"].
func join(path, key string) string {
	plain := key != "" && !strings.ContainsFunc(key, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("-_$", c)
	})
	switch {
	case !plain:
		return fmt.Sprintf("%s[%.60q]", path, key)
	case path == "":
		return key
	}
	return path + "." + key
}

// quote shows v in a message.
func (v val) quote() string {
	switch v.Kind {
	case json5.String:
		return fmt.Sprintf("%.200q", v.Text)
	case json5.Number:
		return fmt.Sprintf("%.60s", v.Text)
	case json5.Bool:
		return fmt.Sprint(v.Bool)
	default:
		return v.Kind.String()
	}
}

// text is v's text; ok is false if it is none, which has then been reported.
func (v val) text() (text string, ok bool) {
	if v.Kind != json5.String {
		hint := ""
		if v.Kind == json5.Number {
			hint = fmt.Sprintf("write '%s'", v.quote())
		}
		v.wrong(hint, "%s is not a text", v.quote())
		return "", false
	}
	if i := strings.IndexFunc(v.Text, unicode.IsControl); i >= 0 {
		v.wrong("", "%s holds a control character", v.quote())
		return "", false
	}
	return v.Text, true
}

// list is v's items, or v itself if it is no list.
func (v val) list() []val {
	if v.Kind != json5.Array {
		return []val{v}
	}
	list := make([]val, len(v.Items))
	for i := range v.Items {
		list[i] = v.item(i)
	}
	return list
}

// texted makes a kind of text that check reads further.
func texted(name string, schema object, check func(v val, text string) any) *kind {
	return &kind{
		name:   name,
		schema: func() object { return schema },
		read: func(v val) any {
			text, ok := v.text()
			if !ok {
				return nil
			}
			return check(v, text)
		},
	}
}

// listed makes a kind of one text or a list of texts.
func listed(name string, one *kind) *kind {
	return &kind{
		name: name,
		schema: func() object {
			return object{"anyOf": []any{one.schema(), object{"type": "array", "items": one.schema()}}}
		},
		read: func(v val) any {
			list, good := []string{}, true
			for _, item := range v.list() {
				text, ok := one.read(item).(string)
				if good = good && ok; ok && !slices.Contains(list, text) {
					list = append(list, text)
				}
			}
			if !good {
				return nil
			}
			return list
		},
	}
}

// mapped makes a kind of an object of texts.
func mapped(name string, check func(v val, key string) (cleanKey string, ok bool)) *kind {
	return &kind{
		name: name,
		schema: func() object {
			return object{"type": "object", "additionalProperties": object{"type": []any{"string", "number"}}}
		},
		read: func(v val) any {
			if v.Kind != json5.Object {
				return v.wrong("write { 'name': 'value' }", "%s is not an object", v.quote())
			}
			result, good := map[string]string{}, true
			for _, m := range v.r.members(v) {
				entry := val{m.Value, v.r, join(v.path, m.Key)}
				key, ok := check(val{&json5.Node{Kind: json5.String, Pos: m.KeyPos, Text: m.Key}, v.r, v.path}, m.Key)
				if entry.Kind != json5.Number { // which stands for its own text
					_, isText := entry.text()
					ok = ok && isText
				}
				if _, twice := result[key]; ok && twice {
					v.r.report(m.KeyPos, v.path, "remove one of the two", "%q is there already", key)
					ok = false
				}
				result[key] = entry.Text
				good = good && ok
			}
			if !good {
				return nil
			}
			return result
		},
	}
}

// chosen makes a kind of one of a few words, in any case.
func chosen(words ...string) *kind {
	return &kind{
		name:   "`'" + strings.Join(words, "'` or `'") + "'`",
		schema: func() object { return object{"enum": words} },
		read: func(v val) any {
			for _, word := range words {
				if v.Kind == json5.String && strings.EqualFold(v.Text, word) {
					return word
				}
			}
			hint := strings.Join(words, "' or '")
			if near, far := nearest.Word(v.Text, words); v.Kind == json5.String && far <= 1+len(near)/4 && far < len(v.Text) {
				hint = near
			}
			return v.wrong("write '"+hint+"'", "%s is not one of its values", v.quote())
		},
	}
}

// measured makes a kind of a quantity; as turns it into the Go value.
func measured(q *quantity, as func(n int64) any) *kind {
	name := strings.TrimPrefix(q.name, "a ")
	def := name
	if q.zero {
		def += "OrZero"
	}
	return &kind{
		name:   name,
		schema: func() object { return object{"$ref": "#/$defs/" + def} },
		read: func(v val) any {
			n, ok := q.amount(v)
			if !ok {
				return nil
			}
			return as(n)
		},
	}
}

var (
	asSize     = func(n int64) any { return n }
	asCount    = func(n int64) any { return int(n) }
	asDuration = func(n int64) any { return time.Duration(n) }

	size         = measured(&sizes, asSize)
	sizeOrZero   = measured(orZero(sizes), asSize)
	count        = measured(&counts, asCount)
	countOrZero  = measured(orZero(counts), asCount)
	duration     = measured(&times, asDuration)
	durationZero = measured(orZero(times), asDuration)
)

var stringSchema = object{"type": "string"}

var (
	text  = texted("text", stringSchema, func(_ val, text string) any { return text })
	texts = listed("text or list of texts", text)

	flag = &kind{
		name:   "`true` or `false`",
		schema: func() object { return object{"type": "boolean"} },
		read: func(v val) any {
			if v.Kind != json5.Bool {
				return v.wrong("write true or false", "%s is neither true nor false", v.quote())
			}
			return v.Bool
		},
	}

	// toggle is flag for a Switch, which a route may turn either way.
	toggle = &kind{
		name:   flag.name,
		schema: flag.schema,
		read: func(v val) any {
			switch flag.read(v) {
			case true:
				return On
			case false:
				return Off
			}
			return nil
		},
	}

	// anything is for keys whose value Leat does not look into yet.
	anything = &kind{
		name:   "any value",
		schema: func() object { return object{} },
		read:   func(v val) any { return v.Node },
	}

	filled = texted("text", object{"type": "string", "minLength": 1}, func(v val, text string) any {
		if text == "" {
			return v.wrong("", "it is empty")
		}
		return text
	})

	fileName = texted("file name", stringSchema, func(v val, text string) any {
		if text == "" || text == "." || text == ".." || strings.ContainsAny(text, `/\`) {
			return v.wrong("write 'index.html'", "%q is not the name of a file", text)
		}
		return text
	})

	hostName = texted("host name", stringSchema, func(v val, text string) any {
		if !isHost(text) {
			return v.wrong("write it as in 'www.example.com', without scheme, port or path", "%q is not a host name", text)
		}
		return text
	})
	hostNames = listed("host name or list of them", hostName)

	listen = listed("URL or list of them", &kind{
		schema: func() object { return stringSchema },
		read: func(v val) any {
			if v.Kind == json5.Number {
				return v.wrong(fmt.Sprintf("write 'http://:%s'", v.Text), "%s is not a URL", v.Text)
			}
			text, ok := v.text()
			if !ok {
				return nil
			}
			return v.listener(text)
		},
	})

	headers = mapped("object of texts", func(v val, name string) (string, bool) {
		name = textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case !isToken(name):
			v.wrong("", "%q is not the name of a header", name)
		case slices.Contains(ownHeaders, name):
			v.wrong("remove it", "the server sets %s itself", name)
		default:
			return name, true
		}
		return name, false
	})

	mediaTypes = mapped("object of texts", func(v val, extension string) (string, bool) {
		if !strings.HasPrefix(extension, ".") || len(extension) < 2 || strings.Contains(extension, "/") {
			v.wrong(fmt.Sprintf("write '.%s'", strings.TrimLeft(extension, "*.")), "%q is not an extension", extension)
			return "", false
		}
		return strings.ToLower(extension), true
	})
)

// ownHeaders frame a message (RFC 9112): one from the configuration would
// make two answers of one.
var ownHeaders = []string{"Connection", "Content-Length", "Keep-Alive", "Trailer", "Transfer-Encoding", "Upgrade"}

// isToken is RFC 9110, 5.6.2.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
	})
}

func isHost(s string) bool {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && addr.Is6() && strings.HasSuffix(s, "]")
	}
	return s != "" && len(s) < 254 && !strings.ContainsFunc(s, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("-._", c)
	})
}
