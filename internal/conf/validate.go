package conf

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leat-dev/leat/internal/json5"
)

// Validate looks at a Config that a program has made as Load looks at a
// file: its error is an Errors, whose entries have a Path and no Line.
func Validate(c *Config) error {
	r := &reader{set: map[string]bool{}}
	r.again("", c.scope())
	for i := range c.Routes {
		one := c.Routes[i]
		one.finish(r.again(fmt.Sprintf("routes[%d]", i), one.scope()))
	}
	for i := range c.Redirects {
		one := c.Redirects[i]
		one.finish(r.again(fmt.Sprintf("redirect[%d]", i), one.scope()))
	}
	for i := range c.Topics {
		one := c.Topics[i]
		one.finish(r.again(fmt.Sprintf("topics[%d]", i), one.scope()))
	}
	for i := range c.Tokens.Keys {
		one := c.Tokens.Keys[i]
		one.finish(r.again(fmt.Sprintf("tokens.keys[%d]", i), one.scope()), c.Tokens.Keys[:i])
	}
	r.agree(c)
	return r.errs.sorted()
}

// agree looks at what keys in different objects say together.
func (r *reader) agree(c *Config) {
	r.agreeSockets(c)
	r.agreeTokens(c)
	r.agreePaths(c)
}

// again reads the fields of s as if they stood in a file. It gives back the
// object that they would be.
func (r *reader) again(path string, s *scope) val {
	all := val{&json5.Node{Kind: json5.Object}, r, path}
	for w := range rows(s.place) {
		if w.field == nil {
			continue
		}
		if n := written(reflect.ValueOf(w.field(s)).Elem()); n != nil {
			all.Members = append(all.Members, json5.Member{Key: w.path, Value: n})
			w.kind.read(val{n, r, strings.TrimPrefix(path+"."+w.path, ".")})
		}
	}
	return all
}

// written is a Go value as it would stand in a file; nil if it is zero, or of
// a kind that cannot be wrong.
func written(v reflect.Value) *json5.Node {
	if v.IsZero() {
		return nil
	}
	switch value := v.Interface().(type) {
	case string:
		return &json5.Node{Kind: json5.String, Text: value}
	case []string:
		list := &json5.Node{Kind: json5.Array}
		for _, item := range value {
			list.Items = append(list.Items, &json5.Node{Kind: json5.String, Text: item})
		}
		return list
	case map[string]string:
		members := &json5.Node{Kind: json5.Object}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			item := &json5.Node{Kind: json5.String, Text: value[key]}
			members.Members = append(members.Members, json5.Member{Key: key, Value: item})
		}
		return members
	case time.Duration:
		return writtenNumber(int64(value), strconv.FormatFloat(value.Seconds(), 'f', -1, 64))
	case int:
		return writtenNumber(int64(value), strconv.Itoa(value))
	case int64:
		return writtenNumber(value, strconv.FormatInt(value, 10))
	case float64:
		if value == Unlimited {
			return writtenNumber(Unlimited, "")
		}
		return &json5.Node{Kind: json5.Number, Number: value, Text: strconv.FormatFloat(value, 'g', -1, 64)}
	}
	return nil
}

func writtenNumber(n int64, text string) *json5.Node {
	if n == Unlimited {
		return &json5.Node{Kind: json5.String, Text: "unlimited"}
	}
	return &json5.Node{Kind: json5.Number, Number: float64(n), Text: text}
}
