package conf_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/leat-dev/leat/internal/conf"
)

// FuzzParse holds what is true of any file: no panic, a place for every
// error, and a Config that is valid once it has its defaults.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.json5", "testdata/*/*.json5"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		c, _, err := conf.Parse(src, "web.json5")
		if err != nil {
			if c != nil {
				t.Error("a Config comes with the error")
			}
			checkErrors(t, err)
			return
		}
		if err := conf.Validate(c); err != nil {
			t.Errorf("it loads, and yet: %v", err)
		}
		conf.Fill(c)
		if err := conf.Validate(c); err != nil {
			t.Errorf("with its defaults: %v", err)
		}
	})
}
