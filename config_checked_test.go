package leat

import (
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"reflect"
	"testing"
	"testing/fstest"
	"time"
)

// TestNoFieldOfAConfigIsLost takes a Config with a value in each field through
// the plain values and back.
func TestNoFieldOfAConfigIsLost(t *testing.T) {
	var c Config
	n := 0
	set(reflect.ValueOf(&c).Elem(), &n)
	c.FS, c.Logger, c.Authorize = nil, nil, nil // which have no key
	if got := fromConf(toConf(&c)); !reflect.DeepEqual(*got, c) {
		t.Errorf("\n got %+v\nwant %+v", *got, c)
	}
}

// set gives each field another value.
func set(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			set(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		set(v.Index(0), n)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("k"), reflect.ValueOf(string(rune('a'+*n%26))))
	case reflect.String:
		v.SetString(string(rune('a'+*n%26)) + string(rune('a'+*n/26%26)))
	case reflect.Int8:
		v.SetInt(1)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Float64:
		v.SetFloat(float64(*n))
	case reflect.Bool:
		v.SetBool(true)
	default: // interfaces, pointers and functions
	}
}

func TestACheckedConfigKeepsWhatHasNoKey(t *testing.T) {
	refused := errors.New("refused")
	c := &Config{
		FS: fstest.MapFS{}, Logger: slog.New(slog.DiscardHandler),
		Authorize: func(*http.Request, string, string) error { return refused },
		Topics:    []TopicRule{{History: History{None: true}, MaxRate: Unlimited}, {Match: "a"}},
	}
	full, err := checked(c)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(full.FS, fs.FS(fstest.MapFS{})) || full.Logger != c.Logger || full.Authorize == nil || !errors.Is(full.Authorize(nil, "", ""), refused) {
		t.Errorf("%+v", full)
	}
	want := []TopicRule{
		{Match: ">", History: History{None: true}, Slow: "gap", Subscribe: "public", Publish: "none"},
		{Match: "a", History: History{Count: 1000, Bytes: 1 << 20, Age: 10 * time.Minute}, Slow: "gap", Subscribe: "public", Publish: "none"},
	}
	if !reflect.DeepEqual(full.Topics, want) {
		t.Errorf("\n got %+v\nwant %+v", full.Topics, want)
	}
}
