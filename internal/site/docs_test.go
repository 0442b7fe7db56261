package site

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestEveryKeyOfARecordIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/actions.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range []any{status{}, step{}, climate{}, quote{}, tally{}, wish{}, welcome{}, arrival{}, said{}, refusal{}, taken{}} {
		for _, key := range keys(reflect.TypeOf(record)) {
			if !strings.Contains(string(page), `"`+key+`":`) {
				t.Errorf("docs/actions.md has no example of %q", key)
			}
		}
	}
}

// keys are the names of a record's fields in JSON, those within it too.
func keys(record reflect.Type) []string {
	if record.Kind() == reflect.Pointer {
		record = record.Elem()
	}
	if record.Kind() != reflect.Struct {
		return nil
	}
	var all []string
	for field := range record.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		all = append(append(all, name), keys(field.Type)...)
	}
	return all
}
